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
        number_of: the numbers of inputs and results.
        operations: every operation that is applied, in the order of their first use.
        codes: for each instruction, the place of its operation among them.
        operands: for each instruction, a row of the numbers of its operands.
        outputs: the numbers of what is returned.
        constants: what the numbers from `len(number_of)` on stand for, one for each time that a
            constant is read or returned.
    """

    number_of: Mapping[Operand, int]
    operations: tuple[Op, ...]
    codes: Integers
    operands: Integers
    outputs: Integers
    constants: Sequence[Const]

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return len(self.number_of) + len(self.constants)


def numbered(program: Program) -> Numbered:
    """The program in numbers."""
    results, ops, reads, _ = zip(*program.instructions, strict=True) if len(program) else [()] * 4
    number_of = dict(zip(chain(program.inputs, results), count(), strict=False))
    operations = tuple(dict.fromkeys(ops))
    code_of = {op: code for code, op in enumerate(operations)}
    codes = np.fromiter(map(code_of.__getitem__, ops), np.int64, len(ops))
    flat = [*chain.from_iterable(reads), *program.flat_outputs]
    numbers = np.fromiter(map(number_of.get, flat, repeat(NOTHING)), np.int64, len(flat))
    constants = np.flatnonzero(numbers == NOTHING)
    numbers[constants] = len(number_of) + np.arange(len(constants))
    arities = np.array([op.arity for op in operations], np.int64)
    operands = np.full((len(ops), arities.max(initial=0)), NOTHING)
    are_there = np.arange(operands.shape[1]) < arities[codes][:, np.newaxis]
    read = np.count_nonzero(are_there)
    operands[are_there] = numbers[:read]
    return Numbered(
        number_of, operations, codes, operands, numbers[read:], [flat[k] for k in constants]
    )
