"""Fixtures for tests that run the workflow."""

import fcntl
import os
from pathlib import Path

import pytest

from checkout import Checkout, make_checkout

# The tests run in two processes: further threads of linear algebra would compete for the same cores.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A checkout in which nothing has run yet."""
    return make_checkout(tmp_path / "fresh")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which the tiny paper has run, on two cores; tests must not change it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # The processes that run the tests share one such checkout; the first to ask for it makes it.
        shared = shared.parent
    checkout, complete = Checkout(shared / "undisturbed" / "safe-pit-cm"), shared / "undisturbed-complete"
    with (shared / "undisturbed-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            outcome = make_checkout(checkout.path).run()
            assert outcome.code == 0, outcome.output
            complete.touch()
    return checkout


@pytest.fixture
def finished(undisturbed: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished run that a test may change."""
    return undisturbed.copy_to(tmp_path / "finished")
