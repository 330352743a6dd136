"""Device of a stage: a GPU if one is allocated to it, otherwise the CPU."""

import logging
import os


def pick(log: logging.Logger) -> str:
    """Device of this process, for torch: ``cuda`` or ``cpu``.

    A job on a cluster uses a GPU only if the queue has allocated one: not every cluster hides the GPUs of other jobs.
    Elsewhere any GPU that torch sees is used; ``CUDA_VISIBLE_DEVICES`` selects it, and hides all GPUs if it is empty.

    Parameters
    ----------
    log
        Receives the choice and the reason for it.

    Returns
    -------
    str
        ``cuda``, the first of the visible GPUs, or ``cpu``.
    """
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    queued = "SLURM_JOB_ID" in os.environ
    usable = (visible is not None or not queued) and torch.cuda.is_available()
    name = f"GPU {torch.cuda.get_device_name()}" if usable else "CPU"
    log.info("computing on %s (CUDA_VISIBLE_DEVICES is %s)", name, "not set" if visible is None else f"'{visible}'")
    return "cuda" if usable else "cpu"
