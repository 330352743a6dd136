"""A real Slurm on this one machine, for tests: installed if that can be done, started, and stopped again."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from checkout import TINY, Checkout, Outcome

CONFIGURATION = Path("/etc/slurm")
MARK = "# Written by the tests of safe-pit-cm, and removed by them.\n"
STATE = Path("/var/tmp/safe-pit-cm-slurm")
GPUS = 4

# One node that claims more than the machine has, so that requests of production size can be scheduled.
SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={state}/slurmctld
SlurmdSpoolDir={state}/slurmd
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd.log
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
# Without these, memory requests would be scheduled and never enforced.
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/filetxt
JobCompLoc={state}/jobcomp.log
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
ReturnToService=2
KillWait=2
MinJobAge=3600
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""

# Snakemake asks Slurm for news more and more rarely, up to every three minutes: right for a cluster, slow for a test.
LAUNCHER = """\
import sys
from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor
Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, value: None)
sys.argv[0] = "snakemake"
main()
"""


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for something to become true, and fail with its name if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def obstacle() -> str | None:
    """Why no Slurm can be started here, or None. Installs it where that can be done."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "starting Slurm needs root on Linux"
    present = CONFIGURATION / "slurm.conf"
    if present.exists() and not present.read_text(encoding="utf-8").startswith(MARK):
        return f"this machine has a Slurm of its own ({present})"
    if not (shutil.which("slurmctld") and shutil.which("munged")):
        if not shutil.which("apt-get"):
            return "Slurm is not installed, and there is no apt-get to install it"
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", "slurm-wlm", "munge"]):
            done = subprocess.run(
                ["apt-get", "-q", *arguments], env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                return f"Slurm cannot be installed: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}"
    return None


def _start_munge() -> Path:
    pid = Path("/run/munge/munged.pid")
    for folder, mode in (("/run/munge", 0o755), ("/var/log/munge", 0o700), ("/var/lib/munge", 0o700)):
        Path(folder).mkdir(parents=True, exist_ok=True)
        shutil.chown(folder, "munge", "munge")
        Path(folder).chmod(mode)
    if not _succeeds("sh", "-c", "munge -n | unmunge"):
        subprocess.run(
            ["setpriv", "--reuid=munge", "--regid=munge", "--init-groups", "/usr/sbin/munged", f"--pid-file={pid}"],
            check=True,
        )
    wait_until(lambda: _succeeds("sh", "-c", "munge -n | unmunge"), "munge answers")
    return pid


def _stop(pid_file: Path) -> None:
    with suppress(FileNotFoundError, ProcessLookupError, ValueError):
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), f"{pid_file.stem} ends")


@contextmanager
def running() -> Iterator["Slurm"]:
    """Slurm on this machine, with a ``cpu`` and a ``gpu`` partition; stopped and forgotten at the end."""
    host = socket.gethostname()
    shutil.rmtree(STATE, ignore_errors=True)
    for name in ("slurmctld", "slurmd"):
        (STATE / name).mkdir(parents=True)
    # Only a character device makes Slurm set CUDA_VISIBLE_DEVICES: these have the numbers of /dev/null.
    devices = [Path(f"/dev/safe-pit-cm-gpu{number}") for number in range(GPUS)]
    for device in devices:
        if not device.exists():
            os.mknod(device, 0o020666, os.makedev(1, 3))
    CONFIGURATION.mkdir(exist_ok=True)
    written = {
        "slurm.conf": MARK + SLURM_CONF.format(host=host, state=STATE, gpus=GPUS),
        "gres.conf": MARK + f"Name=gpu File=/dev/safe-pit-cm-gpu[0-{GPUS - 1}]\n",
    }
    for name, text in written.items():
        (CONFIGURATION / name).write_text(text, encoding="utf-8")
    pids = [STATE / "slurmd.pid", STATE / "slurmctld.pid", _start_munge()]
    try:
        subprocess.run(["slurmctld", "-c"], check=True)
        wait_until(lambda: _succeeds("scontrol", "ping"), "the controller of Slurm answers")
        subprocess.run(["slurmd"], check=True)
        wait_until(lambda: _succeeds("srun", "-p", "gpu", "--immediate=2", "true"), "the node takes jobs")
        yield Slurm()
    finally:
        subprocess.run(["scancel", "--user=root"], capture_output=True, check=False)
        for pid in pids:
            _stop(pid)
        for name in written:
            (CONFIGURATION / name).unlink()
        for device in devices:
            device.unlink()


@dataclass(frozen=True)
class Slurm:
    """What a test asks of the Slurm that runs."""

    def start(
        self, checkout: Checkout, *arguments: str, environment: dict[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        """Start the tiny paper through profiles/slurm, as a user on the login node would."""
        command = [sys.executable, "-c", LAUNCHER, "--workflow-profile", "profiles/slurm", f"--configfile={TINY}"]
        # This Slurm keeps no accounting.
        command += ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=checkout.path,
            env={**os.environ, "XDG_CACHE_HOME": str(checkout.path / ".cache"), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, checkout: Checkout, *arguments: str, environment: dict[str, str] | None = None) -> Outcome:
        """Run it to its end."""
        with self.start(checkout, *arguments, environment=environment) as process:
            output, _ = process.communicate()
        return Outcome(process.returncode, output)

    def queue(self, rule: str, state: str = "RUNNING") -> list[str]:
        """Slurm's numbers of the jobs of a rule that are in a state now."""
        listed = subprocess.run(
            ["squeue", "--noheader", f"--states={state}", "--format=%i %k"], capture_output=True, text=True, check=True
        )
        lines = (line.split() for line in listed.stdout.splitlines())
        return [number for number, comment in lines if comment.startswith(f"rule_{rule}")]

    def submissions(self, checkout: Checkout) -> list[dict[str, str]]:
        """All that Slurm knows of every entry of the queue that came from a checkout."""
        listed = subprocess.run(["scontrol", "--oneliner", "show", "job"], capture_output=True, text=True, check=True)
        jobs = [dict(fact.split("=", 1) for fact in line.split() if "=" in fact) for line in listed.stdout.splitlines()]
        return [job for job in jobs if job.get("WorkDir") == str(checkout.path)]
