"""Shrinking: a dimension along which each round reads only what it wrote itself is not kept.

Fusion makes such dimensions; a sum that is kept in a variable is accumulated there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gradcompile.ir.nests import (
    Array,
    Index,
    Loop,
    Nest,
    Place,
    Rolled,
    Step,
    Subscript,
    Total,
    assignments,
    places,
)
from gradcompile.loops.rewrite import arrays_of, rewrite


def drop_dimensions(rolled: Rolled) -> Rolled:
    """Drop each dimension along which every round reads only what it wrote itself."""
    returned = {place.array for place in rolled.outputs if isinstance(place, Place)}
    kept = {
        array: [axis for axis, loop in enumerate(common) if loop is None]
        for array, common in _rounds(rolled.nests).items()
        if not array.space and any(common) and array not in returned
    }
    shorter = _shortened([*arrays_of(rolled.nests), *returned], kept)

    def shorten(place: Place) -> Place:
        if place.array not in shorter:
            return place
        axes = kept.get(place.array, range(len(place.subscripts)))
        return Place(shorter[place.array], tuple([place.subscripts[axis] for axis in axes]))

    nests = [rewrite(nest, shorten) for nest in rolled.nests]
    outputs = [shorten(x) if isinstance(x, Place) else x for x in rolled.outputs]
    return replace(rolled, nests=nests, outputs=outputs)


def _rounds(nests: Sequence[Nest]) -> dict[Array, list[Loop | None]]:
    """For each dimension of each array, the loop of which all uses are the own element."""
    rounds: dict[Array, list[Loop | None]] = {}
    for nest in nests:
        for place, around in _uses(nest.steps, {}):
            own = [_round(subscript, around) for subscript in place.subscripts]
            common = rounds.get(place.array, own)
            rounds[place.array] = [a if a is b else None for a, b in zip(common, own, strict=True)]
    return rounds


def _shortened(arrays: Sequence[Array], kept: Mapping[Array, Sequence[int]]) -> dict[Array, Array]:
    """The new array for each that keeps some axes only, and for each adjoint of a new one."""
    shorter: dict[Array, Array] = {}
    for array in arrays:  # what is differentiated comes before its adjoints
        shape = tuple([array.shape[axis] for axis in kept.get(array, range(len(array.shape)))])
        primal = shorter.get(array.primal, array.primal) if array.primal is not None else None
        if array in kept or primal is not array.primal:
            shorter[array] = replace(array, shape=shape, primal=primal)
    return shorter


def name_totals(nests: Sequence[Nest]) -> list[Nest]:
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
        return replace(place, array=kept[place.array]) if place.array in kept else place

    renamed = [rewrite(nest, rename) for nest in nests]
    return [replace(nest, steps=_without_copies(nest.steps)) for nest in renamed]


def _without_copies(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps without assignments of a variable to itself."""
    left: list[Step] = []
    for step in steps:
        if isinstance(step, Loop):
            left.append(replace(step, body=_without_copies(step.body)))
        elif step.value != step.place:
            left.append(step)
    return tuple(left)


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
