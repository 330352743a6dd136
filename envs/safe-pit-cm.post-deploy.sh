#!/usr/bin/env bash
# Install the package of this workflow in the environment. Snakemake runs this in its working directory, which may not be
# the checkout; the workflow has put the sources of its checkout first in PYTHONPATH.
set -euo pipefail
python -m pip install --quiet --no-deps --editable "${PYTHONPATH%%:*}/.."
