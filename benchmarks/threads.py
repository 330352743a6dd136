"""One thread: what must be set before a numerical library is imported."""

import os
from collections.abc import Mapping

#: For OpenMP, MKL, OpenBLAS and Accelerate, and for the compiler of JAX.
ENVIRONMENT: Mapping[str, str] = {
    **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "VECLIB_MAXIMUM")},
    "NPROC": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
}


def stay_on_one_core() -> None:
    """Keep this process, whatever threads its libraries start, on the last core that it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
