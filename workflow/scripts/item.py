"""Make the item of the paper that the rule is named after, by the module of that name in safe_pit_cm.paper."""

from importlib import import_module

from safe_pit_cm.data import reporting

with reporting.stage(snakemake.log[0]):
    module = import_module(f"safe_pit_cm.paper.{snakemake.rule}")
    module.make(*(dict(named.items()) for named in (snakemake.input, snakemake.output, snakemake.params)))
