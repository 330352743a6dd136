"""Figure 6: training dynamics."""

import pandas as pd

from safe_pit_cm import plot_style
from safe_pit_cm.data import reporting, stores
from safe_pit_cm.paper import figure_6

with reporting.stage(snakemake.log[0]):
    true = {}
    for path in snakemake.input.validation:
        facts = stores.read(path, "video").attrs
        true[facts["process"], facts["parent"]] = abs(facts["transport_coefficient"])
    plot_style.save(figure_6.draw(pd.read_csv(snakemake.input.history), true), **snakemake.output)
