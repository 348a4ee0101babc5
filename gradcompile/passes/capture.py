"""Capture: constants that are data become inputs, so that the program shows its structure alone.

A graph over rows of data holds the rows as constants. A constant is data if instructions that look
alike (the same operations some levels deep) differ in it; one that they all share, like the 1.0 of
`1.0 - y * y`, is part of the formula and stays. No exponent is data: it decides the formula.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

import numpy as np

from gradcompile.ir.packed import NO_OPERAND, PackedInstructions, PackedProgram
from gradcompile.ir.program import Const, Operand, Program
from gradcompile.ops import table
from gradcompile.support.arrays import BitsArray, BoolArray, IntArray

LEVELS = 3
"""How many levels below an instruction count: enough to tell a layer from a penalty, and not so
many that the same formula at two places of a network looks different."""

GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)
HALF_OF_THE_BITS = np.uint64(32)
"""Bits are mixed by them: an odd number whose bits are irregular, and half of 64."""


def capture(program: PackedProgram) -> tuple[PackedProgram, int]:
    """Make the constants that are data the last inputs of a program.

    Returns:
        The program, and how many of its instructions look different.
    """
    packed = program.instructions
    digests = _digests(packed)
    rows, columns = np.nonzero(packed.operands >= packed.first_constant)
    reads = packed.operands[rows, columns] - packed.first_constant
    constants = [packed.constants[k] for k in reads.tolist()]
    are_data = _are_data(packed, digests, rows, columns, constants)
    read = list(compress(constants, are_data))
    # One object is one number of the user's, wherever it is read; an equal one need not be.
    data = {id(number): number for number in read}
    input_of = {key: index for index, key in enumerate(data, packed.inputs)}
    new_index = np.arange(packed.operand_count)
    new_index[packed.inputs :] += len(data)
    captured = packed.reindexed(new_index, packed.inputs + len(data))
    captured.operands[rows[are_data], columns[are_data]] = [input_of[id(x)] for x in read]
    names = (*program.names, *[""] * len(data))
    result = replace(program, names=names, instructions=captured, data=tuple(data.values()))
    return result, len(np.unique(digests))


def with_data(program: Program) -> Program:
    """Put the numbers of the data into a program again."""
    count = len(program.inputs) - len(program.data)
    number_of: dict[Operand, Operand] = dict(
        zip(program.inputs[count:], map(Const, program.data), strict=True)
    )

    def renew(operand: Operand) -> Operand:
        return number_of.get(operand, operand)

    return replace(
        program,
        inputs=program.inputs[:count],
        instructions=tuple(
            x._replace(operands=tuple(map(renew, x.operands))) for x in program.instructions
        ),
        outputs=tuple(
            tuple(map(renew, output)) if isinstance(output, tuple) else renew(output)
            for output in program.outputs
        ),
        data=(),
    )


def _digests(packed: PackedInstructions) -> BitsArray:
    """Digest what each instruction looks like, `LEVELS` levels deep."""
    digests = own = _mixed(packed.opcodes.astype(np.uint64))
    of_operands = np.zeros(packed.operand_count + 1, np.uint64)  # all inputs look alike, ...
    of_operands[packed.first_constant :] = 1  # ... and so do all constants
    of_operands[NO_OPERAND] = 2
    for _ in range(LEVELS):
        of_operands[packed.inputs : packed.first_constant] = digests
        digests = own
        for column in packed.operands.T:
            digests = _mixed(digests + of_operands[column])
    return digests


def _mixed(digests: BitsArray) -> BitsArray:
    """Mix digests: if two are equal by chance, no more comes of it than a constant that is data."""
    digests = (digests + GOLDEN_RATIO) * GOLDEN_RATIO
    return digests ^ (digests >> HALF_OF_THE_BITS)


def _are_data(
    packed: PackedInstructions,
    digests: BitsArray,
    rows: IntArray,
    columns: IntArray,
    constants: Sequence[float],
) -> BoolArray:
    """Tell which of these constants differ in instructions that look alike.

    Args:
        packed: the instructions.
        digests: of each of them.
        rows: for each constant, the instruction that reads it.
        columns: which operand it is.
        constants: their values.
    """
    values = np.array(constants)
    bits = np.where(np.isnan(values), np.nan, values).view(np.uint64)
    kinds = _mixed(digests[rows] + columns.astype(np.uint64))
    _, first, kind = np.unique(kinds, return_index=True, return_inverse=True)
    vary = np.zeros(len(first), np.bool_)
    vary[kind[bits != bits[first[kind]]]] = True
    are_powers = np.array([op is table.pow_ for op in packed.operations], np.bool_)
    are_data: BoolArray = vary[kind] & ~(are_powers[packed.opcodes[rows]] & (columns == 1))
    return are_data
