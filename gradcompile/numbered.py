"""A program in numbers, so that numpy sees all of its instructions at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, repeat
from typing import Any

import numpy as np

from gradcompile.ir import Const, Operand, Program
from gradcompile.ops import Op

Integers = np.ndarray[Any, np.dtype[np.int64]]

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
    codes: Integers
    operands: Integers
    outputs: Integers
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
    operands: Integers,
    outputs: Integers,
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
