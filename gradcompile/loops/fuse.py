"""Fusion: a nest joins the nest it reads from, where both run over the same index.

The values that pass from one to the other are then still in the cache, or need not be kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gradcompile.ir.nests import (
    Array,
    Index,
    Loop,
    Nest,
    Place,
    Step,
    Subscript,
    assignments,
    places,
)
from gradcompile.loops.rewrite import rewrite


def fuse(nests: Sequence[Nest]) -> list[Nest]:
    """Join neighbours."""
    joined: list[Nest] = []
    writer: dict[Array, int] = {}
    for nest in nests:
        # Nothing between the last nest that it reads from and itself stands in its way.
        last = max((writer.get(place.array, -1) for place in _read(nest.steps)), default=-1)
        both = _joined(joined[last], nest) if last >= 0 else None
        if both is None:
            joined.append(nest)
            last = len(joined) - 1
        else:
            joined[last] = both
        for step in assignments(nest.steps):
            writer[step.place.array] = max(last, writer.get(step.place.array, -1))
    return joined


def _read(steps: Sequence[Step]) -> list[Place]:
    return [place for step in assignments(steps) for place in places(step.value)]


def _joined(first: Nest, second: Nest) -> Nest | None:
    """The second nest in the loops that it shares with the first; None if it shares none."""
    if first.sweep != second.sweep:
        return None
    shared = dict(_shared(first.steps, second.steps))
    if not shared:
        return None
    moved = rewrite(second, indices=shared)
    steps = _spliced(first.steps, moved.steps, len(shared))
    return Nest(steps, (*first.formulas, *moved.formulas), first.sweep)


def _spliced(first: Sequence[Step], second: Sequence[Step], depth: int) -> tuple[Step, ...]:
    """The steps of the second in so many of the last loops of the first."""
    if not depth:
        return (*first, *second)
    *before, last = first
    (loop,) = second
    assert isinstance(last, Loop)
    assert isinstance(loop, Loop)
    return (*before, replace(last, body=_spliced(last.body, loop.body, depth - 1)))


def _shared(first: Sequence[Step], second: Sequence[Step]) -> Iterator[tuple[Index, Index]]:
    """The loops that can be shared, from the outermost on: the second's index, and the first's."""
    while len(second) == 1:
        last, loop = first[-1], second[0]
        if not (isinstance(last, Loop) and isinstance(loop, Loop) and _may_share(last, loop)):
            return
        yield loop.index, last.index
        first, second = last.body, loop.body


def _may_share(first: Loop, second: Loop) -> bool:
    """May two loops run as one, each round of the second after the same round of the first?"""
    if first.index.extent != second.index.extent or first.is_product or second.is_product:
        return False
    if any(i.is_scan or i.start or i.step > 1 for i in (first.index, second.index)):
        return False
    written = {step.place.array: step.place for step in assignments([first])}
    if any(step.place.array in written for step in assignments([second])):
        return False
    return all(
        _same_round(written[place.array], first.index, place, second.index)
        for place in _read([second])
        if place.array in written
    )


def _same_round(write: Place, outer: Index, read: Place, inner: Index) -> bool:
    """Does each round of a loop read only what the same round of another loop wrote?"""
    for written, wanted in zip(write.subscripts, read.subscripts, strict=True):
        if written == Subscript(written.offset, ((outer, 1),)) and wanted == Subscript(
            written.offset, ((inner, 1),)
        ):
            return True
    return False
