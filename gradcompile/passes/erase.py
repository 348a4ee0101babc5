"""Erase: what only differentiation has to know is taken out of a program that is to be emitted.

`with_slope v, x, s` is `v`, and `held x` is `x`. The name of a result that had a slope of its own
goes to the value: `y = with_slope v, x, s` after `v = tanh x` becomes `y = tanh x`. So `y_bar`,
which is computed by the rule, still is the adjoint of what the text calls `y`.
"""

from collections.abc import Iterable
from dataclasses import replace

from gradcompile.ir.program import Instruction, Operand, Output, Program, Var
from gradcompile.ops.unwritten import UNWRITTEN, held
from gradcompile.passes.dce import dce

_ERASED = frozenset(UNWRITTEN.values())


def erase(program: Program) -> Program:
    """Replace what has a slope of its own by its value; what only the slopes needed is dropped."""
    erased = [x for x in program.instructions if x.op in _ERASED]
    if not erased:
        return program
    value_of = _values(erased)
    name_of = _names(program, erased, value_of)

    def renew(operand: Operand) -> Operand:
        value = value_of.get(operand, operand)
        return name_of.get(value, value)

    def renewed(output: Output) -> Output:
        return tuple(map(renew, output)) if isinstance(output, tuple) else renew(output)

    def instruction(old: Instruction) -> Instruction:
        origin = None if old.origin is None else renew(old.origin)
        return Instruction(
            name_of.get(old.result, old.result),
            old.op,
            tuple(map(renew, old.operands)),
            origin if isinstance(origin, Var) else old.origin,
        )

    kept = tuple(instruction(x) for x in program.instructions if x.op not in _ERASED)
    outputs = tuple(map(renewed, program.outputs))
    return dce(replace(program, instructions=kept, outputs=outputs, settled=0))


def _values(erased: Iterable[Instruction]) -> dict[Operand, Operand]:
    """For each result that is erased, the value that it is."""
    value_of: dict[Operand, Operand] = {}
    for result, _, (value, *_), _ in erased:
        value_of[result] = value_of.get(value, value)
    return value_of


def _names(
    program: Program, erased: Iterable[Instruction], value_of: dict[Operand, Operand]
) -> dict[Operand, Var]:
    """For each value that had slopes, the last result that had them all, if nothing names it."""
    unnamed = {x.result for x in program.instructions if not x.result.full_name}
    name_of: dict[Operand, Var] = {}
    for result, op, _, _ in erased:
        value = value_of[result]
        if op is not held and value in unnamed:
            name_of[value] = result
    return name_of
