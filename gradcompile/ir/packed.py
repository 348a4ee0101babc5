"""A program packed into arrays of integers, so that numpy sees all of its instructions at once.

Each operand has an index: inputs come first, then results in their order, then constants.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, count, repeat
from typing import Any

import numpy as np

from gradcompile.ir.program import Const, Instruction, Operand, Program, Var
from gradcompile.ops.op import Op
from gradcompile.support.arrays import IntArray
from gradcompile.support.collector import collector_paused

NO_OPERAND = -1
"""Fills a row of operands up where an operation takes fewer; as an index, the last entry of all."""


@dataclass(frozen=True)
class PackedInstructions:
    """The instructions of a program as arrays of integers.

    Attributes:
        inputs: how many inputs there are.
        operations: every operation that is applied, in the order of their first use.
        opcodes: for each instruction, the index of its operation in `operations`.
        operands: for each instruction, a row of the indices of its operands.
        outputs: the indices of the operands that are returned.
        constants: the numbers that the last indices stand for.
    """

    inputs: int
    operations: Sequence[Op]
    opcodes: IntArray
    operands: IntArray
    outputs: IntArray
    constants: Sequence[float]

    def __len__(self) -> int:
        return len(self.opcodes)

    @property
    def first_constant(self) -> int:
        """The index of the first constant: how many inputs and results there are."""
        return self.inputs + len(self)

    @property
    def operand_count(self) -> int:
        """Count the inputs, results and constants: one more than the largest index."""
        return self.first_constant + len(self.constants)

    def reindexed(self, new_index: IntArray, inputs: int) -> "PackedInstructions":
        """Move every operand to another index.

        Args:
            new_index: for each index the one that replaces it.
            inputs: how many inputs there are then.
        """
        new_index = np.append(new_index, NO_OPERAND)
        return replace(
            self,
            inputs=inputs,
            operands=new_index[self.operands],
            outputs=new_index[self.outputs],
        )


def pack_instructions(
    inputs: int,
    applied: Sequence[Op],
    operands: IntArray,
    outputs: IntArray,
    constants: Sequence[float],
) -> PackedInstructions:
    """Pack the instructions of a program whose operands have indices already.

    Args:
        inputs: how many there are.
        applied: the operations, instruction by instruction.
        operands: the indices of their operands, one instruction after the other.
        outputs: the indices of the operands that are returned.
        constants: the numbers that the last indices stand for.
    """
    operations = list(dict.fromkeys(applied))
    opcode_of = {op: opcode for opcode, op in enumerate(operations)}
    opcodes = np.fromiter(map(opcode_of.__getitem__, applied), np.int64, len(applied))
    arities = np.array([op.arity for op in operations], np.int64)
    rows = np.full((len(applied), arities.max(initial=0)), NO_OPERAND)
    rows[np.arange(rows.shape[1]) < arities[opcodes][:, np.newaxis]] = operands
    return PackedInstructions(inputs, operations, opcodes, rows, outputs, constants)


def index_values(program: Program) -> dict[Operand, int]:
    """Give each input and each result of a program its index."""
    results = [result for result, _, _, _ in program.instructions]
    return dict(zip(chain(program.inputs, results), count()))


def pack(program: Program, index_of: Mapping[Operand, int]) -> PackedInstructions:
    """Pack the instructions of a program; equal constants get one index.

    Args:
        program: the program.
        index_of: the index of each input and result, from `index_values`.
    """
    applied = [op for _, op, _, _ in program.instructions]
    reads = list(chain.from_iterable([operands for _, _, operands, _ in program.instructions]))
    flat = [*reads, *program.flat_outputs]
    indices = np.fromiter(map(index_of.get, flat, repeat(NO_OPERAND)), np.int64, len(flat))
    are_constants = np.flatnonzero(indices == NO_OPERAND)
    values = [x.value for x in map(flat.__getitem__, are_constants) if isinstance(x, Const)]
    bits, which = np.unique(np.array(values).view(np.int64), return_inverse=True)
    indices[are_constants] = len(index_of) + which
    constants = bits.view(np.float64).tolist()
    operands, outputs = np.split(indices, [len(reads)])
    return pack_instructions(len(program.inputs), applied, operands, outputs, constants)


@dataclass(frozen=True, eq=False)
class PackedProgram:
    """A program as lowering leaves it: packed, which is enough to find code that is known.

    Attributes:
        name: of the function.
        names: of the inputs.
        instructions: the instructions, packed.
        labels: the names of results, by the index of the instruction; most have none.
        bound: the variables that the user's code bound results to, by the instruction.
        lines: where the user's code computes them, if that was recorded.
        data: the values of the last inputs, which are constants of the graph; see
            `passes/capture.py`.
        rows: how many of the inputs before those belong to a row of data.
    """

    name: str
    names: tuple[str, ...]
    instructions: PackedInstructions
    labels: Mapping[int, str] = field(default_factory=dict)
    bound: Mapping[int, str] = field(default_factory=dict)
    lines: Mapping[int, str] = field(default_factory=dict)
    data: tuple[float, ...] = ()
    rows: int = 0

    def __len__(self) -> int:
        return len(self.instructions)

    def __getstate__(self) -> dict[str, Any]:
        return {name: x for name, x in vars(self).items() if name != "program"}

    @property
    def given(self) -> int:
        """Count the inputs before those of a row and the data."""
        return len(self.names) - self.rows - len(self.data)

    @cached_property
    @collector_paused()
    def program(self) -> Program:
        """The program, unpacked when it is asked for."""
        packed = self.instructions
        inputs = list(map(Var, self.names))
        results = [Var() for _ in range(len(packed))]
        for index, label in self.labels.items():
            results[index].name = label
        for index, line in self.lines.items():
            results[index].line = line
        operands: list[Operand] = [*inputs, *results, *map(Const, packed.constants)]
        reads = [tuple([operands[k] for k in row if k >= 0]) for row in packed.operands.tolist()]
        ops = [packed.operations[opcode] for opcode in packed.opcodes.tolist()]
        return Program(
            self.name,
            tuple(inputs),
            tuple(map(Instruction, results, ops, reads)),
            tuple([operands[k] for k in packed.outputs.tolist()]),
            data=self.data,
            rows=self.rows,
            bound={results[place]: name for place, name in self.bound.items()},
        )

    def with_more_inputs(self, given: Sequence[str], rows: Sequence[str]) -> "PackedProgram":
        """Add inputs that nothing reads yet.

        Args:
            given: the names of those that come after the given ones.
            rows: of those that come after the inputs of a row.
        """
        first, second = self.given, self.given + self.rows
        names = self.names
        more = len(given) + len(rows)
        new_index = np.arange(self.instructions.operand_count)
        new_index[second:] += more
        new_index[first:second] += len(given)
        return replace(
            self,
            names=(*names[:first], *given, *names[first:second], *rows, *names[second:]),
            instructions=self.instructions.reindexed(new_index, len(names) + more),
            rows=self.rows + len(rows),
        )

    def with_inputs(self, order: Sequence[int]) -> "PackedProgram":
        """Put the inputs in another order, each given by its index."""
        new_index = np.arange(self.instructions.operand_count)
        new_index[order] = np.arange(len(order))
        return replace(
            self,
            names=tuple([self.names[k] for k in order]),
            instructions=self.instructions.reindexed(new_index, len(order)),
        )
