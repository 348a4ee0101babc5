"""Shaped groups → loop nests: the order of the loops, and where sums are accumulated."""

from collections.abc import Iterable, Sequence

from gradcompile.ir.nests import (
    BLOCK_ROWS,
    Apply,
    Expression,
    Formula,
    Index,
    Loop,
    Nest,
    Place,
    Subscript,
)
from gradcompile.loops.fuse import fuse
from gradcompile.loops.rewrite import rewrite_nest
from gradcompile.roll.affine import Fit
from gradcompile.roll.arrays import Access, Shaped
from gradcompile.roll.forms import Template
from gradcompile.roll.sums import steps_of
from gradcompile.roll.tables import Tables
from gradcompile.roll.terms import (
    SumTerms,
    apart,
    constants_last,
    places_read,
    short_sums,
    times_rows,
)


def build(shaped: Shaped, tables: Tables, strict: bool, step: Index | None = None) -> Nest:
    """The loop nest that computes a group; `step` is the index of the scan around it."""
    members = [Index(extent) for extent in shaped.extents]
    if step is not None:
        members[0] = step
    row = Index(BLOCK_ROWS)
    place = _place(shaped.place, members, tables, row)
    total = (row,) if shaped.is_total else ()
    terms: SumTerms = []
    for part in shaped.terms:
        inner = [Index(extent) for extent in part.extents]
        if part.starts is not None:
            inner[0].start = Place(tables.array(part.starts), (_linear(members),))
        leaves = iter(_place(leaf, [*members, *inner], tables, row) for leaf in part.leaves)
        sums = tuple(index for index in inner if index.extent > 1 or index.start)
        expression = _expression(part.template, leaves)
        if strict:
            terms.append(((*sums, *total), expression))
        else:
            terms += [((*rest, *total), x) for rest, x in short_sums(sums, expression)]
    around = [index for index in members if index.extent > 1 and index is not step]
    if place.array.has_rows:
        around.append(row)
    if not strict and shaped.is_total:
        own = apart([x for sums, x in terms if sums == total], place, around, row)
        terms = [*((total, x) for x in own), *(term for term in terms if term[0] != total)]
    if not strict:
        terms = [times_rows(sums, x, row) for sums, x in constants_last(terms)]
    formula = Formula(place, tuple(terms))
    steps = steps_of(formula, around, strict, shaped.is_total)
    return Nest(steps, [formula], shaped.group.reverse)


def _linear(indices: Sequence[Index]) -> Subscript:
    """The number of a member, for the indices of its loops."""
    terms, width = [], 1
    for index in reversed(indices):
        if index.extent > 1:
            terms.append((index, width))
        width *= index.extent
    return Subscript(0, tuple(reversed(terms)))


def build_scan(body: Sequence[Shaped], tables: Tables, strict: bool) -> Nest:
    """The loop over the rounds of a scan, with the nests of its groups in it."""
    round_ = Index(body[0].extents[0], is_scan=True)
    nests = fuse([build(shaped, tables, strict, round_) for shaped in body])
    formulas = [formula for nest in nests for formula in nest.formulas]
    steps = [step for nest in nests for step in nest.steps]
    scan = Nest([Loop(round_, steps)], formulas, body[0].group.reverse)
    found = [place for formula in formulas for place in (formula.place, *places_read(formula))]
    if sum(_direction(place, round_) for place in found) < 0:
        round_.falls = True
        rewrite_nest(scan, lambda place: _turned(place, round_))
    return scan


def _direction(place: Place, index: Index) -> int:
    strides = [stride for s in place.subscripts for i, stride in s.terms if i is index]
    return sum((stride > 0) - (stride < 0) for stride in strides)


def _turned(place: Place, index: Index) -> Place:
    """The place where an index counts down instead of up."""
    subscripts = []
    for subscript in place.subscripts:
        offset = subscript.offset
        terms = []
        for other, stride in subscript.terms:
            if other is index:
                offset += stride * (index.extent - 1)
            terms.append((other, -stride if other is index else stride))
        looked_up = subscript.table and _turned(subscript.table, index)
        subscripts.append(Subscript(offset, tuple(terms), looked_up))
    return Place(place.array, tuple(subscripts))


def _place(access: Access, indices: Sequence[Index], tables: Tables, row: Index) -> Place:
    subscripts = tuple(_subscript(f, indices, tables) for f in access.fits)
    own = (Subscript(0, ((row, 1),)),) if access.array.has_rows else ()
    return Place(access.array, (*subscripts, *own))


def _subscript(fitted: Fit, indices: Sequence[Index], tables: Tables) -> Subscript:
    strides = zip(indices, fitted.strides, strict=False)
    terms = tuple((index, stride) for index, stride in strides if stride)
    if fitted.table is None:
        return Subscript(fitted.offset, terms)
    looked_up = tuple(Subscript(0, ((indices[axis], 1),)) for axis in fitted.axes)
    return Subscript(fitted.offset, terms, Place(tables.array(fitted.table), looked_up))


def _expression(template: Template, leaves: Iterable[Place]) -> Expression:
    supply = iter(leaves)

    def instantiate(part: Template) -> Expression:
        if part.kind:
            return next(supply)
        if part.op is None:
            assert part.number is not None
            return part.number
        return Apply(part.op, tuple(instantiate(x) for x in part.parts))

    return instantiate(template)


# --- loops -------------------------------------------------------------------------------------


# --- the order of loops ------------------------------------------------------------------------
