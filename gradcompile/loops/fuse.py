"""Fusion: a nest joins the nest it reads from, where both run over the same index.

The values that pass from one to the other are then still in the cache, or need not be kept: a
dimension of an array along which each round reads only what the same round wrote is dropped.
"""

from collections.abc import Mapping, Sequence

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
from gradcompile.loops.rewrite import rewrite, rewrite_formula


def fuse(nests: Sequence[Nest]) -> list[Nest]:
    """The nests with neighbours joined."""
    joined: list[Nest] = []
    writer: dict[Array, int] = {}
    for nest in nests:
        # Nothing between the last nest that it reads from and itself stands in its way.
        last = max((writer.get(place.array, -1) for place in _read(nest.steps)), default=-1)
        if last < 0 or joined[last].reverse != nest.reverse or not _join(joined[last], nest):
            joined.append(nest)
            last = len(joined) - 1
        for step in assignments(nest.steps):
            writer[step.place.array] = max(last, writer.get(step.place.array, -1))
    return joined


def _read(steps: Sequence[Step]) -> list[Place]:
    return [place for step in assignments(steps) for place in places(step.value)]


def _join(first: Nest, second: Nest) -> bool:
    """Move the second nest into the loops that it shares with the first, if it shares any."""
    if len(second.steps) != 1 or not isinstance(second.steps[0], Loop):
        return False
    shared: dict[Index, Index] = {}
    if not _merge(first.steps, second.steps[0], shared):
        return False
    for formula in second.formulas:
        first.formulas.append(rewrite_formula(formula, lambda place: _rename_place(place, shared)))
    return True


def _merge(steps: list[Step], loop: Loop, shared: dict[Index, Index]) -> bool:
    last = steps[-1]
    if not isinstance(last, Loop) or last.index.extent != loop.index.extent:
        return False
    if any(i.is_scan or i.start or i.step > 1 for i in (last.index, loop.index)):
        return False
    if last.is_product or loop.is_product:
        return False
    written = {step.place.array: step.place for step in assignments([last])}
    if any(step.place.array in written for step in assignments([loop])):
        return False
    for place in _read([loop]):
        write = written.get(place.array)
        if write is not None and not _same_round(write, last.index, place, loop.index):
            return False
    shared[loop.index] = last.index
    body = _rename(loop.body, {loop.index: last.index})
    if not (len(body) == 1 and isinstance(body[0], Loop) and _merge(last.body, body[0], shared)):
        last.body.extend(body)
    return True


def _same_round(write: Place, outer: Index, read: Place, inner: Index) -> bool:
    """Does each round of a loop read only what the same round of another loop wrote?"""
    for written, wanted in zip(write.subscripts, read.subscripts, strict=True):
        if written == Subscript(written.offset, ((outer, 1),)) and wanted == Subscript(
            written.offset, ((inner, 1),)
        ):
            return True
    return False


# --- substitution ------------------------------------------------------------------------------

Indices = Mapping[Index, Index]


def _rename(steps: Sequence[Step], indices: Indices) -> list[Step]:
    renamed = rewrite(steps, lambda place: _rename_place(place, indices))
    stack = list(renamed)
    while stack:
        step = stack.pop()
        if isinstance(step, Loop):
            step.index = indices.get(step.index, step.index)
            step.index.start = step.index.start and _rename_place(step.index.start, indices)
            stack.extend(step.body)
    return renamed


def _rename_place(place: Place, indices: Indices) -> Place:
    subscripts = []
    for subscript in place.subscripts:
        terms = tuple((indices.get(index, index), stride) for index, stride in subscript.terms)
        table = subscript.table and _rename_place(subscript.table, indices)
        subscripts.append(Subscript(subscript.offset, terms, table))
    return Place(place.array, tuple(subscripts))


# --- dimensions that need not be kept ----------------------------------------------------------
