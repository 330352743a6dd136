#!/usr/bin/env bash
# Make the package of this checkout importable in the environment; Snakemake runs this in the checkout's root.
set -euo pipefail
python -m pip install --quiet --no-deps --editable .
