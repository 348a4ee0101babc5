"""Rolling: a straight-line program becomes loop nests.

    forms.py            what is stored, and its form: an expression without its leaves
    groups.py           values of equal form of which none depends on another: one loop
    scans.py            groups that repeat one after the other: a loop around their loops
    affine.py           addresses as strides of loop indices
    arrays.py           where values lie, and what each loop reads and writes
    dimensions.py       the order of the dimensions of each array
    tables.py           what is looked up: integers, and captured constants
    nests.py            the nest of each group
    terms.py            its terms: which are added where, and how often
    sums.py             its loops: their order, and where sums are accumulated
    matrix_products.py  sums that are a product of matrices

The method is known as loop rerolling; what is rerolled here is a trace, so that there is no
control flow to respect, only what reads what.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

from gradcompile.ir.nests import Array, Nest, Place, Rolled
from gradcompile.ir.program import Const, Operand, Program, Var
from gradcompile.loops.block import block_rows
from gradcompile.loops.fuse import fuse
from gradcompile.loops.shrink import drop_dimensions, name_totals
from gradcompile.loops.views import make_views
from gradcompile.roll.arrays import Arrays, Shaped
from gradcompile.roll.dimensions import add_rows, arrange
from gradcompile.roll.forms import Forms
from gradcompile.roll.groups import Places, make_groups
from gradcompile.roll.nests import build, build_scan
from gradcompile.roll.scans import find_scans
from gradcompile.roll.tables import DataTables, Tables
from gradcompile.support.names import stem

SPARSE = 3
"""A program is regular if it has at least so many stored values a group, ..."""

DENSE = 20
"""... or so many instructions: then its loops are few, whatever they store."""

ALIKE = 200
"""If so many instructions look alike, on average, nobody needs to look closer."""


def is_regular(program: Program, kinds: int) -> bool:
    """Would loops make the program much shorter?

    Args:
        program: before differentiation.
        kinds: how many of its instructions look different.
    """
    if ALIKE * kinds <= len(program):
        return True
    forms = Forms(program, strict=False)
    groups = find_scans(make_groups(forms, Places(forms)))
    instructions = len(program.instructions)
    return SPARSE * len(groups) <= len(forms.stored) or DENSE * len(groups) <= instructions


def roll(
    program: Program,
    strict: bool = False,
    labels: Sequence[str] = (),
    slots: Mapping[int, Sequence[int]] = MappingProxyType({}),
    totals: Collection[int] = (),
) -> Rolled:
    """The program as loop nests.

    Args:
        program: a straight-line program, after every other pass.
        strict: keep the order of every sum; else the terms of a sum may be reordered.
        labels: for each input, what to call the array that it is a part of.
        slots: for each output that is a gradient, by its number: for each component the index of
            the input that it differentiates by.
        totals: the numbers of the outputs in which the rows of a batch are summed up.
    """
    forms = Forms(program, strict)
    places = Places(forms)
    groups = find_scans(make_groups(forms, places))
    arrays = Arrays(program, forms, groups, places, totals)
    shaped = [arrays.shape(number) for number in range(len(groups))]
    shaped += [arrays.shape_copy(result, group) for result, group in arrays.copies]
    data = DataTables(arrays)
    for group in shaped:
        data.replace(group)
    exchanged = arrange(shaped, arrays)
    if program.rows:
        add_rows(shaped, arrays)
    tables = Tables()
    nests = fuse(list(_nests(shaped, tables, strict)))
    outputs = list(_outputs(program, forms, arrays))
    drop_dimensions(nests, {place.array for place in outputs if isinstance(place, Place)})
    name_totals(nests)
    nests = block_rows(nests)
    labels = labels or [stem(var.name) for var in program.inputs]
    make_views(nests, arrays.inputs, labels[: program.given])
    make_views(nests, arrays.rows, labels[program.given :][: program.rows])
    for number, (result, output) in enumerate(zip(outputs, program.outputs, strict=True)):
        if isinstance(result, Array) and isinstance(output, tuple):
            differentiated = [labels[slot] for slot in slots.get(number, ())]
            make_views(nests, result, _labels(output, differentiated))
    order = data.order(exchanged)
    captured = tuple(program.data[k] for k in order)
    summary = {
        "instructions": len(program.instructions),
        "groups": len(groups),
        "members": sum(len(group.members) for group in groups),
        "nests": len(nests),
        "gathers": tables.count,
    }
    return Rolled(
        program.name,
        arrays.given,
        captured,
        tables.flat(),
        nests,
        outputs,
        order,
        summary,
        {f"output {number}": tuple(found) for number, found in slots.items()},
        program.rows,
        strict,
    )


def _outputs(program: Program, forms: Forms, arrays: Arrays) -> Iterator[Place | Const | Array]:
    """What the nests return for each output."""
    supply = iter(forms.outputs)
    for array, output in zip(arrays.outputs, program.outputs, strict=True):
        found = [next(supply) for _ in (output if isinstance(output, tuple) else (output,))]
        if array is None:
            yield arrays.read(found[0])
        else:
            yield array if array.space else Place(array)


def _labels(output: Sequence[Operand], differentiated: Sequence[str]) -> list[str]:
    """What to call the arrays that the elements of a result are parts of."""
    if differentiated:
        return [f"{label}_bar" if label else "" for label in differentiated]
    return [stem(operand.name) if isinstance(operand, Var) else "" for operand in output]


def _nests(shaped: Iterable[Shaped], tables: Tables, strict: bool) -> Iterator[Nest]:
    for scan, body in groupby(shaped, key=lambda group: group.group.scan):
        if scan >= 0:
            yield build_scan(list(body), tables, strict)
        else:
            yield from (build(group, tables, strict) for group in body)
