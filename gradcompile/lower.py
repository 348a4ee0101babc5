"""Value graph → instructions in order, at any depth: in numbers, and as a Program on demand."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, count

import numpy as np

from gradcompile.collector import collector_paused
from gradcompile.ir import Const, Instruction, Operand, Program, Var
from gradcompile.numbered import NOTHING, Numbered, in_numbers
from gradcompile.value import Value, topological

BYTES_A_NODE = 5_000
"""About as much memory takes a node of a graph while it is compiled, its derivatives included."""


@dataclass(frozen=True, eq=False)
class Lowered:
    """A program as it comes from a graph: in numbers, which is all that finds known code.

    Attributes:
        name: of the function.
        names: of the inputs.
        numbers: the instructions.
        labels: the names of results, by the instruction; most have none.
        lines: where the user's code computes them, if that was recorded.
        data: the values of the last inputs, which are constants of the graph; see
            `passes/capture.py`.
        rows: how many of the inputs before those belong to a row of data.
    """

    name: str
    names: tuple[str, ...]
    numbers: Numbered
    labels: Mapping[int, str] = field(default_factory=dict)
    lines: Mapping[int, str] = field(default_factory=dict)
    data: tuple[float, ...] = ()
    rows: int = 0

    def __len__(self) -> int:
        return len(self.numbers.codes)

    @property
    def given(self) -> int:
        """How many inputs there are before those of a row and the data."""
        return len(self.names) - self.rows - len(self.data)

    @cached_property
    @collector_paused()
    def program(self) -> Program:
        """The program, made when it is asked for."""
        numbers = self.numbers
        inputs = list(map(Var, self.names))
        results = [Var() for _ in range(len(self))]
        for place, label in self.labels.items():
            results[place].name = label
        for place, line in self.lines.items():
            results[place].line = line
        operands: list[Operand] = [*inputs, *results, *map(Const, numbers.constants)]
        reads = [tuple([operands[k] for k in row if k >= 0]) for row in numbers.operands.tolist()]
        ops = [numbers.operations[code] for code in numbers.codes.tolist()]
        return Program(
            self.name,
            tuple(inputs),
            tuple(map(Instruction, results, ops, reads)),
            tuple([operands[k] for k in numbers.outputs.tolist()]),
            data=self.data,
            rows=self.rows,
        )

    def with_inputs(self, order: Sequence[int]) -> "Lowered":
        """The same with its inputs in another order, each given by its place."""
        renumbered = np.arange(self.numbers.count + 1)
        renumbered[order] = np.arange(len(order))
        renumbered[NOTHING] = NOTHING
        numbers = replace(
            self.numbers,
            operands=renumbered[self.numbers.operands],
            outputs=renumbered[self.numbers.outputs],
        )
        return replace(self, names=tuple([self.names[k] for k in order]), numbers=numbers)


@collector_paused()
def lower(
    roots: Sequence[Value],
    inputs: Sequence[Value],
    names: Sequence[str],
    name: str,
    lines: Mapping[int, str] | None = None,
) -> Lowered:
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
    given = set(inputs)
    values = topological(*roots, stop_at=given)
    _require_memory(len(values), name)
    computed = [value for value in values if value.op is not None and value not in given]
    leaves = [value for value in values if value.op is None and value not in given]
    number_of = dict(zip(chain(inputs, computed, leaves), count()))
    operands = chain.from_iterable([value.operands for value in computed])
    numbers = in_numbers(
        len(inputs),
        [value.op for value in computed if value.op is not None],
        np.fromiter(map(number_of.__getitem__, operands), np.int64),
        np.array([number_of[root] for root in roots], np.int64),
        [leaf.data for leaf in leaves],
    )
    labels = {k: str(value.label) for k, value in enumerate(computed) if value.label}
    found = {k: lines[id(value)] for k, value in enumerate(computed)} if lines else {}
    return Lowered(name, tuple(names), numbers, labels, found)


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
