"""Long straight-line text in parts: where to cut it, and which values cross a cut.

numba's time for one function grows faster than its length, so long text becomes several functions
of bounded size. What one part computes and another reads is kept in an array, where each such
value has a place of its own.
"""

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import TypeVar

LIMIT = 500
"""The most statements of one function."""

Item = TypeVar("Item")


def cut(items: list[Item], limit: int) -> list[list[Item]]:
    """`items` in as few stretches of at most `limit` as possible, all about equally long."""
    count = -(-len(items) // limit)
    bounds = [len(items) * number // count for number in range(count + 1)]
    return [items[start:end] for start, end in pairwise(bounds)]


def kept(parts: Sequence[tuple[Sequence[str], Collection[str]]]) -> dict[str, int]:
    """The values that cross a cut: for each name its place, in the order they are assigned.

    Args:
        parts: for each part the names that it assigns, and those that it reads.
    """
    foreign = {name for assigned, read in parts for name in set(read).difference(assigned)}
    crossing = [name for assigned, _ in parts for name in assigned if name in foreign]
    return {name: place for place, name in enumerate(crossing)}
