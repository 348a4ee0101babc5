"""Rolling: a straight-line program becomes loop nests.

    forms.py            what is stored, and its form: an expression without its leaves
    groups.py           values of equal form of which none depends on another: one loop
    scans.py            groups that repeat one after the other: a loop around their loops
    families.py         groups that share an array
    origins.py          which forward groups those of the reverse sweep differentiate
    results.py          groups that write into what is returned
    affine.py           addresses as strides of loop indices
    shapes.py           the loops of each group, and what it reads and writes in them
    arrays.py           what is read and written, and the arrays that this makes in the end
    tables.py           what is looked up: integers, and captured constants
    dimensions.py       the order of the dimensions of each array
    nests.py            the nest of each group
    terms.py            its terms: which are added where, and how often
    sums.py             its loops: their order, and where sums are accumulated
    matrix_products.py  sums that are a product of matrices

The method is known as loop rerolling; what is rerolled here is a trace, so that there is no
control flow to respect, only what reads what.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

from gradcompile.ir.nests import Array, Nest, Place, Rolled, Subscript
from gradcompile.ir.program import Const, Operand, Program, Var
from gradcompile.ir.signature import Signature, adjoint_name, flat_signature
from gradcompile.loops.block import block_rows
from gradcompile.loops.fuse import fuse
from gradcompile.loops.shrink import drop_dimensions, name_totals
from gradcompile.loops.views import make_views
from gradcompile.roll.arrays import (
    Accesses,
    Returned,
    Storage,
    given_arrays,
    make_arrays,
)
from gradcompile.roll.dimensions import add_rows, arrange, longest_innermost
from gradcompile.roll.families import find_families
from gradcompile.roll.forms import Forms
from gradcompile.roll.groups import StatementOrder, make_groups
from gradcompile.roll.nests import NestBuilder
from gradcompile.roll.origins import with_origins
from gradcompile.roll.results import place_results
from gradcompile.roll.scans import find_scans
from gradcompile.roll.shapes import shape_groups
from gradcompile.roll.tables import Tables, read_tables
from gradcompile.support.names import stem

MIN_STORED_PER_GROUP = 3
"""A program is regular if it has at least so many stored values a group, ..."""

MIN_INSTRUCTIONS_PER_GROUP = 20
"""... or so many instructions: then its loops are few, whatever they store."""

MIN_INSTRUCTIONS_PER_KIND = 200
"""If so many instructions look alike, on average, nobody needs to look closer."""


def is_regular(program: Program, kinds: int) -> bool:
    """Would loops make the program much shorter?

    Args:
        program: before differentiation.
        kinds: how many of its instructions look different.
    """
    if MIN_INSTRUCTIONS_PER_KIND * kinds <= len(program):
        return True
    forms = Forms(program, strict=False)
    count = len(find_scans(make_groups(forms, StatementOrder(forms))))
    instructions = len(program.instructions)
    return (
        MIN_STORED_PER_GROUP * count <= len(forms.stored)
        or MIN_INSTRUCTIONS_PER_GROUP * count <= instructions
    )


NestPass = Callable[[Rolled], Rolled]


def roll(
    program: Program,
    signature: Signature | None = None,
    strict: bool = False,
    labels: Sequence[str] = (),
    check: NestPass | None = None,
) -> Rolled:
    """Make loop nests of a program.

    Args:
        program: a straight-line program, after every other pass, with an output for each group of
            results.
        signature: what the function takes and returns; flat arrays, if it is not given. The rows
            of a batch are summed up in each result that is not by row.
        strict: keep the order of every sum; else the terms of a sum may be reordered.
        labels: for each input, what to call the array that it is a part of.
        check: sees the nests as they are built, and after each pass over them.
    """
    signature = signature or flat_signature(program)
    totals = {k for k, x in enumerate(signature.results) if program.rows and not x.is_row}
    forms = Forms(program, strict)
    statements = StatementOrder(forms)
    groups = find_scans(make_groups(forms, statements, _arrays_of(program, signature)))

    # Where values lie, and what each group reads and writes there.
    given = given_arrays(program)
    families = find_families(forms, groups, statements)
    groups = with_origins(forms, groups, families.group_of)
    names = [bundle.name for bundle in signature.results]
    results = place_results(program, forms, groups, families, totals, names)
    accesses = shape_groups(forms, groups, families.group_of, results, given)
    accesses, data = read_tables(accesses, given.data)
    orders = longest_innermost(accesses.shapes)
    accesses = arrange(accesses, orders)
    if program.rows:
        accesses = add_rows(accesses, given.rows, results.totals)
    arrays = make_arrays(accesses, forms, groups, families.group_of, data.starts())

    # The nests, and the passes over them.
    tables = Tables()
    nests = list(_nests(accesses, NestBuilder(arrays, tables, strict)))
    order = data.order(orders)
    rolled = Rolled(
        program.name,
        program.given,
        tuple([program.data[k] for k in order]),
        tables.flat(),
        nests,
        [_output(output, arrays) for output in accesses.outputs],
        order,
        signature=signature,
        rows=program.rows,
        strict=strict,
    )
    labels = labels or [stem(var.name) for var in program.inputs]
    flat = [arrays[given.inputs], arrays[given.rows]]
    for transform in (_identity, *_passes(program, signature, rolled, flat, labels)):
        rolled = transform(rolled)
        if check is not None:
            check(rolled)
    summary = {
        "instructions": len(program.instructions),
        "groups": len(groups),
        "members": sum(len(group.members) for group in groups),
        "nests": len(rolled.nests),
        "gathers": tables.count,
    }
    return replace(rolled, summary=summary)


def _arrays_of(program: Program, signature: Signature) -> list[int]:
    """For each input, the number of the array that it is an element of; -1 for a single number.

    What is a number in each row is an array, too.
    """
    found = [-1] * (program.given + program.rows)
    for number, bundle in enumerate(signature.parameters):
        if bundle.shape is not None or bundle.is_row:
            for k in range(bundle.start, min(bundle.stop, len(found))):
                found[k] = number
    return found


def _identity(rolled: Rolled) -> Rolled:
    return rolled


def _passes(
    program: Program,
    signature: Signature,
    rolled: Rolled,
    flat: Sequence[Array],
    labels: Sequence[str],
) -> Iterator[NestPass]:
    """The passes over nests, in their order.

    Args:
        program: the program.
        signature: what its function takes and returns.
        rolled: its nests as they are built.
        flat: the inputs, and the rows of a batch.
        labels: what to call the parts of both.
    """
    yield _of_nests(fuse)
    yield drop_dimensions  # which fusion has made
    yield _of_nests(name_totals)  # of sums that are numbers now
    yield _of_nests(block_rows)
    inputs, rows = flat
    given = [group for group in signature.parameters if not group.is_row]
    yield partial(make_views, flat=inputs, groups=given, labels=labels[: program.given])
    of_rows = [
        replace(group, start=group.start - program.given)
        for group in signature.parameters if group.is_row
    ]  # fmt: skip
    row_labels = labels[program.given :][: program.rows]
    yield partial(make_views, flat=rows, groups=of_rows, labels=row_labels)
    by = {adjoint_name(group.name): group for group in signature.parameters}
    pairs = zip(signature.results, rolled.outputs, program.outputs, strict=True)
    for group, result, output in pairs:
        if isinstance(result, Array) and isinstance(output, tuple):
            primal = by.get(group.name)
            parts = _labels(output, labels[primal.start : primal.stop] if primal else ())
            alone = [replace(group, start=0)]
            yield partial(make_views, flat=result, groups=alone, labels=parts)


def _of_nests(transform: Callable[[Sequence[Nest]], Sequence[Nest]]) -> NestPass:
    return lambda rolled: replace(rolled, nests=transform(rolled.nests))


def _output(output: Returned, arrays: Mapping[Storage, Array]) -> Place | Const | Array:
    """What the nests return for an output."""
    if isinstance(output, Const):
        return output
    if isinstance(output, Storage):
        array = arrays[output]
        return array if array.space else Place(array)
    subscripts = tuple([Subscript(fitted.offset) for fitted in output.fits])
    return Place(arrays[output.storage], subscripts)


def _labels(output: Sequence[Operand], differentiated: Sequence[str]) -> list[str]:
    """What to call the arrays that the elements of a result are parts of."""
    if differentiated:
        return [f"{label}_bar" if label else "" for label in differentiated]
    return [stem(operand.name) if isinstance(operand, Var) else "" for operand in output]


def _nests(accesses: Accesses, builder: NestBuilder) -> Iterator[Nest]:
    for scan, body in groupby(accesses.groups, key=lambda shaped: shaped.group.scan):
        if scan >= 0:
            yield builder.scan(list(body))
        else:
            yield from map(builder.nest, body)
