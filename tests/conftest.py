"""Fixtures for tests that run the workflow."""

from pathlib import Path

import pytest

from checkout import Checkout, make_checkout


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A checkout in which nothing has run yet."""
    return make_checkout(tmp_path / "fresh")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which the tiny paper has run, on two cores; tests must not change it."""
    checkout = make_checkout(tmp_path_factory.mktemp("undisturbed") / "safe-pit-cm")
    outcome = checkout.run()
    assert outcome.code == 0, outcome.output
    return checkout


@pytest.fixture
def finished(undisturbed: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished run that a test may change."""
    return undisturbed.copy_to(tmp_path / "finished")
