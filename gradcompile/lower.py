"""Value graph → Program: one instruction a Value, in topological order, at any depth."""

import os
from collections.abc import Mapping, Sequence

from gradcompile.collector import collector_paused
from gradcompile.ir import Const, Instruction, Operand, Program, Var
from gradcompile.value import Value, topological

BYTES_A_NODE = 5_000
"""About as much memory takes a node of a graph while it is compiled, its derivatives included."""


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

    Raises:
        MemoryError: this machine has not the memory to compile a graph of that size.
    """
    variables = tuple(map(Var, names))
    operands: dict[Value, Operand] = dict(zip(inputs, variables, strict=True))
    operand = operands.__getitem__
    values = topological(*roots, stop_at=operands)
    _require_memory(len(values), name)
    instructions: list[Instruction] = []
    for value in values:
        if value in operands:
            continue
        if value.op is None:
            operands[value] = Const(value.data)
            continue
        operands[value] = result = Var(str(value.label))
        reads = tuple(map(operand, value.operands))
        instructions.append(Instruction(result, value.op, reads))
        if lines:
            result.line = lines.get(id(value), "")
    return Program(name, variables, tuple(instructions), tuple(map(operand, roots)))


def _require_memory(nodes: int, name: str) -> None:
    """An error before the work starts, not in the middle of it."""
    if not hasattr(os, "sysconf"):
        return
    present = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if nodes * BYTES_A_NODE > present:
        raise MemoryError(
            f"{name}: the graph has {nodes:,} nodes; compiling it takes about "
            f"{nodes * BYTES_A_NODE / 1e9:.1f} GB ({BYTES_A_NODE:,} bytes a node), and this "
            f"machine has {present / 1e9:.1f} GB; build it from fewer rows"
        )
