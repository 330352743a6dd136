"""Write the conda environment of the rules from uv.lock: `uv run python envs/export.py`."""

import os
import subprocess
from pathlib import Path

ENVS = Path(__file__).parent
TARGET = ENVS / "safe-pit-cm.yaml"
HEADER = """\
# Written by envs/export.py from uv.lock; do not edit. The package itself comes from this checkout, see
# safe-pit-cm.post-deploy.sh.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python =3.11
  - pip
  - pip:
"""


def render() -> str:
    """Environment with exactly the locked releases; the dependency groups for development are left out."""
    command = [os.environ.get("UV", "uv"), "export", "--frozen", "--quiet", "--no-default-groups"]
    command += ["--no-emit-project", "--no-hashes", "--no-annotate", "--no-header"]
    requirements = subprocess.run(command, cwd=ENVS.parent, check=True, capture_output=True, text=True).stdout
    return HEADER + "".join(f'      - "{line}"\n' for line in requirements.splitlines())


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
