"""A throw-away checkout in which a test may edit anything and run the workflow."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORKFLOW_FILES = ("Snakefile", "config.yaml", "workflow", "profiles", "envs", "src")
TINY = ROOT / "tests" / "e2e" / "config.yaml"
# Times measured on this machine, and what shows them: no two runs agree on these.
TIMED = (
    *("baselines/seconds/", "noisy_training/seconds.csv", "paper/claims.csv", "paper/scorecard.", "paper/timing.csv"),
    *("paper/tables/amortised.", "paper/tables/baselines.", "paper/main.html", "paper/index.html"),
)
# Every stage but the variants beyond the paper, which are a third of the tiny paper's jobs.
MAIN_RESULTS = ("results/paper/tables/table_4.csv", "results/paper/figures/figure_3.png")


@dataclass(frozen=True)
class Outcome:
    """How a run of Snakemake ended."""

    code: int
    output: str

    @property
    def jobs(self) -> dict[str, int]:
        """Number of jobs of each rule that ran or, in a dry run, would run."""
        lines = self.output.splitlines()
        if "Job stats:" not in lines:
            return {}
        counts: dict[str, int] = {}
        for line in lines[lines.index("Job stats:") + 3 :]:
            match line.split():
                case ["total", _]:
                    break
                case [rule, count] if rule != "all":
                    counts[rule] = int(count)
        return counts


@dataclass(frozen=True)
class Checkout:
    """A copy of the workflow and the package, with results of its own."""

    path: Path

    def start(self, *arguments: str, cores: int = 2, tiny: bool = True) -> "subprocess.Popen[str]":
        """Start Snakemake as a user would, on the tiny paper or the real one, in a process group of its own."""
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores)]
        if tiny:
            # One word: as two, the option would take the targets after it for further files.
            command += [f"--configfile={TINY}"]
        command += arguments
        # Nothing outside the checkout is touched.
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.path / ".cache")}
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, cores: int = 2, tiny: bool = True) -> Outcome:
        """Run Snakemake to its end."""
        with self.start(*arguments, cores=cores, tiny=tiny) as process:
            output, _ = process.communicate()
        return Outcome(process.returncode, output)

    def would_run(self, *arguments: str) -> dict[str, int]:
        """Jobs of each rule that a run would run now."""
        outcome = self.run("--dry-run", *arguments)
        assert outcome.code == 0, outcome.output
        return outcome.jobs

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text that stands once in a file."""
        file = self.path / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        file.write_text(text.replace(old, new), encoding="utf-8")

    def result_digests(self) -> dict[str, str]:
        """SHA-256 of every file under results that tells no time, by its path."""
        results = self.path / "results"
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(results.rglob("*"))
            if path.is_file()
            and not (name := path.relative_to(results).as_posix()).removeprefix("provenance/").startswith(TIMED)
        }

    def copy_to(self, path: Path) -> "Checkout":
        """Copy the checkout, results and time stamps included."""
        shutil.copytree(self.path, path, symlinks=True)
        return Checkout(path)


def make_checkout(path: Path, source: Path = ROOT) -> Checkout:
    """Copy the workflow and the package of a checkout, without any result, to ``path``."""
    for name in WORKFLOW_FILES:
        original = source / name
        if original.is_dir():
            shutil.copytree(original, path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            path.mkdir(parents=True, exist_ok=True)
            shutil.copy2(original, path / name)
    return Checkout(path)


def keeping_time(change: Callable[[Path], object], path: str) -> Callable[[Path], None]:
    """A change of a file that keeps its time."""

    def apply(folder: Path) -> None:
        file = folder / path
        before = file.stat()
        change(file)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    return apply


def flip(file: Path) -> None:
    """Flip a bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
