"""The workflow as the Snakemake workflow catalog and snakedeploy expect it: fetched from a server, run anywhere."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from checkout import ROOT, TINY, Checkout, make_checkout

# As `snakedeploy deploy-workflow https://github.com/owner/safe-pit-cm . --tag v1` writes it.
DEPLOYED = """\
from snakemake.utils import min_version

min_version("6.10.0")

configfile: "config/config.yaml"

module safe_pit_cm:
    snakefile:
        {source}
    config:
        config

use rule * from safe_pit_cm
"""
VIDEO = "results/videos/mobility/000.zarr"


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A folder of repositories, with this one in it, tagged."""
    repository = make_checkout(tmp_path / "server/owner/safe-pit-cm").path
    shutil.copytree(ROOT / "config", repository / "config", symlinks=True)
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "-m", "All"], ["tag", "v1"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    return tmp_path / "server"


def deploy(folder: Path, repository: Path, source: str) -> None:
    """What snakedeploy does."""
    shutil.copytree(repository / "config", folder / "config")
    shutil.copytree(repository / "profiles", folder / "profiles")
    (folder / "workflow").mkdir()
    (folder / "workflow/Snakefile").write_text(DEPLOYED.format(source=source), encoding="utf-8")


def snakemake(folder: Path, server: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Snakemake where https://github.com is a folder."""
    redirected = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{server.as_uri()}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
        "XDG_CACHE_HOME": str(folder / ".cache"),
    }
    command = [sys.executable, "-m", "snakemake", "--cores", "1", f"--configfile={TINY}", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **redirected}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("kind", ["github", "git+file"])
def test_a_deployed_workflow_runs_the_package_of_its_revision(
    kind: str, server: Path, tmp_path: Path, fresh: Checkout
) -> None:
    repository, folder = server / "owner/safe-pit-cm", tmp_path / "mine"
    sources = {
        "github": 'github("owner/safe-pit-cm", path="workflow/Snakefile", tag="v1")',
        "git+file": f'"git+file://{repository}/workflow/Snakefile@v1"',
    }
    deploy(folder, repository, sources[kind])
    # What comes after the tag does not count.
    (repository / "src/safe_pit_cm/settings.py").write_text("raise SystemExit", encoding="utf-8")
    done = snakemake(folder, server, VIDEO)
    assert done.returncode == 0, done.stderr
    assert fresh.run(VIDEO).code == 0
    assert Checkout(folder).result_digests() == fresh.result_digests()
    unpacked = list((folder / ".snakemake/safe-pit-cm").iterdir())
    assert len(unpacked) == 1
    assert (unpacked[0] / "src/safe_pit_cm/__init__.py").is_file()
    again = snakemake(folder, server, VIDEO)
    assert "Nothing to be done" in again.stdout + again.stderr
    planned = snakemake(folder, server, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "main_page" in planned.stdout + planned.stderr


def test_the_entry_in_the_root_of_a_repository_is_refused_in_a_sentence(server: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    deploy(folder, server / "owner/safe-pit-cm", 'github("owner/safe-pit-cm", path="Snakefile", tag="v1")')
    done = snakemake(folder, server, "--dry-run")
    assert done.returncode == 1
    assert "name workflow/Snakefile of a repository" in done.stdout + done.stderr


def test_both_entries_of_a_checkout_plan_the_same_jobs(fresh: Checkout) -> None:
    jobs = fresh.would_run()
    assert jobs
    assert fresh.would_run("--snakefile=workflow/Snakefile") == jobs


def test_the_catalog_finds_what_it_asks_for() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment"}
    assert usage["software-stack-deployment"]["conda"]
    assert (ROOT / "config/config.yaml").read_bytes() == (ROOT / "config.yaml").read_bytes()
    described = (ROOT / "config/README.md").read_text(encoding="utf-8")
    for section in yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")):
        assert f"`{section}`" in described, section


def test_a_conda_environment_gets_the_package_of_the_workflow(tmp_path: Path) -> None:
    (tmp_path / "python").write_text('#!/bin/sh\nfor last; do :; done\nrealpath "$last"\n', encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    done = subprocess.run(
        ["bash", str(ROOT / "envs/safe-pit-cm.post-deploy.sh")],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": f"{ROOT / 'src'}:/elsewhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == ROOT


def test_a_release_has_one_version_and_a_heading_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    headings = re.findall(r"^## (.+)", (ROOT / "docs/changelog.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == f"{version} ({citation['date-released']})"
