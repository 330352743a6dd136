"""Figure 5: observed and predicted frames of a mobility test video."""

from safe_pit_cm.paper.fields import make

__all__ = ["make"]
