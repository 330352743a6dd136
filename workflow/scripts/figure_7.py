"""Figure 7: MAE and R² against the number of sub-steps."""

import pandas as pd

from safe_pit_cm import plot_style
from safe_pit_cm.data import reporting
from safe_pit_cm.paper import figure_7

with reporting.stage(snakemake.log[0]):
    plot_style.save(figure_7.draw(pd.read_csv(snakemake.input.table)), **snakemake.output)
