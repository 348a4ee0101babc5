"""Products of matrices: sums of products of two elements, of which a tile is computed at once.

Where a sum over `m` adds up `a[k, m] * b[m, i]` for every `k` and `i`, each number that is read is
of use for many sums. Loops of single sums read it anew for each of them; what a product of matrices
is emitted as does not (`products.py`). So such a sum has loops of its own, which nothing joins.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from gradcompile.ir.nests import Apply, Expression, Index, Place, Subscript
from gradcompile.loops.rewrite import strides
from gradcompile.ops import table

MIN_ROW = 16
"""A row is worth vector code from so many elements on."""

MIN_ROWS = 3
"""From so many rows, or terms of each sum, on, a product takes less time than loops."""


def product(
    place: Place, around: Sequence[Index], sums: Sequence[Index], expression: Expression
) -> tuple[Index, ...] | None:
    """The loops of a product of matrices, or of sums of rows, if a term of a sum is one.

    Args:
        place: where the sums are kept.
        around: the indices that it depends on.
        sums: the indices that the term is summed over.
        expression: the term; one that is taken away is negated.

    Returns:
        `k`, `m` and `i`, where the place is `c[k, i]` and the term `a[k, m] * b[m, i]`; or where
        the place is `c[k, m]` and the term `a[k, i] * b[m, i]`. Along `i` all that depends on it
        has its elements side by side, and so has `c` along `m` in the second case. For sums of
        rows, `k` and `i`, where the place is `c[k]` and the term `a[k, i]`.
    """
    if isinstance(expression, Apply) and expression.op is table.neg:
        (expression,) = expression.operands
    if isinstance(expression, Place):
        return _sums(place, around, sums, expression)
    if not isinstance(expression, Apply) or expression.op is not table.mul:
        return None
    left, right = expression.operands
    if not (isinstance(left, Place) and isinstance(right, Place)):
        return None
    if any(_share(place, other) for other in (left, right)):
        return None
    around, sums = _plain(around), _plain(sums)
    found = place, left, right
    c, *factors = (Counter(strides(x)) for x in found)
    for a, b in (factors, reversed(factors)):
        k = _longest((x for x in around if c[x] and a[x] and not b[x]), MIN_ROWS)
        if k is None:
            continue
        i = _longest((x for x in around if c[x] == b[x] == 1 and not a[x]), MIN_ROW)
        m = _longest((x for x in sums if a[x] and b[x]), MIN_ROWS)
        if i and m and _are_slices(found, (k, m, i)):
            return k, m, i
        i = _longest((x for x in sums if a[x] == b[x] == 1), MIN_ROW)
        m = _longest((x for x in around if c[x] == 1 and b[x] and not a[x]), 2)
        if i and m and _are_slices(found, (k, m, i)):
            return k, m, i
    return None


def _share(one: Place, other: Place) -> bool:
    """May two places lie in the same memory?"""
    return one.array is other.array or (
        bool(one.array.space) and one.array.space == other.array.space
    )


def _sums(
    place: Place, around: Sequence[Index], sums: Sequence[Index], term: Place
) -> tuple[Index, ...] | None:
    if _share(place, term):
        return None
    c, a = Counter(strides(place)), Counter(strides(term))
    k = _longest((x for x in _plain(around) if c[x] and a[x]), 1)
    i = _longest((x for x in _plain(sums) if a[x] == 1), MIN_ROW)
    if k and i and _are_slices((place, term), (k, i)):
        return k, i
    return None


def _are_slices(found: Iterable[Place], indices: Collection[Index]) -> bool:
    """Will every place be a part of an array with these indices as dimensions?"""
    return all(
        _is_slice(place, subscript, indices) for place in found for subscript in place.subscripts
    )


def _is_slice(place: Place, subscript: Subscript, indices: Collection[Index]) -> bool:
    if not any(index in indices for index in subscript.indices()):
        return True
    # What is given, and results, are flat until they get views as matrices.
    is_flat = place.array.space != "" and len(subscript.terms) <= 2
    alone = len(subscript.terms) == 1 and subscript.terms[0][1] == 1
    return subscript.table is None and (is_flat or alone)


def _plain(indices: Iterable[Index]) -> list[Index]:
    return [x for x in indices if x.start is None and not x.is_scan and x.extent > 1]


def _longest(indices: Iterable[Index], rounds: int) -> Index | None:
    """The longest of some loops, if it has at least so many rounds."""
    longest = max(indices, key=lambda index: index.extent, default=None)
    return longest if longest is not None and longest.extent >= rounds else None
