"""Table of every parameter of the run."""

from pathlib import Path

import yaml

from safe_pit_cm import config, reporting
from safe_pit_cm.paper import parameters

with reporting.stage(snakemake.log[0]):
    schemas = config.parameters(yaml.safe_load(Path(snakemake.input.schema).read_text(encoding="utf-8")))
    parameters.build(snakemake.params.settings, schemas).write(**snakemake.output)
