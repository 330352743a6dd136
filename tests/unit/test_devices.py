"""A GPU is used when it has been given, and only then."""

import logging

import pytest
import torch

from safe_pit_cm.data import devices


@pytest.mark.parametrize(
    ("environment", "gpu", "device"),
    [
        ({}, False, "cpu"),
        ({}, True, "cuda"),
        ({"CUDA_VISIBLE_DEVICES": "1"}, True, "cuda"),
        # In a queue a GPU that was not asked for is another job's.
        ({"SLURM_JOB_ID": "7"}, True, "cpu"),
        ({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "1"}, True, "cuda"),
        ({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "1"}, False, "cpu"),
    ],
)
def test_a_gpu_is_used_when_it_is_there_and_given(
    environment: dict[str, str],
    gpu: bool,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("SLURM_JOB_ID", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "of the test")
    log = logging.getLogger("test")
    with caplog.at_level(logging.INFO, logger="test"):
        assert devices.pick(log) == device
    assert ("GPU of the test" if device == "cuda" else "CPU") in caplog.text
    assert environment.get("CUDA_VISIBLE_DEVICES", "not set") in caplog.text
