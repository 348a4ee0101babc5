"""Gradients of texts that call opaque functions: only the numbers of these are known.

There is nothing that sympy could differentiate, and no more digits than those of a float. So the
gradient of the text is compared with differences of its value, at some points.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from gradcompile.ir.program import Program
from gradcompile.ir.signature import Signature
from gradcompile.passes.capture import with_data
from gradcompile.support.arrays import AnyArray
from gradcompile.verify.points import RANGES
from gradcompile.verify.report import Derivative, Report
from gradcompile.verify.slopes import COARSE, numerical_slopes

POINTS = 10
"""So many points are looked for; at some of them differences say nothing."""

TOLERANCE = 1e-6
"""A slope that is off by more than this part of it, and more than the differences, is wrong."""

MODERATE = 1e8
"""Points with slopes beyond this are left out: so much is lost there."""


Gradient = Callable[[AnyArray], AnyArray]


def calls_opaque(program: Program) -> bool:
    """Tell whether a program calls functions of which only the numbers are known."""
    return any(op.is_opaque for _, op, _, _ in program.instructions)


def verify_numbers(
    program: Program,
    function: Callable[..., Any],
    signature: Signature,
    slots: Sequence[int],
    names: Sequence[str],
) -> Report:
    """Compare a gradient with differences of the value.

    Args:
        program: computes the value, and what else.
        function: of the emitted text, that gives the value and the gradient.
        signature: of the function.
        slots: the inputs that the gradient is by.
        names: of these.
    """

    def gradient(at: AnyArray) -> AnyArray:
        given = function(*signature.arguments(at))
        _, *parts = signature.flatten(given)
        return np.concatenate([np.ravel(part) for part in parts])

    value = with_data(replace(program, outputs=program.outputs[:1]))
    found = []
    for at in _points(value):
        with suppress(ArithmeticError, ValueError):  # a function of the user's may raise errors
            found.append((at, *_compared(value, gradient, at, slots)))
    derivatives = []
    for k, name in enumerate(names):
        known = [(at, x[k], given[k], error[k]) for at, x, given, error in found if error[k] < 1.0]
        derivatives.append(_derivative(name, known))
    return Report(derivatives)


def _points(program: Program) -> Iterator[AnyArray]:
    rng = random.Random(0)
    for k in range(POINTS):
        limits = RANGES[k % 4]  # the last one is too wide for most functions
        yield np.array([rng.uniform(*limits) for _ in program.inputs])


def _compared(
    program: Program,
    gradient: Gradient,
    at: AnyArray,
    slots: Sequence[int],
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Give the slopes by differences, those of the text, and how far each may be off.

    The last is a part of its size, and inf where nothing can be told.
    """
    _, slopes, errors = numerical_slopes(program, at, np.array(slots, int))
    given = gradient(at)
    sizes = np.fmax(abs(slopes), abs(given))
    tells = (errors <= COARSE * np.fmax(sizes, COARSE)) & (sizes < MODERATE) & np.isfinite(given)
    return slopes, given, np.where(tells, errors / np.fmax(sizes, COARSE), math.inf)


def _derivative(name: str, known: Sequence[tuple[AnyArray, float, float, float]]) -> Derivative:
    if not known:
        return Derivative(name, "refuted", "no point found at which differences tell the slope")
    for at, slope, given, error in known:
        if abs(slope - given) > (error + TOLERANCE) * max(abs(slope), abs(given), COARSE):
            where = ", ".join(f"{x:.8g}" for x in at[:6])
            return Derivative(name, "refuted", f"at ({where}): {given:.8g}, not {slope:.8g}")
    count = len(known)
    return Derivative(name, "confirmed", f"by differences, to 6 digits at {count} points")
