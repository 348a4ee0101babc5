"""Pictures of points and of what a model makes of them; the only importer of matplotlib."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from gradcompile.support.arrays import FloatArray

SUFFIXES = (".png", ".svg", ".pdf")
"""The kinds of file that a plot is saved in."""

MISSING = 'a plot needs matplotlib: pip install "gradcompile[examples]"'
"""What to do where there is no matplotlib."""

BELOW, MIDDLE, ABOVE = "#0b7285", "#fdfdfb", "#d9480f"
"""The colours of negative scores, of 0 and of positive ones."""

INK = "#343a40"
"""The colour of lines and words."""

SCORES_PER_AXIS = 300
"""How many scores are computed along each axis."""


def available() -> bool:
    """Tell whether there is a matplotlib."""
    return find_spec("matplotlib") is not None


def check(output: str | Path) -> None:
    """See that a plot can be saved there, before the work that leads to it.

    Raises:
        ModuleNotFoundError: matplotlib is missing.
        ValueError: the suffix is that of no plot.
        FileNotFoundError: there is no such directory.
    """
    path = Path(output)
    if path.suffix.lower() not in SUFFIXES:
        kinds = ", ".join(SUFFIXES)
        raise ValueError(f"expected a file name that ends in {kinds}; got {path.suffix!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"No such directory: {str(path.parent)!r}")
    if not available():
        raise ModuleNotFoundError(MISSING)


def decision_boundary(
    score: Callable[[FloatArray], FloatArray],
    X: FloatArray,
    y: FloatArray,
    output: str | Path,
    title: str = "",
) -> Path:
    """Save a picture of the plane as a model divides it, with the points it was trained on.

    The line is where the score is 0; the dashed ones, where it is -1 and 1.

    Args:
        score: the model: a score for each row of an array of points.
        X: the points, a row each.
        y: their labels, negative or positive.
        output: the file.
        title: what stands above the picture.

    Returns:
        The file's path.

    Raises:
        ModuleNotFoundError: matplotlib is missing.
        ValueError: the suffix is that of no plot.
        OSError: the file cannot be written.
    """
    check(output)
    # Not pyplot, which would open windows and keep figures.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.8), dpi=200, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    _plane(axes, score, X)
    for sign, colour in ((-1.0, BELOW), (1.0, ABOVE)):
        x1, x2 = X[np.sign(y) == sign].T
        axes.scatter(x1, x2, s=52, color=colour, edgecolors="white", linewidths=1.0, zorder=3)
    _frame(axes, title)
    figure.savefig(output)
    return Path(output)


def _plane(axes: Any, score: Callable[[FloatArray], FloatArray], X: FloatArray) -> None:
    """Draw the score as colours, and as lines where it is -1, 0 and 1."""
    from matplotlib.colors import LinearSegmentedColormap

    low, high = X.min(axis=0), X.max(axis=0)
    border = 0.16 * (high - low).max()
    x1, x2 = (
        np.linspace(a - border, b + border, SCORES_PER_AXIS) for a, b in zip(low, high, strict=True)
    )
    grid = np.stack(np.meshgrid(x1, x2), axis=-1).reshape(-1, 2)
    z = score(grid).reshape(SCORES_PER_AXIS, SCORES_PER_AXIS)
    colours = LinearSegmentedColormap.from_list("scores", [BELOW, MIDDLE, ABOVE])
    axes.imshow(
        np.tanh(0.6 * z), extent=(x1[0], x1[-1], x2[0], x2[-1]), origin="lower", cmap=colours,
        vmin=-2.0, vmax=2.0, interpolation="bilinear", aspect="equal",
    )  # fmt: skip
    axes.contour(x1, x2, z, [0.0], colors=INK, linewidths=2.0)
    axes.contour(
        x1, x2, z, [-1.0, 1.0], colors=INK, linewidths=0.8, linestyles="dashed", alpha=0.55
    )


def _frame(axes: Any, title: str) -> None:
    """Draw title and axes, such that they do not stand out."""
    axes.set_title(title, loc="left", fontsize=11, color=INK, pad=10)
    axes.set_xlabel("$x_1$", color=INK)
    axes.set_ylabel("$x_2$", color=INK, rotation=0, labelpad=10)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.locator_params(nbins=6)
