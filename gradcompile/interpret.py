"""Run a program on floats: the reference that every other engine must equal."""

from collections.abc import Sequence

from gradcompile.ir import Const, Operand, Program, Var

Result = float | list[float]


def interpret(program: Program, inputs: Sequence[float]) -> list[Result]:
    """What `program` returns for `inputs`: a float an output, a list of floats for an array.

    Raises:
        ValueError: the number of inputs is not the program's.
    """
    if len(inputs) != len(program.inputs):
        raise ValueError(f"{program.name} takes {len(program.inputs)} inputs, got {len(inputs)}")
    values: dict[Var, float] = dict(zip(program.inputs, map(float, inputs), strict=True))

    def read(operand: Operand) -> float:
        return operand.value if isinstance(operand, Const) else values[operand]

    for result, op, operands, _ in program.instructions:
        values[result] = op.evaluate(*map(read, operands))
    return [
        list(map(read, output)) if isinstance(output, tuple) else read(output)
        for output in program.outputs
    ]
