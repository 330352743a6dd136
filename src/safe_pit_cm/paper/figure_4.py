"""Figure 4: observed and predicted frames of a diffusion test video."""

from safe_pit_cm.paper.fields import make

__all__ = ["make"]
