"""Reverse mode: a program becomes one that also computes its gradient.

The transformation walks the instructions backwards. Each one passes to every active operand a
contribution: its own adjoint times its partial by that operand. When the walk reaches a value, all
its contributions are known; their sum is its adjoint, assigned once. A value is active if it
depends on an input of interest and the output depends on it.

The partials come from the op table. What an operation passes to an operand is recorded once, and
appended for every instruction that applies the operation. The result is an ordinary program: it can
be printed, simplified and differentiated again.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from gradcompile.autodiff.partials import Recording, record
from gradcompile.ir.builder import Builder, Ref, operand_of
from gradcompile.ir.program import Const, Instruction, Operand, Program, Var
from gradcompile.ops import table
from gradcompile.ops.op import Op


def reverse(program: Program, wrt: Sequence[int], keep_value: bool = True) -> Program:
    """Make the program that returns the value of `program` and its gradient.

    Args:
        program: a program with one scalar output.
        wrt: the indices of the inputs to differentiate by.
        keep_value: return (value, gradient); else the gradient alone.

    Returns:
        A program whose last output is the tuple of adjoints of the inputs in `wrt`.
    """
    (output,) = program.flat_outputs
    sources = [program.inputs[index] for index in wrt]
    active = _depends_on(program, sources)
    adjoints = _Adjoints(program, active)
    if output in active:
        adjoints.contribute(output, Const(1.0))
    for instruction in reversed(program.instructions):
        adjoints.differentiate(instruction)
    gradient = tuple([adjoints.accumulate(source)[0] for source in sources])
    outputs = (output, gradient) if keep_value else (gradient,)
    return replace(program, instructions=tuple(adjoints.builder.instructions), outputs=outputs)


def _depends_on(program: Program, sources: Sequence[Var]) -> set[Operand]:
    """Find the values of `program` that depend on one of `sources`."""
    active: set[Operand] = set(sources)
    for result, _, operands, _ in program.instructions:
        if not active.isdisjoint(operands):
            active.add(result)
    return active


class _Adjoints:
    """Collects the contributions to every value, and the instructions of both sweeps.

    What a branch of `where` leads to counts only where that branch is taken. So a contribution may
    carry a guard: the condition without which it is zero, whatever inf or nan its partials are.
    """

    def __init__(self, program: Program, active: set[Operand]) -> None:
        self.builder = Builder(list(program.instructions))
        self.active = active
        self.contributions: defaultdict[Operand, list[_Contribution]] = defaultdict(list)
        self.pullback_of = cache(_pullback)

    def contribute(self, to: Operand, value: Operand, guard: Operand | None = None) -> None:
        """Add a contribution to those of one operand."""
        self.contributions[to].append((value, self.builder.origin, guard))

    def accumulate(self, var: Var) -> tuple[Operand, Operand | None]:
        """Add up the contributions to `var`: its adjoint, and the guard of all of them."""
        contributions = self.contributions.pop(var, None)
        if contributions is None:
            return Const(0.0), None
        total, self.builder.origin, guard = contributions[0]
        if len(contributions) > 1:
            for value, origin, other in contributions[1:]:
                self.builder.origin = origin
                total = self.builder.apply(table.add, (total, value))
                if guard is None or other is None:
                    guard = None
                elif guard is not other:
                    guard = self.builder.apply(table.logical_or, (guard, other))
        if isinstance(total, Var) and total.primal is None:
            total.primal = var
        return total, guard

    def differentiate(self, instruction: Instruction) -> None:
        """Pass the contributions of one instruction to its active operands."""
        result, op, operands, _ = instruction
        if result not in self.contributions:
            return
        builder = self.builder
        total, guard = self.accumulate(result)
        builder.origin = result
        for index, operand in enumerate(operands):
            pullback = self.pullback_of(op, index) if operand in self.active else None
            if pullback is None:
                continue
            contribution, condition, is_one = pullback
            if is_one and isinstance(operand, Var) and not operand.full_name:
                self.contribute(operand, total, guard)
                continue
            value, slope = contribution.append(builder, (total, result, *operands))
            if guard is not None and isinstance(slope, Var):
                value = builder.apply(table.where, (guard, value, Const(0.0)))
            inner = guard
            if condition is not None:
                (inner,) = condition.append(builder, (result, *operands))
                if guard is not None:
                    inner = builder.apply(table.logical_and, (guard, inner))
            self.contribute(operand, value, inner)


_Contribution = tuple[Operand, Var | None, Operand | None]
"""A value that is added to an adjoint, its origin, and its guard."""


class _Pullback(NamedTuple):
    """The contribution of an operation to one of its operands, recorded once for all its uses.

    Attributes:
        contribution: from (adjoint, result, *operands) to the contribution and the slope.
        condition: from (result, *operands) to the condition under which the operand is looked at;
            None for always.
        is_one: is the partial 1, and the contribution the adjoint itself? An operand with a name
            gets an adjoint with that name all the same.
    """

    contribution: Recording
    condition: Recording | None
    is_one: bool


def _pullback(op: Op, index: int) -> _Pullback | None:
    partial = op.partials[index]
    selects = op.selects[index] if op.selects else None
    if partial is None:
        return None

    def contribution(adjoint: Ref, y: Ref, *inputs: Ref) -> tuple[Ref | float, Ref | float]:
        slope = partial(y, *inputs)
        return _gated(adjoint, slope) if op.gate else adjoint * slope, slope

    recorded = record(contribution, op.arity + 2)
    _, slope = recorded.append(Builder(), tuple(Var() for _ in range(op.arity + 2)))
    condition = selects and record(lambda *inputs: (selects(*inputs),), op.arity + 1)
    return _Pullback(recorded, condition, slope == Const(1.0) and condition is None)


def _gated(adjoint: Ref, slope: Ref | float) -> Ref | float:
    """Multiply the adjoint by the slope of a gate: a choice of products, 0 where the slope is."""
    operand = operand_of(slope)
    if isinstance(operand, Const):
        return 0.0 if operand.value == 0.0 else adjoint * operand.value
    builder = adjoint.builder
    (choice,) = (i for i in builder.instructions if i.result is operand)
    if choice.op is not table.where:
        return adjoint * slope
    condition, *branches = map(builder.ref, choice.operands)
    chosen: Ref = table.where(condition, *(_gated(adjoint, branch) for branch in branches))
    return chosen
