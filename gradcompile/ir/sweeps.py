"""Sweeps: the parts of a program, one after the other, and the title of each in the text.

A program of derivatives begins with what is differentiated. The adjoints of a reverse sweep follow,
and behind them, or in their place, tangents or the entries of a Jacobian.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gradcompile.ir.program import ADJOINT, BY, TANGENT, Var

REVERSE_SWEEP = "reverse sweep"
"""The comment that the reverse sweep begins with."""

TANGENTS = "tangents"
"""The comment that tangents begin with."""

DERIVATIVES = "derivatives"
"""The comment that the entries of a Jacobian begin with."""


class Sweep(NamedTuple):
    """A part of a program: its place among them, and what it is called."""

    number: int
    title: str


FORWARD_SWEEP = Sweep(0, "")
"""What is differentiated, which has no title."""


def sweeps_of(values: Iterable[tuple[Var, Var | None]]) -> Mapping[Var, Sweep]:
    """Find for the values of a program the sweep that each belongs to.

    A value that is no derivative of another belongs where the next one does that is: it is a step
    on the way there.

    Args:
        values: each with its origin, in an order in which they can be computed.
    """
    sweep_of: dict[Var, Sweep] = {}
    steps: list[Var] = []
    last = FORWARD_SWEEP
    for result, origin in values:
        if origin is None:
            sweep_of[result] = FORWARD_SWEEP
            continue
        steps.append(result)
        if result.primal is not None:
            title = _title_of(result)
            if title != last.title:
                last = Sweep(last.number + 1, title)
            sweep_of.update(dict.fromkeys(steps, last))
            steps.clear()
    rest = Sweep(1, REVERSE_SWEEP) if last is FORWARD_SWEEP else last
    sweep_of.update(dict.fromkeys(steps, rest))
    return sweep_of


def _title_of(var: Var) -> str:
    if var.suffix.startswith(BY):
        return DERIVATIVES
    return {ADJOINT: REVERSE_SWEEP, TANGENT: TANGENTS}[var.suffix]


def full_title(title: str, seed: str) -> str:
    """Title a sweep.

    Args:
        title: what it is called.
        seed: what the reverse sweep begins with; "" where that is not one adjoint.
    """
    return f"{title}, from {seed}" if seed and title == REVERSE_SWEEP else title
