"""Every command of the tutorial runs, in its order, and prints what the tutorial says.

After a change that moves numbers, `python tests/unit/test_tutorial.py` writes the tutorial's outputs anew.
"""

import contextlib
import io
import math
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from safe_pit_cm import cli

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
_NUMBER = re.compile(r"\d+\.?\d*(?:e-?\d+)?")


def run(command: str) -> str:
    """What a command prints, on either stream; run in this process where it is ours, to be quick."""
    name, *arguments = shlex.split(command)
    if name == "python":
        command_line = [sys.executable, *arguments]
        return subprocess.run(command_line, capture_output=True, text=True, check=True).stdout
    assert name == "safe-pit-cm"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        cli.main(arguments)
    return printed.getvalue()


def commands(block: str) -> list[tuple[str, str]]:
    """Commands of a block and the output that follows each."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(part.split("\n", 1)[0], part.split("\n", 1)[1]) for part in parts]


def _same(printed: str, expected: str) -> bool:
    """Equal, but for the last digits of numbers, which another kind of CPU may round otherwise."""
    if _NUMBER.sub("#", printed) != _NUMBER.sub("#", expected):
        return False
    pairs = zip(_NUMBER.findall(printed), _NUMBER.findall(expected), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=1e-2) for a, b in pairs)


def test_the_tutorial_s_commands_print_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = TUTORIAL.read_text(encoding="utf-8")
    shown = [each for block in _BLOCK.findall(text) for each in commands(block)]
    assert len(shown) >= 7
    for command, expected in shown:
        printed = run(command)
        assert _same(printed, expected), f"$ {command}\n{printed}\ninstead of\n{expected}"
    listed = re.findall(r"^\| `(\w+\.\w+)` \|", text, re.MULTILINE)
    assert {path.name for path in Path("result").iterdir()} == set(listed)
    # The Python example finds what the command found.
    (example,) = _PYTHON.findall(text)
    capsys.readouterr()
    exec(compile(example, str(TUTORIAL), "exec"), {})
    assert capsys.readouterr().out.strip() in next(output for command, output in shown if "--output result " in command)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        TUTORIAL.write_text(
            _BLOCK.sub(
                lambda block: f"```console\n{''.join(f'$ {c}{os.linesep}{run(c)}' for c, _ in commands(block[1]))}```",
                TUTORIAL.read_text(encoding="utf-8"),
            ),
            encoding="utf-8",
        )
