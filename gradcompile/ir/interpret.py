"""Run a program on floats: the reference that every other engine must equal."""

import math
from collections.abc import Callable, Sequence
from itertools import zip_longest

from gradcompile.ir.program import Const, Instruction, Operand, Program, Var
from gradcompile.ir.sweeps import sweeps_of

Result = float | list[float]


Observer = Callable[[Instruction, list[float], float], None]


def interpret(
    program: Program, inputs: Sequence[float], observe: Observer | None = None
) -> list[Result]:
    """Run `program` on `inputs` and give its results: a float an output, or a list of floats.

    Args:
        program: to run.
        inputs: one float an input.
        observe: is shown each instruction with its operands and its result, but for those of
            branches that are not taken.

    Raises:
        ValueError: the number of inputs is not the program's.
    """
    given = len(program.inputs) - len(program.data)
    if len(inputs) != given:
        raise ValueError(f"{program.name} takes {given} inputs, got {len(inputs)}")
    numbers = [*map(float, inputs), *program.data]
    values: dict[Var, float] = dict(zip(program.inputs, numbers, strict=True))

    def read(operand: Operand) -> float:
        return operand.value if isinstance(operand, Const) else values[operand]

    for result, op, operands, _ in program.instructions:
        values[result] = op.evaluate(*map(read, operands))
    if observe is not None:
        for instruction in _taken(program, read):
            observe(instruction, list(map(read, instruction.operands)), values[instruction.result])
    return [
        list(map(read, output)) if isinstance(output, tuple) else read(output)
        for output in program.outputs
    ]


def _taken(program: Program, read: Callable[[Operand], float]) -> list[Instruction]:
    """List the instructions that the outputs are computed from, in order: no branch not taken."""
    needed: set[Operand] = set(program.flat_outputs)
    taken = []
    for instruction in reversed(program.instructions):
        result, op, operands, _ = instruction
        if result in needed:
            taken.append(instruction)
            inputs = [read(result), *map(read, operands)]
            needed.update(
                operand
                for operand, selects in zip_longest(operands, op.selects)
                if selects is None or selects(*inputs)
            )
    return taken[::-1]


def require_finite(program: Program) -> Observer:
    """Make an observer that stops at the first nan or inf that is made from finite operands.

    Its FloatingPointError names the operation, its operands, the label, the sweep and the user's
    line.
    """

    def observe(instruction: Instruction, operands: list[float], result: float) -> None:
        if math.isfinite(result) or not all(map(math.isfinite, operands)):
            return
        var, op = instruction.result, instruction.op
        numbers = zip(op.operand_names, operands, strict=True)
        at = ", ".join(f"{name} = {number!r}" for name, number in numbers)
        label = f" in {var.full_name!r}" if var.full_name else ""
        statement = var if var.line else instruction.origin
        line = f"; {statement.line}" if statement is not None and statement.line else ""
        sweep = sweeps_of((x.result, x.origin) for x in program.instructions)[var].title
        where = f" (in the {sweep})" if sweep else ""
        raise FloatingPointError(f"`{op.expression}` is {result} at {at}{label}{where}{line}")

    return observe
