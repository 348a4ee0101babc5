"""Memory of a block: an array may lie where another one lay that nothing reads any more.

So fewer lines of the cache are in use. Which arrays are needed at the same time is known before
anything runs, since nests run in order.
"""

from collections.abc import Iterable, Sequence
from math import prod

from gradcompile.ir.nests import Array, Nest, assignments, places


def arranged(arrays: Iterable[Array], nests: Sequence[Nest]) -> tuple[dict[Array, int], int]:
    """Where each array begins, and how large the memory has to be; both in rows of a block.

    Args:
        arrays: those that have an element for each row of a batch.
        nests: all of them, in order.
    """
    first, last = _lifetimes(nests)
    starts: dict[Array, int] = {}
    size = 0
    for array in sorted(arrays, key=lambda array: first[array]):
        alive = [x for x in starts if last[x] >= first[array]]
        taken = sorted((starts[x], starts[x] + _height(x)) for x in alive)
        starts[array] = _gap(taken, _height(array))
        size = max(size, starts[array] + _height(array))
    return starts, size


def _lifetimes(nests: Sequence[Nest]) -> tuple[dict[Array, int], dict[Array, int]]:
    """The first and the last nest that uses each array."""
    first: dict[Array, int] = {}
    last: dict[Array, int] = {}
    for number, nest in enumerate(nests):
        for step in assignments(nest.steps):
            for place in (step.place, *places(step.value)):
                first.setdefault(place.array, number)
                last[place.array] = number
    return first, last


def _height(array: Array) -> int:
    """How many numbers it holds for each row of a batch."""
    return prod(array.shape[:-1])


def _gap(taken: Sequence[tuple[int, int]], height: int) -> int:
    """Where the first free rows begin that are enough."""
    start = 0
    for other, end in taken:
        if start + height <= other:
            break
        start = max(start, end)
    return start
