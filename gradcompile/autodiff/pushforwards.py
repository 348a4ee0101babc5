"""Pushforwards: the tangent of an operation's result from those of its operands, recorded once.

It is the sum, over the operands that have a tangent, of the tangent times the partial by the
operand. The slope of a gate is a choice between numbers; its tangent is a choice between tangents,
and what the gate does not pass is left out whatever it is: 0 times inf would be nan.
"""

from functools import cache
from typing import NamedTuple

from gradcompile.autodiff.partials import Recording, record
from gradcompile.ir.builder import Ref, operand_of
from gradcompile.ir.program import Const
from gradcompile.ops import table
from gradcompile.ops.op import Op


@cache
def pushforward(op: Op, indices: tuple[int, ...], guarded: tuple[int, ...]) -> Recording:
    """Record the tangent of an operation.

    Args:
        op: the operation.
        indices: of the operands that have tangents.
        guarded: of those that count under a condition only.

    Returns:
        From (result, *operands, *tangents, *conditions) to the tangent of the result.
    """

    def tangent(y: Ref, *given: Ref) -> tuple[Ref | float]:
        operands, rest = given[: op.arity], given[op.arity :]
        guards = dict(zip(guarded, rest[len(indices) :], strict=True))
        total: _Term = None
        for index, dot in zip(indices, rest, strict=False):
            partial = op.partials[index]
            assert partial is not None
            slope = partial(y, *operands)
            term = _chosen(dot, slope) if condition_of(op, index) else _scaled(dot, slope)
            if index in guards:
                term = _Choice(guards[index], term, None)
            total = _sum(total, term)
        return (_written(total),)

    return record(tangent, 1 + op.arity + len(indices) + len(guarded))


@cache
def condition_of(op: Op, index: int) -> Recording | None:
    """Record the condition under which an operand counts, from (result, *operands), if any."""
    selects = op.selects[index] if op.selects else None
    return selects and record(lambda *values: (selects(*values),), op.arity + 1)


class _Choice(NamedTuple):
    """One of two terms, by a condition."""

    condition: Ref
    yes: "_Term"
    no: "_Term"


_Term = _Choice | Ref | None
"""A term of a tangent; None is zero."""


def _scaled(dot: Ref, slope: Ref | float) -> _Term:
    """Multiply a tangent by a slope."""
    operand = operand_of(slope)
    if not isinstance(operand, Const):
        return dot * slope
    if operand.value == 0.0:
        return None
    scaled: Ref = dot if operand.value == 1.0 else -dot if operand.value == -1.0 else dot * slope
    return scaled


def _chosen(dot: Ref, slope: Ref | float) -> _Term:
    """Multiply a tangent by the slope of a gate: a choice of products."""
    operand = operand_of(slope)
    choices = (i for i in dot.builder.instructions if i.result is operand and i.op is table.where)
    choice = next(choices, None)
    if choice is None:
        return _scaled(dot, slope)
    condition, *branches = map(dot.builder.ref, choice.operands)
    yes, no = (_chosen(dot, branch) for branch in branches)
    return _Choice(condition, yes, no)


def _sum(a: _Term, b: _Term) -> _Term:
    """Add two terms; two choices by one condition are one choice."""
    if a is None or b is None:
        return a if b is None else b
    are_choices = isinstance(a, _Choice) and isinstance(b, _Choice)
    if are_choices and a.condition.operand is b.condition.operand:
        return _Choice(a.condition, _sum(a.yes, b.yes), _sum(a.no, b.no))
    total: Ref = table.add(_written(a), _written(b))
    return total


def _written(term: _Term) -> Ref | float:
    """Append what a term computes."""
    if isinstance(term, _Choice):
        chosen: Ref = table.where(term.condition, _written(term.yes), _written(term.no))
        return chosen
    return 0.0 if term is None else term
