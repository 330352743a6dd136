"""Figure 5: frames of a mobility video."""

from safe_pit_cm.paper.fields import make

__all__ = ["make"]
