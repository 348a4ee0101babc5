"""The terms of a formula before they have loops: which are added where, and how often."""

from collections.abc import Sequence

from gradcompile.ir.nests import COUNT, Apply, Expression, Formula, Index, Place, places
from gradcompile.ir.program import Const
from gradcompile.loops.rewrite import added, shifted
from gradcompile.ops import table
from gradcompile.roll.matrix_products import product

MAX_TERMS_WRITTEN_OUT = 3
"""A sum of so many terms is written out."""

SumTerms = list[tuple[tuple[Index, ...], Expression]]


def constants_last(terms: SumTerms) -> SumTerms:
    """The terms with all constants added up."""
    constants = [x.value for sums, x in terms if not sums and isinstance(x, Const)]
    if len(constants) < 2:
        return terms
    others = [(sums, x) for sums, x in terms if sums or not isinstance(x, Const)]
    return [*others, ((), Const(sum(constants)))]


def own_sums(terms: SumTerms, place: Place, around: Sequence[Index], row: Index) -> SumTerms:
    """The terms of a total, those first that are summed over the rows alone."""
    by_row = (row,)
    own = _apart([x for sums, x in terms if sums == by_row], place, around, row)
    return [*((by_row, x) for x in own), *(term for term in terms if term[0] != by_row)]


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
        return [added(expressions)] if expressions else []
    same = [x for x in addends if not _varies(x, row)]
    return [*products, *(added(part) for part in (others, same) if part)]


def _addends(expression: Expression) -> list[Expression]:
    """What an expression is the sum of."""
    if isinstance(expression, Apply) and expression.op in (table.add, table.sub):
        left, right = map(_addends, expression.operands)
        return [*left, *(right if expression.op is table.add else map(_negated, right))]
    return [expression]


def _negated(expression: Expression) -> Expression:
    if isinstance(expression, Apply) and expression.op is table.neg:
        return expression.operands[0]
    return Apply(table.neg, (expression,))


def times_rows(
    sums: tuple[Index, ...], expression: Expression, row: Index
) -> tuple[tuple[Index, ...], Expression]:
    """A term of a total that is the same for every row: as often as there are rows."""
    if row not in sums or _varies(expression, row):
        return sums, expression
    rest = tuple(index for index in sums if index is not row)
    if expression == Const(0.0):
        return rest, expression
    return rest, Apply(table.mul, (Place(COUNT), expression))


def _varies(expression: Expression, row: Index) -> bool:
    """Does it depend on the row?"""
    return any(row in place.indices() for place in places(expression))


def short_sums(sums: tuple[Index, ...], expression: Expression) -> SumTerms:
    """The terms of a sum of a few, one by one; another sum as it is."""
    if len(sums) != 1 or sums[0].start is not None or sums[0].extent > MAX_TERMS_WRITTEN_OUT:
        return [(sums, expression)]
    (index,) = sums
    return [((), shifted(expression, index, k, keep=False)) for k in range(index.extent)]


def places_read(formula: Formula) -> list[Place]:
    """List every place that a formula reads."""
    return [place for _, expression in formula.terms for place in places(expression)]
