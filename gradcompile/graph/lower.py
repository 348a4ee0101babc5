"""Value graph → instructions in order, at any depth: packed, and as a Program on demand."""

from collections.abc import Mapping, Sequence
from itertools import chain, count

import numpy as np

from gradcompile.graph.bindings import bound_names
from gradcompile.graph.own import OwnOp
from gradcompile.graph.users import TraceError
from gradcompile.graph.value import TracedValue, Value, topological
from gradcompile.ir.packed import PackedInstructions, PackedProgram, pack_instructions
from gradcompile.support.collector import collector_paused
from gradcompile.support.memory import present_memory

BYTES_A_NODE = 5_000
"""About as much memory takes a node of a graph while it is compiled, its derivatives included."""


@collector_paused()
def lower(
    roots: Sequence[Value],
    inputs: Sequence[Value],
    names: Sequence[str],
    name: str,
    lines: Mapping[int, str] | None = None,
) -> PackedProgram:
    """Put a graph in order: the program that computes `roots` from `inputs`.

    Args:
        roots: the Values to return.
        inputs: the Values that become the program's inputs; one that has operands is cut off from
            them. Every other leaf becomes a constant.
        names: one a Value in `inputs`.
        name: of the program.
        lines: where the user's code made a Value, by its id.

    Raises:
        ValueError: an operation is of the user's own, so that nothing is known of it.
        TraceError: a leaf is a traced value of another function.
        MemoryError: this machine has not the memory to compile a graph of that size.
    """
    given = set(inputs)
    values = topological(*roots, stop_at=given)
    _require_memory(len(values), name)
    computed = [value for value in values if value.op is not None and value not in given]
    leaves = [value for value in values if value.op is None and value not in given]
    index_of = dict(zip(chain(inputs, computed, leaves), count()))
    operands = chain.from_iterable([value.operands for value in computed])
    instructions = pack_instructions(
        len(inputs),
        [value.op for value in computed if value.op is not None],
        np.fromiter(map(index_of.__getitem__, operands), np.int64),
        np.array([index_of[root] for root in roots], np.int64),
        _constants(leaves, name),
    )
    _require_known(instructions, name)
    labels = {k: str(value.label) for k, value in enumerate(computed) if value.label}
    made_at = {k: lines[id(value)] for k, value in enumerate(computed)} if lines else {}
    is_traced = any(isinstance(root, TracedValue) for root in roots)
    bound = bound_names(computed) if is_traced else {}
    return PackedProgram(name, tuple(names), instructions, labels, bound, made_at)


def _constants(leaves: Sequence[Value], name: str) -> list[float]:
    try:
        return [leaf.data for leaf in leaves]
    except TraceError:
        raise TraceError(
            f"{name} reads a traced value that is not among its arguments; give it as an argument"
        ) from None


def _require_known(instructions: PackedInstructions, name: str) -> None:
    for op in instructions.operations:
        if isinstance(op, OwnOp):
            called = f" {op.name!r}" if op.name else ""
            raise ValueError(
                f"{name}: the operation{called} of your own, made by Value(data, children, ...), "
                "cannot be compiled, for its formula is not known: write it with gradcompile's "
                "operations, or give its result as an input"
            )


def _require_memory(nodes: int, name: str) -> None:
    """Raise an error before the work starts, not in the middle of it."""
    present = present_memory()
    if nodes * BYTES_A_NODE > present:
        raise MemoryError(
            f"{name}: the graph has {nodes:,} nodes; compiling it takes about "
            f"{nodes * BYTES_A_NODE / 1e9:.1f} GB ({BYTES_A_NODE:,} bytes a node), and this "
            f"machine has {present / 1e9:.1f} GB; build it from fewer rows"
        )
