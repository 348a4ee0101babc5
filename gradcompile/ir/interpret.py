"""Run a program on floats: the reference that every other engine must equal."""

import math
from collections.abc import Callable, Sequence

from gradcompile.ir.program import Const, Instruction, Operand, Program, Var

Result = float | list[float]


Observer = Callable[[Instruction, list[float], float], None]


def interpret(
    program: Program, inputs: Sequence[float], observe: Observer | None = None
) -> list[Result]:
    """Run `program` on `inputs` and give its results: a float an output, or a list of floats.

    Args:
        program: to run.
        inputs: one float an input.
        observe: is shown each instruction with its operands and its result.

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

    for instruction in program.instructions:
        operands = list(map(read, instruction.operands))
        values[instruction.result] = result = instruction.op.evaluate(*operands)
        if observe is not None:
            observe(instruction, operands, result)
    return [
        list(map(read, output)) if isinstance(output, tuple) else read(output)
        for output in program.outputs
    ]


def require_finite(instruction: Instruction, operands: list[float], result: float) -> None:
    """Stop at the first nan or inf that is made from finite operands; an observer.

    Raises:
        FloatingPointError: names the operation, its operands, the label and the user's line.
    """
    if math.isfinite(result) or not all(map(math.isfinite, operands)):
        return
    var, op = instruction.result, instruction.op
    numbers = zip(op.operand_names, operands, strict=True)
    at = ", ".join(f"{name} = {number!r}" for name, number in numbers)
    label = f" in {var.full_name!r}" if var.full_name else ""
    statement = var if var.line else instruction.origin
    line = f"; {statement.line}" if statement is not None and statement.line else ""
    sweep = " (in the reverse sweep)" if instruction.origin is not None else ""
    raise FloatingPointError(f"`{op.expression}` is {result} at {at}{label}{sweep}{line}")
