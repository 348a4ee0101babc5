"""Shaped groups → loop nests: the order of the loops, and where sums are accumulated."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from gradcompile import ops
from gradcompile.ir import Const
from gradcompile.nests import (
    COUNT,
    ROWS,
    Apply,
    Array,
    Assign,
    Expression,
    Formula,
    Index,
    Integers,
    Loop,
    Nest,
    Place,
    Step,
    Subscript,
    Total,
    places,
    rewrite_nest,
    shifted,
    strides,
)
from gradcompile.roll.affine import Fit
from gradcompile.roll.arrays import Access, Shaped
from gradcompile.roll.forms import Template
from gradcompile.roll.fuse import fuse
from gradcompile.roll.products import product

SHORT = 4
"""A loop of fewer rounds is a bad innermost one."""

ONE_LINE = 4
"""The most terms that are added in one expression."""

FEW = 3
"""A sum of so many terms is written out."""

ROUNDS = (4, 3, 2)
"""How many rounds of a loop are written out as one, if the extent is a multiple."""

LONGEST = 16
"""The most operations that are written out so."""

_COSTS = {0: 0, 1: 1, -1: 2}
"""What reading a next element costs, by how far away it is; anything else costs 4."""


class Tables:
    """The integers of every table, one after the other, each table once."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[tuple[int, ...], bytes], Array] = {}
        self._tables: list[Integers] = []
        self._size = 0

    def array(self, table: Integers) -> Array:
        """The array that holds a table."""
        key = (table.shape, table.tobytes())
        if key not in self._arrays:
            self._arrays[key] = Array(table.shape, space="tables", start=self._size)
            self._tables.append(table.ravel())
            self._size += table.size
        return self._arrays[key]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._tables)

    def flat(self) -> Integers:
        """All of them."""
        return np.concatenate(self._tables) if self._tables else np.zeros(0, np.int64)


def build(shaped: Shaped, tables: Tables, strict: bool, step: Index | None = None) -> Nest:
    """The loop nest that computes a group; `step` is the index of the scan around it."""
    members = [Index(extent) for extent in shaped.extents]
    if step is not None:
        members[0] = step
    row = Index(ROWS)
    place = _place(shaped.place, members, tables, row)
    total = (row,) if shaped.is_total else ()
    terms: Terms = []
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
            terms += [((*rest, *total), x) for rest, x in _short(sums, expression)]
    around = [index for index in members if index.extent > 1 and index is not step]
    if place.array.has_rows:
        around.append(row)
    if not strict and shaped.is_total:
        apart = _apart([x for sums, x in terms if sums == total], place, around, row)
        terms = [*((total, x) for x in apart), *(term for term in terms if term[0] != total)]
    if not strict:
        terms = [_times_rows(sums, x, row) for sums, x in _constants_last(terms)]
    formula = Formula(place, tuple(terms))
    steps = _steps(formula, around, strict, shaped.is_total)
    return Nest(steps, [formula], shaped.group.reverse)


Terms = list[tuple[tuple[Index, ...], Expression]]


def _constants_last(terms: Terms) -> Terms:
    """The terms with all constants added up."""
    constants = [x.value for sums, x in terms if not sums and isinstance(x, Const)]
    if len(constants) < 2:
        return terms
    others = [(sums, x) for sums, x in terms if sums or not isinstance(x, Const)]
    return [*others, ((), Const(sum(constants)))]


def _apart(
    expressions: Sequence[Expression], place: Place, around: Sequence[Index], row: Index
) -> list[Expression]:
    """What is summed up over the rows on its own, of all that a row adds to a total.

    Products of matrices are, and sums of what is kept for each row. Everything else stays together:
    what nearly cancels in each row must do so before it is summed up.
    """
    addends = [addend for x in expressions for addend in _addends(x)]
    varying = [x for x in addends if _varies(x, row)]
    found = [product(place, around, [row], x) for x in varying]
    products = [
        x for x, indices in zip(varying, found, strict=True) if indices and len(indices) > 2
    ]
    others = [x for x in varying if not any(x is y for y in products)]
    if not products and not (len(varying) == 1 and found[0]):
        return [_sum(expressions)] if expressions else []
    same = [x for x in addends if not _varies(x, row)]
    return [*products, *(_sum(part) for part in (others, same) if part)]


