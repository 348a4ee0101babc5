"""Guards: the conditions without which a contribution is zero, whatever its slope is."""

from typing import NamedTuple

from gradcompile.ir.builder import Builder
from gradcompile.ir.program import Operand
from gradcompile.ops import table


class Guards(NamedTuple):
    """What the gates on the way from the output let pass; None is always.

    Attributes:
        every: under which anything counts: what `where` selects.
        risky: under which that counts whose slope may be inf or nan though the inputs are finite:
            what all gates let pass.
    """

    every: Operand | None
    risky: Operand | None


OPEN = Guards(None, None)
"""No gate stands on the way."""


def either(builder: Builder, a: Guards, b: Guards) -> Guards:
    """Give the guards of what counts if one of two contributions does."""
    every = _or(builder, a.every, b.every)
    if a.risky is a.every and b.risky is b.every:
        return Guards(every, every)
    return Guards(every, _or(builder, a.risky, b.risky))


def behind(builder: Builder, guards: Guards, condition: Operand, for_all: bool) -> Guards:
    """Give the guards behind one more gate.

    Args:
        builder: to append to.
        guards: before the gate.
        condition: under which it lets pass.
        for_all: is it one whose condition holds for anything behind?
    """
    risky = _and(builder, guards.risky, condition)
    if not for_all:
        return Guards(guards.every, risky)
    every = risky if guards.every is guards.risky else _and(builder, guards.every, condition)
    return Guards(every, risky)


def _or(builder: Builder, a: Operand | None, b: Operand | None) -> Operand | None:
    if a is None or b is None:
        return None
    return a if a is b else builder.apply(table.logical_or, (a, b))


def _and(builder: Builder, guard: Operand | None, condition: Operand) -> Operand:
    return condition if guard is None else builder.apply(table.logical_and, (guard, condition))
