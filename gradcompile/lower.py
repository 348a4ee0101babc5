"""Value graph → Program: one instruction a Value, in topological order, at any depth."""

from collections.abc import Mapping, Sequence

from gradcompile.collector import collector_paused
from gradcompile.ir import Const, Instruction, Operand, Program, Var
from gradcompile.value import Value, topological


@collector_paused()
def lower(
    roots: Sequence[Value],
    inputs: Sequence[Value],
    names: Sequence[str],
    name: str,
    lines: Mapping[int, str] | None = None,
) -> Program:
    """The program that computes `roots` from `inputs`.

    Args:
        roots: the Values to return.
        inputs: the Values that become the program's inputs; one that has operands is cut off from
            them. Every other leaf becomes a constant.
        names: one a Value in `inputs`.
        name: of the program.
        lines: where the user's code made a Value, by its id.
    """
    lines = lines or {}
    operands: dict[int, Operand] = {
        id(value): Var(text) for value, text in zip(inputs, names, strict=True)
    }
    variables = tuple(var for var in operands.values() if isinstance(var, Var))
    instructions: list[Instruction] = []
    for value in topological(*roots, stop_at=operands):
        if id(value) in operands:
            continue
        if value.op is None:
            operands[id(value)] = Const(value.data)
            continue
        result = Var(str(value.label), line=lines.get(id(value), ""))
        reads = tuple([operands[id(operand)] for operand in value.operands])
        instructions.append(Instruction(result, value.op, reads))
        operands[id(value)] = result
    outputs = tuple(operands[id(root)] for root in roots)
    return Program(name, variables, tuple(instructions), outputs)
