"""Capture: constants that are data become inputs, so that the program shows its structure alone.

A graph over rows of data holds the rows as constants. A constant is data if instructions that look
alike (the same operations some levels deep) differ in it; one that they all share, like the 1.0 of
`1.0 - y * y`, is part of the formula and stays. No exponent is data: it decides the formula.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

import numpy as np

from gradcompile.ir.packed import NOTHING, Lowered, Numbered
from gradcompile.ops import table
from gradcompile.support.arrays import BitsArray, BoolArray, IntArray

DEPTH = 3
"""How many levels below an instruction count: enough to tell a layer from a penalty, and not so
many that the same formula at two places of a network looks different."""

ODD, HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)
"""What digests are mixed by."""


def capture(lowered: Lowered) -> tuple[Lowered, int]:
    """The program with the constants that are data as its last inputs.

    Returns:
        The program, and how many of its instructions look different.
    """
    numbers = lowered.numbers
    looks = _looks(numbers)
    rows, columns = np.nonzero(numbers.operands >= numbers.values)
    constants = [numbers.constants[k] for k in numbers.operands[rows, columns] - numbers.values]
    are_data = _are_data(numbers, looks, rows, columns, constants)
    read = list(compress(constants, are_data))
    # One object is one number of the user's, wherever it is read; an equal one need not be.
    data = {id(number): number for number in read}
    place_of = {key: place for place, key in enumerate(data, numbers.inputs)}
    renumbered = np.arange(numbers.count + 1)
    renumbered[numbers.inputs : -1] += len(data)
    renumbered[NOTHING] = NOTHING
    operands = renumbered[numbers.operands]
    operands[rows[are_data], columns[are_data]] = [place_of[id(number)] for number in read]
    captured = replace(
        numbers,
        inputs=numbers.inputs + len(data),
        operands=operands,
        outputs=renumbered[numbers.outputs],
    )
    names = (*lowered.names, *[""] * len(data))
    found = replace(lowered, names=names, numbers=captured, data=tuple(data.values()))
    return found, len(np.unique(looks))


def _looks(numbers: Numbered) -> BitsArray:
    """What each instruction looks like, `DEPTH` levels deep."""
    looks = own = _mixed(numbers.codes.astype(np.uint64))
    values = np.zeros(numbers.count + 1, np.uint64)  # all inputs look alike, ...
    values[numbers.values :] = 1  # ... and so do all constants
    values[NOTHING] = 2
    for _ in range(DEPTH):
        values[numbers.inputs : numbers.values] = looks
        looks = own
        for column in numbers.operands.T:
            looks = _mixed(looks + values[column])
    return looks


def _mixed(numbers: BitsArray) -> BitsArray:
    """Digests: if two are equal by chance, no more comes of it than a constant that is data."""
    numbers = (numbers + ODD) * ODD
    return numbers ^ (numbers >> HALF)


def _are_data(
    numbers: Numbered,
    looks: BitsArray,
    rows: IntArray,
    columns: IntArray,
    constants: Sequence[float],
) -> BoolArray:
    """Which constants, of those in these places, differ in instructions that look alike."""
    values = np.array(constants)
    bits = np.where(np.isnan(values), np.nan, values).view(np.uint64)
    kinds = _mixed(looks[rows] + columns.astype(np.uint64))
    _, first, kind = np.unique(kinds, return_index=True, return_inverse=True)
    vary = np.zeros(len(first), np.bool_)
    vary[kind[bits != bits[first[kind]]]] = True
    are_powers = np.array([op is table.pow_ for op in numbers.operations], np.bool_)
    are_data: BoolArray = vary[kind] & ~(are_powers[numbers.codes[rows]] & (columns == 1))
    return are_data
