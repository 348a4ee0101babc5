"""Unrolling: some rounds of a loop are written out as one.

Where every round of a loop adds to the same row, what the row holds is then loaded and stored less
often.
"""

from collections.abc import Sequence
from dataclasses import replace

from gradcompile.ir.nests import Apply, Assign, Expression, Index, Loop, Nest, Step
from gradcompile.loops.rewrite import added, rewrite, shifted

ROUNDS_AT_ONCE = (4, 3, 2)
"""How many rounds of a loop are written out as one, if the extent is a multiple."""

MAX_OPERATIONS = 16
"""The most operations that are written out so."""


def unroll(nest: Nest) -> Nest:
    """Write out some rounds as one in every loop whose rounds all add to the same row."""
    indices: dict[Index, Index] = {}
    steps = _unrolled(nest.steps, indices)
    return rewrite(replace(nest, steps=steps), indices=indices) if indices else nest


def _unrolled(steps: Sequence[Step], indices: dict[Index, Index]) -> tuple[Step, ...]:
    """The steps with rounds written out; `indices` receives the new index of each such loop."""
    unrolled: list[Step] = []
    for step in steps:
        if not isinstance(step, Loop) or step.is_product:
            unrolled.append(step)
            continue
        rounds, body = _written_out(step)
        if rounds > 1:
            indices[step.index] = replace(step.index, step=rounds)
        else:
            body = _unrolled(body, indices)
        unrolled.append(replace(step, body=body))
    return tuple(unrolled)


def _written_out(loop: Loop) -> tuple[int, Sequence[Step]]:
    """How many rounds become one, and its body; 1 if the loop does not add to a row."""
    match loop:
        case Loop(Index(start=None) as index, [Loop(inner, [Assign(row, value, adds=True)])]):
            rounds = next((k for k in ROUNDS_AT_ONCE if index.extent % k == 0), 1)
            adds_to_row = inner in row.indices() and index not in row.indices()
            if adds_to_row and rounds * _size(value) <= MAX_OPERATIONS:
                total = added([shifted(value, index, k) for k in range(rounds)])
                return rounds, (Loop(inner, (Assign(row, total, adds=True),)),)
    return 1, loop.body


def _size(expression: Expression) -> int:
    """How many operations an expression has, and 1."""
    if not isinstance(expression, Apply):
        return 1
    return 1 + sum(_size(x) for x in expression.operands if isinstance(x, Apply))
