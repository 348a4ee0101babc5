"""Addresses as affine functions of loop indices, found in the lists of what a group reads.

A group of N members, each summing T terms, reads through each of its leaves N * T addresses. The
loops that a person would write for them show as nested strides: the addresses of the first members
grow by a constant, then jump, and the same again. `factor` finds where the jumps are, `chain` the
nest of loops that suits all leaves of a group, and `fit` the strides of one leaf in that nest.
What does not follow them is looked up in a table.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gradcompile.support.arrays import IntArray

MIN_RUN = 8
"""From this length on a run of addresses gets a loop although the runs follow no stride."""


class Fit(NamedTuple):
    """`offset + sum(stride * index)`, plus `table[index, ...]` where there is one.

    Attributes:
        offset: the address where every index is 0.
        strides: one a loop.
        table: what is left, over the loops in `axes`; None if nothing is.
        axes: the loops by whose indices the table is read.
    """

    offset: int
    strides: tuple[int, ...]
    table: IntArray | None = None
    axes: tuple[int, ...] = ()


def factor(addresses: IntArray) -> list[int]:
    """Where a list of addresses jumps: lengths, each dividing the next.

    >>> factor(np.array([0, 1, 2, 10, 11, 12, 20, 21, 22]))
    [3]
    >>> factor(np.array([5, 5, 7, 7, 1, 1]))
    []
    """
    lengths: list[int] = []
    length = 1
    while len(addresses) > 2:
        steps = np.diff(addresses)
        jumps = np.flatnonzero(steps != steps[0])
        if not len(jumps):
            return lengths
        run = int(jumps[0]) + 1
        if run == 1 or len(addresses) % run:
            break
        rows = addresses.reshape(-1, run)
        if np.any(np.diff(rows, axis=1) != steps[0]):
            break
        length *= run
        lengths.append(length)
        addresses = rows[:, 0]
    # What is left must be looked up, which is worth a loop only around a longer one.
    return lengths if len(addresses) < 3 or length >= MIN_RUN else []


def chain(total: int, found: Iterable[Iterable[int]], rounds: int = 1) -> tuple[int, ...]:
    """The extents of nested loops over `total` members: a jump of a leaf begins a loop.

    Args:
        total: how many members.
        found: for each leaf, where it jumps.
        rounds: of a scan around them all, which stays one loop.

    >>> chain(12, [[4], [2, 4], []])
    (3, 2, 2)
    >>> chain(12, [[6]], rounds=4)
    (4, 3)
    """
    votes = Counter(length for lengths in found for length in set(lengths))
    longest = total // rounds
    chosen = [1, longest, total]
    for length, _ in sorted(votes.items(), key=lambda item: (-item[1], item[0])):
        if all(max(x, length) % min(x, length) == 0 for x in chosen) and 1 < length < longest:
            chosen.append(length)
    chosen = sorted(set(chosen) | {1}, reverse=True)
    if len(chosen) == 1:
        return (1,)
    return tuple([outer // inner for outer, inner in pairwise(chosen)])


def fit(addresses: IntArray, extents: Sequence[int]) -> Fit:
    """One leaf's addresses in a nest of loops.

    >>> fit(np.array([0, 1, 2, 10, 11, 12]), (2, 3))
    Fit(offset=0, strides=(10, 1), table=None, axes=())
    """
    grid = addresses.reshape(tuple(extents))
    strides, tabled = [], []
    for axis, extent in enumerate(extents):
        if extent == 1:
            strides.append(0)
            continue
        steps = np.diff(grid, axis=axis)
        step = int(steps.flat[0])
        if np.all(steps == step):
            strides.append(step)
            grid = grid.take([0], axis=axis)
        else:
            strides.append(0)
            tabled.append(axis)
    if not tabled:
        return Fit(int(grid.flat[0]), tuple(strides))
    shape = tuple(extents[axis] for axis in tabled)
    return Fit(0, tuple(strides), grid.reshape(shape), tuple(tabled))
