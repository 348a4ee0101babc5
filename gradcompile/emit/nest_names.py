"""Names for loop nests: what arrays and indices are called, decided before anything is written.

Arrays are named after the labels of what they hold, or else numbered, as in straight-line text;
indices after the length of their loops, so that one letter means the same all through the text.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gradcompile.emit.layout import emitted_names
from gradcompile.emit.parts import KEPT
from gradcompile.ir.nests import (
    COUNT,
    Array,
    Index,
    Loop,
    Nest,
    Place,
    Rolled,
    RowExtent,
    Step,
    assignments,
    loops,
    places,
)
from gradcompile.ir.signature import Bundle, Signature, adjoint_name
from gradcompile.ops.op import Op
from gradcompile.support.names import Names, identifier

DATA = "data"
"""The flat array of the numbers that the graph captured."""

TABLES = "tables"
"""The flat array of the integers of all tables."""

TOTAL_ROWS = "count"
"""How many rows there are."""

START = "start"
"""Which row is the first of a block, of which `n` is how many it has."""

BLOCK_SIZE = "n"
"""How many rows a block has."""

WIDTH = "width"
"""How many rows are computed where all results are kept: `n`, and some that are as good as any."""

SCRATCH = "block"
"""The array of all that is computed for the rows of a block."""

UNNAMED = "v"
"""What values without a name are called, with a number behind."""

LETTERS = "ijklmnpqrtuvwxyz"
"""What indices are called."""

_OF_ALL = (DATA, TABLES, KEPT)
_OF_BATCHES = (BLOCK_SIZE, WIDTH, START, TOTAL_ROWS, SCRATCH)


@dataclass(frozen=True)
class NestNames:
    """What everything in loop nests is called.

    Attributes:
        arrays: the name of each array.
        letters: the name of each index.
        own: what is called `data`, `n` and so on, unless a parameter has that name.
        used: the arrays that nests read or write, in the order of their first use.
        results: the arrays that are returned.
        fresh: gives a name that nothing else has.
        kept: for numbers that pass from one function to another, their places in `kept`.
    """

    arrays: Mapping[Array, str]
    letters: Mapping[Index, str]
    own: Mapping[str, str]
    used: tuple[Array, ...]
    results: tuple[Array, ...]
    fresh: Callable[[str], str]
    kept: Mapping[Array, int] = field(default_factory=dict)


def name_nests(rolled: Rolled, function: str, operations: Iterable[Op] = ()) -> NestNames:
    """Name the arrays and the indices of loop nests.

    Args:
        rolled: the nests.
        function: the name of the function that is to compute them.
        operations: that they apply.
    """
    signature = rolled.signature
    assert signature is not None
    used = tuple(x for x in dict.fromkeys(arrays_in(rolled.nests)) if x is not COUNT)
    namer = Names(emitted_names(operations), frozenset(identifier(array.label) for array in used))
    namer.taken |= {group.name for group in (*signature.parameters, *signature.results)}
    namer.fresh(function)
    own = {name: namer.fresh(name) for name in _OF_ALL}
    own |= {name: namer.fresh(name) if rolled.rows else name for name in _OF_BATCHES}
    names: dict[Array, str] = {}
    for group, output in zip(signature.results, rolled.outputs, strict=True):
        if isinstance(output, Array):
            names.setdefault(output, group.name)
        elif isinstance(output, Place) and not (output.array.space or output.array.shape):
            names.setdefault(output.array, group.name)
    results = tuple(x for x in rolled.outputs if isinstance(x, Array))
    parameters = {array: parameter_of(array, signature) for array in used}
    names |= {array: whole.name for array, whole in parameters.items() if whole is not None}
    names |= _other_arrays(rolled, used, names, namer, own)
    return NestNames(names, _letters(rolled, namer.taken), own, used, results, namer.fresh)


def parameter_of(array: Array, signature: Signature) -> Bundle | None:
    """The parameter that an array is, whole and in its own shape; None for a part of one."""
    if array.space != "inputs":
        return None
    return next(
        (
            group
            for group in signature.parameters
            if not group.is_row
            and group.start == array.start
            and (group.shape or ()) == array.shape
        ),
        None,
    )


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
    known: Mapping[Array, str],
    namer: Names,
    own: Mapping[str, str],
) -> dict[Array, str]:
    """Name the arrays that have no name yet."""
    names = dict(known)
    # The whole of an argument is named before its parts, and those in their order.
    inputs = [array for array in used if array.space in ("inputs", "rows")]
    inputs.sort(key=lambda array: (len(array.shape) != 1, -array.size))
    whole = {array.label: array for array in reversed(inputs) if len(array.shape) == 1}
    inputs.sort(key=lambda array: (array not in whole.values(), array.start))
    primals = _primals(rolled, used, inputs)
    ranked = [*inputs, *used]
    labels = {array: _label(array, primals) for array in ranked if array not in names}
    for array, label in labels.items():
        primal = primals.get(array)
        if primal in names:
            names[array] = namer.fresh(adjoint_name(names[primal], array.suffix))
        elif array.space in (DATA, TABLES) and _is_whole(array, rolled):
            names[array] = own[array.space]
        elif label == UNNAMED and not array.label:
            names[array] = namer.numbered(label)
        elif label in namer.taken or (label in namer.claimed and not array.label):
            names[array] = namer.numbered(f"{label}_", 2)
        else:
            names[array] = namer.fresh(label)
    return names


def _primals(
    rolled: Rolled, used: Iterable[Array], inputs: Sequence[Array]
) -> dict[Array, Array | None]:
    """Find for arrays of adjoints what they are the adjoints of."""
    signature = rolled.signature
    assert signature is not None
    spaces = {x.space: g for x, g in zip(rolled.outputs, signature.results, strict=True)
              if isinstance(x, Array)}  # fmt: skip
    by = {adjoint_name(group.name): group for group in signature.parameters}
    primals: dict[Array, Array | None] = {}
    for array in used:
        group = spaces.get(array.space)
        if group is None:
            primals[array] = array.primal
        elif (source := by.get(group.name)) is not None:
            primals[array] = _differentiated(array, source, rolled, inputs)
    return primals


def _differentiated(
    array: Array, source: Bundle, rolled: Rolled, inputs: Sequence[Array]
) -> Array | None:
    """Find the part of a parameter that a part of its gradient belongs to, if there is one."""
    extents = _without_rows(array)
    for primal in inputs:
        start = primal.start + (rolled.inputs if primal.space == "rows" else 0)
        if start - source.start == array.start and _without_rows(primal) == extents:
            return primal
    return None


def _is_whole(array: Array, rolled: Rolled) -> bool:
    """Is it all that is captured, or all tables, under no name of its own?"""
    whole = len(rolled.data if array.space == DATA else rolled.tables)
    return not array.label and array.shape == (whole,)


def _without_rows(array: Array) -> tuple[int, ...]:
    return tuple(extent for extent in array.shape if not isinstance(extent, RowExtent))


def _label(array: Array, primals: Mapping[Array, Array | None]) -> str:
    suffixes = ""
    primal = primals.get(array, array.primal)
    while primal is not None:
        array, suffixes = primal, f"{array.suffix}{suffixes}"
        primal = primals.get(array, array.primal)
    flat = {"": UNNAMED, "inputs": "inputs", "rows": "row", "data": "data", "tables": "table"}
    label = identifier(array.label) or flat.get(array.space, "values")
    return (f"{label}_rows" if array.space == "rows" else label) + suffixes


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
    pairs = [f"{x}2" for x in free if f"{x}2" not in taken]
    spare = [*(x for x in free if x not in usual.values()), *pairs]
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
