"""Adjoints: the contributions to every value of a program, from its outputs back to its inputs.

What an operation passes to an operand is its own adjoint times its partial by that operand. It is
recorded once, and appended for every instruction that applies the operation.
"""

from collections import defaultdict
from functools import cache
from typing import NamedTuple

from gradcompile.autodiff.activity import ZERO, varying_indices
from gradcompile.autodiff.guards import OPEN, Guards, behind, either
from gradcompile.autodiff.hazards import NOT_FINITE, Hazards, is_finite_number
from gradcompile.autodiff.partials import Recording, record
from gradcompile.ir.builder import Builder, Ref, operand_of
from gradcompile.ir.program import Const, Instruction, Operand, Program, Var, by
from gradcompile.ops import table
from gradcompile.ops.op import Op


class Adjoints:
    """Collects the contributions to every value, and the instructions of both sweeps.

    What a gate blocks does not count. So a contribution may carry guards: conditions without which
    it is zero, whatever inf or nan its partials are.

    Attributes:
        builder: of the program and what is appended to it.
        active: the values that are differentiated.
        of: for a row of a Jacobian, the output whose derivatives the adjoints are.
    """

    def __init__(self, program: Program, active: set[Operand], again: bool = False) -> None:
        self.builder = Builder(list(program.instructions))
        self.active = active
        self.of: Var | None = None
        self.inputs = set(program.inputs)
        self.bound = program.bound
        has_gates = any(op.selects and not op.obeys for _, op, _, _ in program.instructions)
        self.hazards = Hazards(program, active, again) if has_gates else None
        self.contributions: defaultdict[Operand, list[_Contribution]] = defaultdict(list)
        self.pullback_of = cache(_pullback)

    def contribute(self, to: Operand, value: Operand, guards: Guards) -> None:
        """Add a contribution to those of one operand."""
        self.contributions[to].append((value, self.builder.origin, guards))

    def accumulate(self, var: Var) -> tuple[Operand, Guards]:
        """Add up the contributions to `var`: its adjoint, and the guards of all of them."""
        contributions = self.contributions.pop(var, None)
        if contributions is None:
            return ZERO, OPEN
        total, self.builder.origin, guards = contributions[0]
        if len(contributions) > 1:
            for value, origin, _ in contributions[1:]:
                self.builder.origin = origin
                total = self.builder.apply(table.add, (total, value))
            guards = either(self.builder, [guards for _, _, guards in contributions])
        if isinstance(total, Var) and total.primal is None and total not in self.inputs:
            self.name(total, var)
        return total, guards

    def name(self, total: Var, var: Var) -> None:
        """Say of an adjoint what it is: `v_bar`, or `y_by_v` if it is one of several outputs'."""
        if self.of is None:
            total.primal = var
        elif suffix := by(var.name or self.bound.get(var, "")):
            total.primal, total.suffix = self.of, suffix

    def differentiate(self, instruction: Instruction) -> None:
        """Pass the contributions of one instruction to its active operands."""
        result, op, operands, _ = instruction
        if result not in self.contributions:
            return
        builder = self.builder
        total, guards = self.accumulate(result)
        builder.origin = result
        for index, operand in enumerate(operands):
            pullback = self.pullback_of(op, index) if operand in self.active else None
            if pullback is None:
                continue
            if pullback.is_one and isinstance(operand, Var) and not operand.full_name:
                self.contribute(operand, total, self.guards_behind(operand, guards))
                continue
            value, slope = pullback.contribution.append(builder, (total, result, *operands))
            guard = self.guard_of(instruction, index, slope, guards)
            if guard is not None:
                value = builder.apply(table.where, (guard, value, Const(0.0)))
            inner = self.guards_behind(operand, guards)
            if pullback.condition is not None and (op.obeys or self.is_hazard(operand)):
                (condition,) = pullback.condition.append(builder, (result, *operands))
                inner = behind(builder, inner, condition, for_all=op.obeys)
            self.contribute(operand, value, inner)

    def is_hazard(self, operand: Operand) -> bool:
        """Tell whether a slope on the way from a value to the inputs may be inf or nan."""
        return self.hazards is not None and operand in self.hazards.behind

    def guards_behind(self, operand: Operand, guards: Guards) -> Guards:
        """Give the guards of an operand, without what nothing behind it needs."""
        if guards.risky is guards.every or self.is_hazard(operand):
            return guards
        return Guards(guards.every, guards.every)

    def guard_of(
        self, instruction: Instruction, index: int, slope: Operand, guards: Guards
    ) -> Operand | None:
        """Choose the guard of the contribution to one operand; None if it needs none."""
        if guards.risky is None:
            return None
        if isinstance(slope, Const):
            return guards.risky if slope in NOT_FINITE else None
        if is_finite_number(instruction, index):
            return None
        if guards.risky is guards.every or self.hazards is None:
            return guards.every
        return guards.risky if self.hazards.is_risky(instruction, index) else guards.every


_Contribution = tuple[Operand, Var | None, Guards]
"""A value that is added to an adjoint, its origin, and its guards."""


class _Pullback(NamedTuple):
    """The contribution of an operation to one of its operands, recorded once for all its uses.

    Attributes:
        contribution: from (adjoint, result, *operands) to the contribution and the slope.
        condition: from (result, *operands) to the condition under which the operand counts; None
            for always.
        is_one: is the partial 1, and the contribution the adjoint itself? An operand with a name
            gets an adjoint with that name all the same.
    """

    contribution: Recording
    condition: Recording | None
    is_one: bool


def _pullback(op: Op, index: int) -> _Pullback | None:
    partial = op.partials[index]
    selects = op.selects[index] if op.selects else None
    if partial is None or index not in varying_indices(op):
        return None

    def contribution(adjoint: Ref, y: Ref, *inputs: Ref) -> tuple[Ref | float, Ref | float]:
        slope = partial(y, *inputs)
        return _gated(adjoint, slope) if selects else adjoint * slope, slope

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
    choices = (i for i in builder.instructions if i.result is operand and i.op is table.where)
    choice = next(choices, None)
    if choice is None:
        return adjoint * slope
    condition, *branches = map(builder.ref, choice.operands)
    chosen: Ref = table.where(condition, *(_gated(adjoint, branch) for branch in branches))
    return chosen
