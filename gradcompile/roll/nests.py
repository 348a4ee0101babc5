"""Shaped groups → loop nests: the order of the loops, and where sums are accumulated."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gradcompile.ir.nests import (
    BLOCK_ROWS,
    Apply,
    Array,
    Expression,
    Formula,
    Index,
    Loop,
    Nest,
    Place,
    Subscript,
)
from gradcompile.loops.fuse import fuse
from gradcompile.loops.rewrite import rewrite
from gradcompile.loops.unroll import unroll
from gradcompile.roll.affine import Fit
from gradcompile.roll.arrays import Access, Shaped, Storage
from gradcompile.roll.forms import Template
from gradcompile.roll.sums import steps_of
from gradcompile.roll.tables import Tables
from gradcompile.roll.terms import (
    SumTerms,
    constants_last,
    own_sums,
    places_read,
    short_sums,
    times_rows,
)


@dataclass(frozen=True)
class NestBuilder:
    """Builds nests of groups.

    Attributes:
        arrays: what the groups write and read.
        tables: what is looked up; tables of integers are added to it.
        strict: is the order of sums kept?
    """

    arrays: Mapping[Storage, Array]
    tables: Tables
    strict: bool

    def nest(self, shaped: Shaped, scan: Index | None = None) -> Nest:
        """The loop nest that computes a group; `scan` is the index of the scan around it."""
        members = [Index(extent) for extent in shaped.extents]
        if scan is not None:
            members[0] = scan
        row = Index(BLOCK_ROWS)
        place = self._place(shaped.result, members, row)
        around = [index for index in members if index.extent > 1 and index is not scan]
        if place.array.has_rows:
            around.append(row)
        terms = self._terms(shaped, members, row)
        if not self.strict:
            if shaped.is_total:
                terms = own_sums(terms, place, around, row)
            terms = [times_rows(sums, x, row) for sums, x in constants_last(terms)]
        group = shaped.group
        formula = Formula(place, tuple(terms), group.number, group.differentiates)
        steps = steps_of(formula, around, self.strict, shaped.is_total)
        nest = Nest(steps, (formula,), shaped.group.sweep)
        return nest if self.strict else unroll(nest)

    def scan(self, body: Sequence[Shaped]) -> Nest:
        """The loop over the rounds of a scan, with the nests of its groups in it."""
        index = Index(body[0].extents[0], is_scan=True)
        nests = fuse([self.nest(shaped, index) for shaped in body])
        formulas = [formula for nest in nests for formula in nest.formulas]
        steps = [step for nest in nests for step in nest.steps]
        scan = Nest((Loop(index, steps),), formulas, body[0].group.sweep)
        found = [place for formula in formulas for place in (formula.place, *places_read(formula))]
        if sum(_direction(place, index) for place in found) >= 0:
            return scan
        falling = {index: replace(index, falls=True)}
        return rewrite(scan, lambda place: _turned(place, index), falling)

    def _terms(self, shaped: Shaped, members: Sequence[Index], row: Index) -> SumTerms:
        """The terms of a group's sums, each with the indices that it is summed over."""
        total = (row,) if shaped.is_total else ()
        terms: SumTerms = []
        for part in shaped.terms:
            inner = [Index(extent) for extent in part.extents]
            if part.starts is not None:
                start = Place(self.tables.array(part.starts), (_linear(members),))
                (index,) = inner
                inner = [replace(index, start=start)]
            leaves = iter(self._place(leaf, [*members, *inner], row) for leaf in part.leaves)
            sums = tuple(index for index in inner if index.extent > 1 or index.start)
            expression = _expression(part.template, leaves)
            parts = [(sums, expression)] if self.strict else short_sums(sums, expression)
            terms += [((*indices, *total), x) for indices, x in parts]
        return terms

    def _place(self, access: Access, indices: Sequence[Index], row: Index) -> Place:
        array = self.arrays[access.storage]
        subscripts = tuple([self._subscript(fitted, indices) for fitted in access.fits])
        own = (Subscript(0, ((row, 1),)),) if array.has_rows else ()
        return Place(array, (*subscripts, *own))

    def _subscript(self, fitted: Fit, indices: Sequence[Index]) -> Subscript:
        strides = zip(indices, fitted.strides, strict=False)
        terms = tuple((index, stride) for index, stride in strides if stride)
        if fitted.table is None:
            return Subscript(fitted.offset, terms)
        looked_up = tuple(Subscript(0, ((indices[axis], 1),)) for axis in fitted.axes)
        return Subscript(fitted.offset, terms, Place(self.tables.array(fitted.table), looked_up))


def _linear(indices: Sequence[Index]) -> Subscript:
    """The number of a member, for the indices of its loops."""
    terms, width = [], 1
    for index in reversed(indices):
        if index.extent > 1:
            terms.append((index, width))
        width *= index.extent
    return Subscript(0, tuple(reversed(terms)))


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
