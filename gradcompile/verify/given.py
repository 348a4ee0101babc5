"""Derivatives of texts that call opaque functions: only the numbers of these are known.

There is nothing that sympy could differentiate, and no more digits than those of a float. So what
the text says is compared with differences of what it differentiates, at some points.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from gradcompile.ir.program import Program
from gradcompile.ir.signature import Signature
from gradcompile.passes.capture import with_data
from gradcompile.support.arrays import AnyArray
from gradcompile.verify.claims import Entry
from gradcompile.verify.points import RANGES
from gradcompile.verify.report import Derivative, Report
from gradcompile.verify.slopes import COARSE, numerical_slopes

POINTS = 10
"""So many points are looked for; at some of them differences say nothing."""

TOLERANCE = 1e-6
"""A slope that is off by more than this part of it, and more than the differences, is wrong."""

MODERATE = 1e8
"""Points with slopes beyond this are left out: so much is lost there."""


def calls_opaque(program: Program) -> bool:
    """Tell whether a program calls functions of which only the numbers are known."""
    return any(op.is_opaque for _, op, _, _ in program.instructions)


def verify_numbers(
    base: Program,
    function: Callable[..., Any],
    signature: Signature,
    entries: Sequence[Entry],
    start: int = 0,
) -> Report:
    """Compare what a kernel returns with differences of what it differentiates.

    Args:
        base: computes what is differentiated.
        function: of the emitted text of the kernel.
        signature: of the function.
        entries: what each number that it returns claims to be.
        start: how many numbers it returns before those.
    """
    base = with_data(base)
    slot_of = {source: slot for slot, source in enumerate(signature.sources())}
    outputs = {output for entry in entries for output in entry.outputs}
    found = []
    for at in _points(base):
        with suppress(ArithmeticError, ValueError):  # a function of the user's may raise errors
            given = _flat(function, signature, at)[start:]
            found.append((at, {output: _slopes(base, output, at) for output in outputs}, given))
    derivatives = []
    for number, entry in enumerate(entries):
        known = [
            (at, *_expected(entry, slopes, slot_of, at), given[number])
            for at, slopes, given in found
        ]
        derivatives.append(_derivative(entry.name, known))
    return Report(derivatives)


def _flat(function: Callable[..., Any], signature: Signature, at: AnyArray) -> AnyArray:
    parts = signature.flatten(function(*signature.arguments(at)))
    return np.concatenate([np.ravel(part) for part in parts])


def _slopes(base: Program, output: int, at: AnyArray) -> tuple[AnyArray, AnyArray]:
    """The slopes of an output by every input, and how far each may be off."""
    alone = replace(base, outputs=(list(base.flat_outputs)[output],))
    _, slopes, errors = numerical_slopes(alone, at, np.arange(len(at)))
    return slopes, errors


def _expected(
    entry: Entry,
    slopes: Mapping[int, tuple[AnyArray, AnyArray]],
    slot_of: Mapping[str, int],
    at: AnyArray,
) -> tuple[float, float]:
    """What an entry should be, and how far that may be off."""
    total, off = 0.0, 0.0
    for output, weight in entry.outputs.items():
        found, errors = slopes[output]
        for source, by in (entry.inputs or {}).items():
            factor = (at[slot_of[weight]] if weight else 1.0) * (at[slot_of[by]] if by else 1.0)
            total += factor * found[slot_of[source]]
            off += abs(factor) * errors[slot_of[source]]
    return total, off


def _points(program: Program) -> Iterator[AnyArray]:
    rng = random.Random(0)
    for k in range(POINTS):
        limits = RANGES[k % 4]  # the last one is too wide for most functions
        yield np.array([rng.uniform(*limits) for _ in program.inputs])


def _derivative(name: str, known: Sequence[tuple[AnyArray, float, float, float]]) -> Derivative:
    """The verdict on an entry, by what it should be at some points, how far off that is, and it."""
    count = 0
    for at, expected, error, given in known:
        size = max(abs(expected), abs(given), COARSE)
        if not (error <= COARSE * size and size < MODERATE and math.isfinite(given)):
            continue  # differences say nothing here
        count += 1
        if abs(expected - given) > error + TOLERANCE * size:
            where = ", ".join(f"{x:.8g}" for x in at[:6])
            detail = f"at ({where}): {given:.8g}, not {expected:.8g}"
            return Derivative(name, "refuted", detail, is_entry=True)
    if not count:
        detail = "no point found at which differences tell the slope"
        return Derivative(name, "refuted", detail, is_entry=True)
    detail = f"by differences, to 6 digits at {count} points"
    return Derivative(name, "confirmed", detail, is_entry=True)
