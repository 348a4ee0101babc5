"""Python's `math` with IEEE-754 results where `math` would raise.

Emitted code imports its functions from here. Under CPython each one computes with the C library's
`math` function and returns a `numpy.float64`, so that the arithmetic that follows is IEEE-754 too
(`1 / 0` is inf, `inf - inf` is nan). Under numba the same names stand for the same C functions
(`jit.py` registers them), so both engines agree to the last bit.

    >>> from gradcompile.ieee import exp, log
    >>> float(exp(1000.0)), float(log(0.0))
    (inf, -inf)
"""

import math
from collections.abc import Callable

import numpy as np
from numpy import float64

TOTAL = ("exp", "log", "sqrt", "tanh", "sin", "cos")
"""Functions that `math` has and that need an answer where it raises."""

CHOICES = ("maximum", "minimum", "sign")
"""Functions written out below; numba compiles the very same text."""


def _total(name: str) -> Callable[..., float64]:
    direct = getattr(math, name)
    ieee = getattr(np, name)

    def function(*operands: float) -> float64:
        try:
            return float64(direct(*operands))
        except (ValueError, OverflowError):
            # numpy answers nan or inf where math raises, after a warning that nobody needs here.
            with np.errstate(all="ignore"):
                return float64(ieee(*operands))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`math.{name}`, with the IEEE-754 result where that raises."
    return function


exp, log, sqrt, tanh, sin, cos = map(_total, TOTAL)


def maximum(a: float, b: float) -> float:
    """The larger of two numbers; nan if either is nan."""
    return a if a > b or a != a else b  # noqa: PLR0124


def minimum(a: float, b: float) -> float:
    """The smaller of two numbers; nan if either is nan."""
    return a if a < b or a != a else b  # noqa: PLR0124


def sign(x: float) -> float:
    """-1, 0 or 1 with the sign of `x`; nan for nan."""
    return x if x == 0.0 or x != x else math.copysign(1.0, x)  # noqa: PLR0124
