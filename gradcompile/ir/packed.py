"""A program in numbers, so that numpy sees all of its instructions at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, count, repeat

import numpy as np

from gradcompile.ir.program import Const, Instruction, Operand, Program, Var
from gradcompile.ops.op import Op
from gradcompile.support.arrays import IntArray
from gradcompile.support.collector import collector_paused

NOTHING = -1
"""What is in the place of an operand that is not there: a number, too, of the last of all."""


@dataclass(frozen=True)
class Numbered:
    """A program in numbers: inputs have the first ones, then results, then constants.

    Attributes:
        inputs: how many inputs there are.
        operations: every operation that is applied, in the order of their first use.
        codes: for each instruction, the place of its operation among them.
        operands: for each instruction, a row of the numbers of its operands.
        outputs: the numbers of what is returned.
        constants: what the last numbers stand for.
    """

    inputs: int
    operations: Sequence[Op]
    codes: IntArray
    operands: IntArray
    outputs: IntArray
    constants: Sequence[float]

    @property
    def values(self) -> int:
        """How many inputs and results there are: the number of the first constant."""
        return self.inputs + len(self.codes)

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return self.values + len(self.constants)


def in_numbers(
    inputs: int,
    applied: Sequence[Op],
    operands: IntArray,
    outputs: IntArray,
    constants: Sequence[float],
) -> Numbered:
    """A program in numbers.

    Args:
        inputs: how many there are.
        applied: the operations, instruction by instruction.
        operands: the numbers of their operands, one instruction after the other.
        outputs: the numbers of what is returned.
        constants: what the last numbers stand for.
    """
    operations = list(dict.fromkeys(applied))
    code_of = {op: code for code, op in enumerate(operations)}
    codes = np.fromiter(map(code_of.__getitem__, applied), np.int64, len(applied))
    arities = np.array([op.arity for op in operations], np.int64)
    rows = np.full((len(applied), arities.max(initial=0)), NOTHING)
    rows[np.arange(rows.shape[1]) < arities[codes][:, np.newaxis]] = operands
    return Numbered(inputs, operations, codes, rows, outputs, constants)


def numbers_of(program: Program) -> dict[Operand, int]:
    """The numbers of a program's inputs and results."""
    results = [result for result, _, _, _ in program.instructions]
    return dict(zip(chain(program.inputs, results), count()))


def numbered(program: Program, number_of: Mapping[Operand, int]) -> Numbered:
    """A program in numbers, equal constants in the same one.

    Args:
        program: the program.
        number_of: the numbers of its inputs and results.
    """
    applied = [op for _, op, _, _ in program.instructions]
    reads = list(chain.from_iterable([operands for _, _, operands, _ in program.instructions]))
    flat = [*reads, *program.flat_outputs]
    numbers = np.fromiter(map(number_of.get, flat, repeat(NOTHING)), np.int64, len(flat))
    places = np.flatnonzero(numbers == NOTHING)
    read = [x.value for x in map(flat.__getitem__, places) if isinstance(x, Const)]
    bits, which = np.unique(np.array(read).view(np.int64), return_inverse=True)
    numbers[places] = len(number_of) + which
    constants = bits.view(np.float64).tolist()
    operands, outputs = np.split(numbers, [len(reads)])
    return in_numbers(len(program.inputs), applied, operands, outputs, constants)


@dataclass(frozen=True, eq=False)
class Lowered:
    """A program as it comes from a graph: in numbers, which is all that finds known code.

    Attributes:
        name: of the function.
        names: of the inputs.
        numbers: the instructions.
        labels: the names of results, by the instruction; most have none.
        bound: the variables that the user's code bound results to, by the instruction.
        lines: where the user's code computes them, if that was recorded.
        data: the values of the last inputs, which are constants of the graph; see
            `passes/capture.py`.
        rows: how many of the inputs before those belong to a row of data.
    """

    name: str
    names: tuple[str, ...]
    numbers: Numbered
    labels: Mapping[int, str] = field(default_factory=dict)
    bound: Mapping[int, str] = field(default_factory=dict)
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
            bound={results[place]: name for place, name in self.bound.items()},
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
