"""Table 2: the three time scales."""

from pathlib import Path

import yaml

from safe_pit_cm import config, reporting
from safe_pit_cm.paper import table_2

with reporting.stage(snakemake.log[0]):
    parameters = config.parameters(yaml.safe_load(Path(snakemake.input.schema).read_text(encoding="utf-8")))
    table_2.build(**snakemake.params.settings, parameters=parameters).write(**snakemake.output)
