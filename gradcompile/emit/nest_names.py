"""Names for loop nests: what arrays and indices are called, decided before anything is written.

Arrays are named after the labels of what they hold, or else after the operation that makes them;
indices after the length of their loops, so that one letter means the same all through the text.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from gradcompile.emit.layout import INPUTS, emitted_names
from gradcompile.emit.parts import KEPT
from gradcompile.ir.nests import (
    COUNT,
    Array,
    Index,
    Loop,
    Nest,
    Rolled,
    RowExtent,
    Step,
    assignments,
    loops,
    places,
)
from gradcompile.support.names import Names, identifier

BATCHES = "batches"
"""The matrices that have a row of data in each row."""

DATA = "data"
"""The flat array of the numbers that the graph captured."""

TABLES = "tables"
"""The flat array of the integers of all tables."""

TOTAL_ROWS = "count"
"""How many rows there are."""

ROWS = "rows"
"""The rows of a block, as columns of a matrix."""

START = "start"
"""Which row is the first of a block, of which `n` is how many it has."""

BLOCK_SIZE = "n"
"""How many rows a block has."""

WIDTH = "width"
"""How many rows are computed where all results are kept: `n`, and some that are as good as any."""

SCRATCH = "block"
"""The array of all that is computed for the rows of a block."""

LETTERS = "ijklmnpqrtuvwxyz"
"""What indices are called."""

_OF_ALL = {INPUTS, DATA, TABLES, KEPT}
_OF_BATCHES = {ROWS, BLOCK_SIZE, WIDTH, START, BATCHES, TOTAL_ROWS, SCRATCH}


@dataclass(frozen=True)
class NestNames:
    """What everything in loop nests is called.

    Attributes:
        arrays: the name of each array.
        letters: the name of each index.
        used: the arrays that nests read or write, in the order of their first use.
        results: the arrays that are returned.
        fresh: gives a name that nothing else has.
        kept: for numbers that pass from one function to another, their places in `kept`.
    """

    arrays: Mapping[Array, str]
    letters: Mapping[Index, str]
    used: tuple[Array, ...]
    results: tuple[Array, ...]
    fresh: Callable[[str], str]
    kept: Mapping[Array, int] = field(default_factory=dict)


def name_nests(rolled: Rolled, function: str, array: str) -> NestNames:
    """Name the arrays and the indices of loop nests.

    Args:
        rolled: the nests.
        function: the name of the function that is to compute them.
        array: the name of an array that is returned, if it has no label.
    """
    namer = Names(emitted_names() | _OF_ALL | (_OF_BATCHES if rolled.rows else set()))
    namer.fresh(function)
    results = tuple(x for x in rolled.outputs if isinstance(x, Array))
    names = {result: namer.fresh(result.label or array) for result in results}
    used = tuple(x for x in dict.fromkeys(arrays_in(rolled.nests)) if x is not COUNT)
    names |= _other_arrays(rolled, used, names, namer, array)
    return NestNames(names, _letters(rolled, namer.taken), used, results, namer.fresh)


def arrays_in(nests: Iterable[Nest]) -> Iterator[Array]:
    """List every array that nests write or read, each time they do."""
    for nest in nests:
        starts = [loop.index.start for loop in loops(nest.steps) if loop.index.start is not None]
        yield from (place.array for place in starts)
        for step in assignments(nest.steps):
            for place in (step.place, *places(step.value)):
                yield place.array
                for subscript in place.subscripts:
                    if subscript.table is not None:
                        yield subscript.table.array


# --- arrays --------------------------------------------------------------------------------------


def _other_arrays(
    rolled: Rolled,
    used: Sequence[Array],
    results: Mapping[Array, str],
    namer: Names,
    fallback: str,
) -> dict[Array, str]:
    """Name the arrays that have no name yet."""
    names = dict(results)
    # The whole of an argument is named before its parts, and those in their order.
    inputs = [array for array in used if array.space in ("inputs", "rows")]
    inputs.sort(key=lambda array: (len(array.shape) != 1, -array.size))
    whole = {array.label: array for array in reversed(inputs) if len(array.shape) == 1}
    inputs.sort(key=lambda array: (array not in whole.values(), array.start))
    primals = _primals(rolled, used, inputs)
    ranked = [*inputs, *used]
    labels = {array: _label(array, primals, fallback) for array in ranked if array not in names}
    uses, reserved = Counter(labels.values()), emitted_names()
    for array, label in labels.items():
        primal = primals.get(array)
        if primal in names:
            names[array] = namer.fresh(f"{names[primal]}_bar")
        elif array.space in ("inputs", "rows", "data", "tables") and _is_flat(array, rolled):
            names[array] = array.space
        elif array is whole.get(array.label) or (uses[label] == 1 and label not in reserved):
            names[array] = namer.fresh(label)
        else:
            names[array] = namer.numbered(label)
    return names


def _primals(
    rolled: Rolled, used: Iterable[Array], inputs: Sequence[Array]
) -> dict[Array, Array | None]:
    """Find for arrays of adjoints what they are the adjoints of."""
    return {
        array: _differentiated(array, rolled, inputs)
        if array.space.startswith("output")
        else array.primal
        for array in used
    }


def _differentiated(array: Array, rolled: Rolled, inputs: Sequence[Array]) -> Array | None:
    """Find the part of the inputs that a part of the gradient belongs to, if there is one."""
    size = prod(extent for extent in array.shape if not isinstance(extent, RowExtent))
    slots = rolled.slots.get(array.space, ())[array.start : array.start + size]
    for primal in inputs:
        start = primal.start + (rolled.inputs if primal.space == "rows" else 0)
        if primal.shape == array.shape and slots == (*range(start, start + size),):
            return primal
    return None


def _label(array: Array, primals: Mapping[Array, Array | None], fallback: str) -> str:
    bars = ""
    primal = primals.get(array, array.primal)
    while primal is not None:
        array, bars = primal, f"{bars}_bar"
        primal = primals.get(array, array.primal)
    flat = {"": "v", "inputs": "inputs", "rows": "row", "data": "data", "tables": "table"}
    return (identifier(array.label) or flat.get(array.space, fallback)) + bars


def _is_flat(array: Array, rolled: Rolled) -> bool:
    """Is it all of the flat array that is given, under no name of its own?"""
    extents = {"inputs": rolled.inputs, "rows": rolled.rows}
    return not array.label and array.shape[:1] == (extents.get(array.space),)


# --- indices -------------------------------------------------------------------------------------


def _letters(rolled: Rolled, taken: set[str]) -> dict[Index, str]:
    """Give each index a letter, one for all loops of one length where that is possible."""
    free = [letter for letter in LETTERS if letter not in taken]
    extents = Counter[int]()
    for nest in rolled.nests:
        indices = [loop.index for loop in loops(nest.steps)]
        extents.update(index.extent for index in indices if index.start is None)
    ranked = sorted(extents, key=lambda extent: (-extents[extent] * extent, extent))
    usual = dict(zip(ranked, free, strict=False))
    spare = [*(x for x in free if x not in usual.values()), *(f"{x}2" for x in free)]
    letters: dict[Index, str] = {}
    for nest in rolled.nests:
        for index, others in _nested(nest.steps).items():
            near = {letters[other] for other in others if other in letters}
            letter = spare[0] if index.start else usual.get(index.extent, spare[0])
            letters[index] = (
                letter if letter not in near else next(x for x in spare if x not in near)
            )
    return letters


def _nested(steps: Sequence[Step]) -> dict[Index, set[Index]]:
    """Collect for each index, in order, those of the loops around its loops and inside them."""
    others: dict[Index, set[Index]] = {}

    def visit(steps: Sequence[Step], around: tuple[Index, ...]) -> None:
        for step in steps:
            if isinstance(step, Loop):
                others.setdefault(step.index, set()).update(around)
                for other in around:
                    others[other].add(step.index)
                visit(step.body, (*around, step.index))

    visit(steps, ())
    return others