def _addends(expression: Expression) -> list[Expression]:
    """What an expression is the sum of."""
    if isinstance(expression, Apply) and expression.op in (ops.add, ops.sub):
        left, right = map(_addends, expression.operands)
        return [*left, *(right if expression.op is ops.add else map(_negated, right))]
    return [expression]


def _negated(expression: Expression) -> Expression:
    if isinstance(expression, Apply) and expression.op is ops.neg:
        return expression.operands[0]
    return Apply(ops.neg, (expression,))


def _times_rows(
    sums: tuple[Index, ...], expression: Expression, row: Index
) -> tuple[tuple[Index, ...], Expression]:
    """A term of a total that is the same for every row: as often as there are rows."""
    if row not in sums or _varies(expression, row):
        return sums, expression
    rest = tuple(index for index in sums if index is not row)
    if expression == Const(0.0):
        return rest, expression
    return rest, Apply(ops.mul, (Place(COUNT), expression))


def _varies(expression: Expression, row: Index) -> bool:
    """Does it depend on the row?"""
    return any(row in place.indices() for place in places(expression))


def _short(sums: tuple[Index, ...], expression: Expression) -> Terms:
    """The terms of a sum of a few, one by one; another sum as it is."""
    if len(sums) != 1 or sums[0].start is not None or sums[0].extent > FEW:
        return [(sums, expression)]
    (index,) = sums
    return [((), shifted(expression, index, k, keep=False)) for k in range(index.extent)]


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
    found = [place for formula in formulas for place in (formula.place, *_places(formula))]
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
        table = subscript.table and _turned(subscript.table, index)
        subscripts.append(Subscript(offset, tuple(terms), table))
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


def _steps(formula: Formula, around: list[Index], strict: bool, adds: bool = False) -> list[Step]:
    """The loops of a formula; `adds` to what the place holds, if it sums up the rows of a batch."""
    if strict:
        return _loops_of_sums(formula, around, strict, adds)
    rest, products = [], []
    for sums, expression in formula.terms:
        found = product(formula.place, around, sums, expression)
        if found is None:
            rest.append((sums, expression))
        else:
            products += _product(formula.place, [*around, *sums], found, expression)
    if products and not rest:
        rest = [] if adds else [((), Const(0.0))]
    others = Formula(formula.place, tuple(rest))
    return [*(_loops_of_sums(others, around, strict, adds) if rest else []), *products]


def _product(
    place: Place, indices: Sequence[Index], inside: Sequence[Index], expression: Expression
) -> list[Step]:
    """The loops of a product of matrices, inside of all others."""
    outside = [index for index in indices if index not in inside]
    assign: Step = Assign(place, expression, adds=True)
    (loop,) = _loops(inside, [assign])
    assert isinstance(loop, Loop)
    return _loops(outside, [replace(loop, is_product=True)])


def _loops_of_sums(formula: Formula, around: list[Index], strict: bool, adds: bool) -> list[Step]:
    if len(formula.terms) <= ONE_LINE and not any(sums for sums, _ in formula.terms):
        value = _sum([expression for _, expression in formula.terms])
        order = _ordered(around, [formula.place, *_places(formula)])
        return _loops(order, [Assign(formula.place, value, adds)])
    if adds:
        return _sums_innermost(formula, around, strict, adds)
    sums = [index for indices, _ in formula.terms for index in indices]
    order = _ordered([*around, *sums], [formula.place, *_places(formula)])
    innermost = order[-1] if order else None
    if around and around[-1].is_row:
        return _rows_innermost(formula, around, around[-1], strict)
    if innermost in around and not any(index.start for index in sums):
        return _rows_innermost(formula, around, innermost, strict)
    return _sums_innermost(formula, around, strict, adds)


