"""Scans: groups that repeat one after the other, as the steps of a recurrence do.

Each step of a recurrence reads the step before, so no two steps are in one group. But the groups
of its steps come in the same order, over and over. Such a run of groups becomes one loop over the
steps, whose body computes one group after the other.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from gradcompile.ir.sweeps import FORWARD_SWEEP
from gradcompile.roll.groups import Group, Shape, merge
from gradcompile.support.arrays import IntArray

MIN_ROUNDS = 4
"""From so many rounds on a run of groups becomes a loop."""

MAX_GROUPS_A_ROUND = 64
"""The most groups in one round."""


def find_scans(groups: Sequence[Group]) -> list[Group]:
    """The groups, those of each scan merged: one group for each place in the body."""
    kinds: dict[object, int] = {}
    keys = np.array(
        [kinds.setdefault((_step(g), len(g.members)), len(kinds)) for g in groups], np.int64
    )
    merged: list[Group] = []
    start = 0
    for number, (begin, period, rounds) in enumerate(_repeats(keys)):
        merged.extend(groups[start:begin])
        start = begin + period * rounds
        for place in range(period):
            found = groups[begin + place : start : period]
            merged.append(merge(found, rounds=rounds, scan=number))
    merged.extend(groups[start:])
    return merged


def _step(group: Group) -> Shape:
    """What is alike in each round; the last one of a recurrence may be what is returned."""
    return group.shape if group.sweep != FORWARD_SWEEP else group.shape._replace(output=-1)


def _repeats(keys: IntArray) -> Iterator[tuple[int, int, int]]:
    """Where a run of keys repeats itself: where it begins, its period and its rounds."""
    longest = min(MAX_GROUPS_A_ROUND, len(keys) // MIN_ROUNDS)
    same = [_lengths_of_runs(keys[:-period] == keys[period:]) for period in range(1, longest + 1)]
    start = 0
    while start < len(keys):
        covered = 1
        repeat = None
        for period, run in enumerate(same, 1):
            rounds = 1 + int(run[start]) // period if start < len(run) else 1
            if rounds >= MIN_ROUNDS and period * rounds > covered:
                covered, repeat = period * rounds, (start, period, rounds)
        if repeat is not None:
            yield repeat
        start += covered


def _lengths_of_runs(same: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> IntArray:
    """For each place, how many places from it on are true."""
    ends = np.append(np.flatnonzero(~same), len(same))
    return ends[np.searchsorted(ends, np.arange(len(same)))] - np.arange(len(same))
