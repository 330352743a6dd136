"""The look of all figures, and how they are saved."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from safe_pit_cm.data import files

# Okabe and Ito's colours keep apart for the colour-blind; every series differs in marker or line too.
COLOURS = {
    "diffusion": "#0072B2",
    "mobility": "#D55E00",
    "stable": "#009E73",
    "reference": "#555555",
}
MARKERS = {"diffusion": "o", "mobility": "s", "stable": "^"}

_STYLE: Any = {
    "figure.dpi": 150,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    # Labels at the edge are kept whole.
    "savefig.bbox": "tight",
    "savefig.pad_inches": 0.06,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.markersize": 5,
    "pdf.fonttype": 42,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw inside this block to draw in the style of the project, without a display."""
    mpl.use("Agg")
    with mpl.rc_context(_STYLE):
        yield


def save(figure: Figure, pdf: str | Path, png: str | Path) -> None:
    """Save a figure of pyplot and close it; the same figure gives the same bytes."""
    import matplotlib.pyplot as plt

    with mpl.rc_context(_STYLE):
        for path, kind, metadata in (
            (pdf, "pdf", {"CreationDate": None, "ModDate": None}),
            (png, "png", {}),
        ):
            with files.replacing(path) as partial:
                figure.savefig(partial, format=kind, metadata=metadata)
    plt.close(figure)
