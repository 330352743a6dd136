"""Figure 4: frames of a diffusion video."""

from safe_pit_cm.paper.fields import make

__all__ = ["make"]
