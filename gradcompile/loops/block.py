"""Blocking: long loops over rows run block by block, so that what a block stores stays in cache.

A nest whose innermost loops all run over the rows, each round on its own row, is run for one block
of rows after the other; neighbouring nests of that kind share the blocks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gradcompile.ir.nests import (
    BLOCK_ROUNDS,
    Assign,
    Index,
    Loop,
    Nest,
    Place,
    Step,
    Subscript,
    assignments,
    loops,
    places,
)
from gradcompile.loops.rewrite import rewrite

MAX_ROUNDS_UNBLOCKED = 2048
"""Loops with more rounds are blocked."""


def block_rows(nests: Sequence[Nest]) -> list[Nest]:
    """Block long loops."""
    blocked: list[Nest] = []
    blocks: Index | None = None  # of the last nest
    for nest in nests:
        rows = _rows(nest)
        continues = blocks is not None and _continues(nest, rows, blocked[-1])
        if not continues:
            blocks = Index(-(-rows // BLOCK_ROUNDS)) if rows else None
        if blocks is None:
            blocked.append(nest)
            continue
        entered = _entered(nest, blocks)
        if continues:
            before = blocked.pop()
            (outer,) = before.steps
            assert isinstance(outer, Loop)  # over the blocks
            formulas = (*before.formulas, *entered.formulas)
            entered = Nest((*outer.body, *entered.steps), formulas, nest.sweep)
        blocked.append(replace(entered, steps=(Loop(blocks, entered.steps),)))
    return blocked


def _continues(nest: Nest, rows: int, before: Nest) -> bool:
    """May a nest run in the blocks of the nest before it?"""
    same = {path[-1].extent for path, _ in _paths(before.steps, ())} == {rows}
    return same and nest.sweep == before.sweep and _joins(before, nest)


def _rows(nest: Nest) -> int:
    """How many rows a nest has, if it can be blocked; else 0."""
    if any(loop.is_product for loop in loops(nest.steps)):  # it is computed in blocks of its own
        return 0
    extents = set()
    written: dict[object, Place] = {}
    for path, step in _paths(nest.steps, ()):
        index = path[-1] if path else None
        if index is None or index.is_scan or _axis(step.place, index) is None:
            return 0
        extents.add(index.extent)
        written[step.place.array] = step.place
        for place in places(step.value):
            write = written.get(place.array)
            if write is not None and not _same_row(write, place, index):
                return 0
    rows = extents.pop() if len(extents) == 1 else 0
    return rows if rows > MAX_ROUNDS_UNBLOCKED else 0


def _joins(first: Nest, second: Nest) -> bool:
    """Does the second nest read of the first only rows of the same block?"""
    written = {step.place.array: step.place for step in assignments(first.steps)}
    for path, step in _paths(second.steps, ()):
        if step.place.array in written:
            return False
        for place in places(step.value):
            write = written.get(place.array)
            if write is not None and not _same_row(write, place, path[-1]):
                return False
    return True


def _same_row(write: Place, read: Place, index: Index) -> bool:
    """Does a place read, in the row of an index, what was written in that row?"""
    axis = _axis(read, index)
    if axis is None:
        return False
    subscript = write.subscripts[axis]
    return (
        subscript.offset == 0
        and subscript.table is None
        and [(i.extent, stride) for i, stride in subscript.terms] == [(index.extent, 1)]
    )


def _axis(place: Place, index: Index) -> int | None:
    """The dimension of a place along which an index runs, alone; None if there is none."""
    alone = Subscript(0, ((index, 1),))
    return next((axis for axis, s in enumerate(place.subscripts) if s == alone), None)


def _entered(nest: Nest, blocks: Index) -> Nest:
    """The nest with its innermost loops running over the rows of a block."""
    innermost = {path[-1] for path, _ in _paths(nest.steps, ())}
    return rewrite(nest, indices={index: replace(index, block=blocks) for index in innermost})


def _paths(
    steps: Sequence[Step], around: tuple[Index, ...]
) -> Iterator[tuple[tuple[Index, ...], Assign]]:
    """Every assignment with the indices of the loops around it."""
    for step in steps:
        if isinstance(step, Loop):
            yield from _paths(step.body, (*around, step.index))
        else:
            yield around, step
