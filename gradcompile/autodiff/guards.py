"""Guards: the conditions without which a contribution is zero, whatever its slope is."""

from collections.abc import Sequence
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


def either(builder: Builder, guards: Sequence[Guards]) -> Guards:
    """Give the guards of what counts if one of several contributions does."""
    every = one_of(builder, [guard.every for guard in guards])
    if all(guard.risky is guard.every for guard in guards):
        return Guards(every, every)
    return Guards(every, one_of(builder, [guard.risky for guard in guards]))


def behind(builder: Builder, guards: Guards, condition: Operand, for_all: bool) -> Guards:
    """Give the guards behind one more gate.

    Args:
        builder: to append to.
        guards: before the gate.
        condition: under which it lets pass.
        for_all: is it one whose condition holds for anything behind?
    """
    risky = both(builder, guards.risky, condition)
    if not for_all:
        return Guards(guards.every, risky)
    every = risky if guards.every is guards.risky else both(builder, guards.every, condition)
    return Guards(every, risky)


def one_of(builder: Builder, guards: Sequence[Operand | None]) -> Operand | None:
    """Give the condition that one of several holds; None is always."""
    total, *others = dict.fromkeys(guards)
    for guard in others:
        if total is None or guard is None:
            return None
        total = builder.apply(table.logical_or, (total, guard))
    return total


def both(builder: Builder, guard: Operand | None, condition: Operand) -> Operand:
    """Give the condition that both hold; None is always."""
    return condition if guard is None else builder.apply(table.logical_and, (guard, condition))