def _sums_innermost(formula: Formula, around: list[Index], strict: bool, adds: bool) -> list[Step]:
    """Each member in turn: its sum is accumulated in a variable."""
    is_number = not formula.place.array.shape
    total = formula.place if is_number and not adds else Place(Total((), label="total"))
    body = _accumulate(formula, total, [], strict)
    if total is not formula.place:
        body.append(Assign(formula.place, total, adds))
    return _loops(_ordered(around, [formula.place]), body)


def _rows_innermost(
    formula: Formula, around: list[Index], innermost: Index, strict: bool
) -> list[Step]:
    """All members along one index at a time: their sums are accumulated where they are kept."""
    outer = [index for index in around if index is not innermost]
    body = _accumulate(formula, formula.place, [innermost], strict)
    return _loops(_ordered(outer, [formula.place]), body)


def _accumulate(formula: Formula, total: Place, inside: list[Index], strict: bool) -> list[Step]:
    """Set the total to the terms that need no loop, then add the others."""
    terms = list(formula.terms)
    first: list[Expression] = []
    if strict:
        while terms and not terms[0][0]:
            first.append(terms.pop(0)[1])
    else:
        first = [expression for sums, expression in terms if not sums]
        terms = [(sums, expression) for sums, expression in terms if sums]
    # -0.0 + x is x for every x; 0.0 + -0.0 is not.
    value = _sum(first[:ONE_LINE]) if first else Const(-0.0 if strict else 0.0)
    steps = _loops(inside, [Assign(total, value)])
    for sums, expression in [*(((), x) for x in first[ONE_LINE:]), *terms]:
        order = list(sums) if strict else _ordered(sums, list(places(expression)))
        wide = bool(inside) and not strict
        value = _written_out(expression, order[-1:]) if wide else expression
        steps += _loops([*order, *inside], [Assign(total, value, adds=True)])
    return steps


def _written_out(expression: Expression, innermost: Sequence[Index]) -> Expression:
    """Some rounds of a loop in one, so that what it adds to is loaded and stored less often."""
    for index in innermost:
        step = next((k for k in ROUNDS if index.extent % k == 0), 1)
        if index.start is None and not index.is_scan and step * _size(expression) <= LONGEST:
            index.step = step
            return _sum([shifted(expression, index, k) for k in range(step)])
    return expression


def _size(expression: Expression) -> int:
    """How many operations an expression has, and 1."""
    if not isinstance(expression, Apply):
        return 1
    return 1 + sum(_size(x) for x in expression.operands if isinstance(x, Apply))


def _sum(expressions: Sequence[Expression]) -> Expression:
    total = expressions[0]
    for expression in expressions[1:]:
        if isinstance(expression, Apply) and expression.op is ops.neg:
            total = Apply(ops.sub, (total, *expression.operands))
        else:
            total = Apply(ops.add, (total, expression))
    return total


def _loops(indices: Iterable[Index], body: list[Step]) -> list[Step]:
    for index in reversed(list(indices)):
        body = [Loop(index, body)]
    return body


def _places(formula: Formula) -> list[Place]:
    return [place for _, expression in formula.terms for place in places(expression)]


# --- the order of loops ------------------------------------------------------------------------


def _ordered(indices: Sequence[Index], used: Sequence[Place]) -> list[Index]:
    """The order of loops in which neighbouring elements are read one after the other."""
    if indices and indices[-1].is_row:
        return list(indices)
    reads = [strides(place) for place in used]

    def cost(index: Index) -> tuple[int, int]:
        total = sum(_COSTS.get(found.get(index, 0), 4) for found in reads)
        return total + 4 * (index.extent < SHORT), -index.extent

    costs = [cost(index) for index in indices]
    if not indices:
        return []
    # Only the innermost loop matters for speed; the others keep the order of the program.
    best = min(range(len(indices)), key=lambda k: (costs[k][0], -k))
    return [index for k, index in enumerate(indices) if k != best] + [indices[best]]
