"""A program in numbers, so that numpy sees all of its instructions at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, repeat
from typing import Any

import numpy as np

from gradcompile.ir import Const, Operand, Program
from gradcompile.ops import Op

Integers = np.ndarray[Any, np.dtype[np.int64]]

CONSTANT, NOTHING = -1, -2
"""What is in the place of an operand that is a constant, and of one that is not there."""


@dataclass(frozen=True)
class Numbered:
    """A program in numbers: its inputs have the first ones, results the ones that follow.

    Attributes:
        operations: every operation that is applied, in the order of their first use.
        codes: for each instruction, the place of its operation among them.
        operands: for each instruction, a row of the numbers of its operands.
        constants: the constants among the operands, row by row.
        outputs: the numbers of what is returned.
    """

    operations: tuple[Op, ...]
    codes: Integers
    operands: Integers
    constants: Sequence[Const]
    outputs: Integers


def numbered(program: Program) -> Numbered:
    """The program in numbers."""
    results, ops, reads, _ = zip(*program.instructions, strict=True) if len(program) else [()] * 4
    numbers: dict[Operand, int] = dict(zip(chain(program.inputs, results), count(), strict=False))
    operations = tuple(dict.fromkeys(ops))
    code_of = {op: code for code, op in enumerate(operations)}
    codes = np.fromiter(map(code_of.__getitem__, ops), np.int64, len(ops))
    arities = np.array([op.arity for op in operations], np.int64)
    operands = np.full((len(ops), arities.max(initial=0)), NOTHING)
    are_there = np.arange(operands.shape[1]) < arities[codes][:, np.newaxis]
    flat = list(chain.from_iterable(reads))
    operands[are_there] = found = _numbers_of(flat, numbers)
    constants = [flat[place] for place in np.flatnonzero(found == CONSTANT)]
    outputs = _numbers_of(list(program.flat_outputs), numbers)
    return Numbered(operations, codes, operands, constants, outputs)


def _numbers_of(operands: Sequence[Operand], numbers: Mapping[Operand, int]) -> Integers:
    found = map(numbers.get, operands, repeat(CONSTANT))
    return np.fromiter(found, np.int64, len(operands))
