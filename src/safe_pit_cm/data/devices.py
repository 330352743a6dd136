"""Where a stage computes: on a GPU if it has been given one, else on the CPU."""

import logging
import os

import torch


def pick(log: logging.Logger) -> str:
    """Device of this process, for torch: ``cuda`` or ``cpu``.

    A job of a cluster's queue uses a GPU only if the queue gave it one: not every cluster hides the GPUs of other jobs.
    Elsewhere any GPU that torch sees is used; ``CUDA_VISIBLE_DEVICES`` says which, and hides all if it is empty.

    Parameters
    ----------
    log
        Receives the choice and the reason for it.

    Returns
    -------
    str
        ``cuda``, the first of the visible GPUs, or ``cpu``.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    queued = "SLURM_JOB_ID" in os.environ
    usable = (visible is not None or not queued) and torch.cuda.is_available()
    name = f"GPU {torch.cuda.get_device_name()}" if usable else "CPU"
    log.info("computing on %s (CUDA_VISIBLE_DEVICES is %s)", name, "not set" if visible is None else f"'{visible}'")
    return "cuda" if usable else "cpu"
