"""Shrinking: a dimension along which each round reads only what it wrote itself is not kept.

Fusion makes such dimensions; a sum that is kept in a variable is accumulated there.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from gradcompile.ir.nests import (
    Array,
    Index,
    Loop,
    Nest,
    Place,
    Step,
    Subscript,
    Total,
    assignments,
    places,
)
from gradcompile.loops.rewrite import rewrite_nest


def drop_dimensions(nests: Sequence[Nest], returned: Collection[Array]) -> None:
    """Drop each dimension along which every round reads only what it wrote itself.

    Args:
        nests: are changed.
        returned: arrays that are read once more in the end.
    """
    rounds: dict[Array, list[Loop | None]] = {}
    for nest in nests:
        for place, around in _uses(nest.steps, {}):
            own = [_round(subscript, around) for subscript in place.subscripts]
            common = rounds.setdefault(place.array, own)
            common[:] = [a if a is b else None for a, b in zip(common, own, strict=True)]
    kept = {
        array: [axis for axis, loop in enumerate(common) if loop is None]
        for array, common in rounds.items()
        if not array.space and any(common) and array not in returned
    }

    def shorten(place: Place) -> Place:
        if place.array not in kept:
            return place
        return Place(place.array, tuple(place.subscripts[axis] for axis in kept[place.array]))

    for nest in nests:
        rewrite_nest(nest, shorten)
    for array, axes in kept.items():
        array.shape = tuple(array.shape[axis] for axis in axes)


def name_totals(nests: Sequence[Nest]) -> None:
    """Let a sum that is kept in a variable be accumulated there."""
    kept: dict[Array, Array] = {}
    for nest in nests:
        for step in assignments(nest.steps):
            array = step.place.array
            value = step.value.array if isinstance(step.value, Place) else None
            is_copy = isinstance(value, Total) and not step.adds
            if value is not None and is_copy and not array.shape and not array.space:
                kept[value] = array

    def rename(place: Place) -> Place:
        return Place(kept.get(place.array, place.array), place.subscripts)

    for nest in nests:
        rewrite_nest(nest, rename)
        nest.steps = _without_copies(nest.steps)


def _without_copies(steps: Sequence[Step]) -> list[Step]:
    """The steps without assignments of a variable to itself."""
    left: list[Step] = []
    for step in steps:
        if isinstance(step, Loop):
            left.append(replace(step, body=_without_copies(step.body)))
        elif step.value != step.place:
            left.append(step)
    return left


def _uses(
    steps: Sequence[Step], around: dict[Index, Loop]
) -> Iterator[tuple[Place, dict[Index, Loop]]]:
    """Every place that is written or read, with the loops around it."""
    for step in steps:
        if isinstance(step, Loop):
            yield from _uses(step.body, {**around, step.index: step})
        else:
            yield step.place, around
            for place in places(step.value):
                yield place, around


def _round(subscript: Subscript, around: Mapping[Index, Loop]) -> Loop | None:
    """The loop whose index a subscript is; None if it is anything else."""
    if subscript.offset or subscript.table is not None or len(subscript.terms) != 1:
        return None
    ((index, stride),) = subscript.terms
    return around[index] if stride == 1 else None
