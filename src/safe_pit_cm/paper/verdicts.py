"""The verdicts of the scorecard, and their class in the style sheet of the page."""

from typing import Literal

Verdict = Literal["reproduced", "reproduced in direction", "not reproduced", "cannot be tested"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "reproduced in direction", "not reproduced", "cannot be tested")


def css_class(verdict: str) -> str:
    """Class of a verdict: ``in-direction``, or the verdict with hyphens."""
    return "in-direction" if verdict == "reproduced in direction" else verdict.replace(" ", "-")
