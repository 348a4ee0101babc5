"""Which sums are products of matrices, and which are not."""

import pytest

from gradcompile.ir.nests import Apply, Array, Index, Place, Subscript
from gradcompile.ops import table
from gradcompile.roll.matrix_products import product
from tests.loops.nests import at

C, A, B = Array((5, 20)), Array((5, 6)), Array((6, 20))


def found(k=5, m=6, i=20, place=None, left=None, right=None, op=table.mul):
    """The loops of `c[k, i] += a[k, m] * b[m, i]`, by name, or of a variation on it."""
    k, m, i = (x if isinstance(x, Index) else Index(x) for x in (k, m, i))
    place = place(k, m, i) if place else at(C, k, i)
    left = left(k, m, i) if left else at(A, k, m)
    right = right(k, m, i) if right else at(B, m, i)
    around = [x for x in (k, m, i) if x in place.indices()]
    sums = [x for x in (k, m, i) if x not in around]
    names = {k: "k", m: "m", i: "i"}
    loops = product(place, around, sums, Apply(op, (left, right)))
    return loops and "".join(names[x] for x in loops)


def test_a_product():
    assert found() == "kmi"


def test_factors_in_the_other_order():
    assert found(left=lambda _, m, i: at(B, m, i), right=lambda k, m, _: at(A, k, m)) == "kmi"


def test_sums_over_rows_side_by_side():
    c, a, b = Array((5, 6)), Array((5, 20)), Array((6, 20))
    assert found(
        place=lambda k, m, _: at(c, k, m),
        left=lambda k, _, i: at(a, k, i),
        right=lambda _, m, i: at(b, m, i),
    ) == "kmi"  # fmt: skip


def test_what_is_taken_away():
    k, m, i = Index(5), Index(6), Index(20)
    term = Apply(table.neg, (Apply(table.mul, (at(A, k, m), at(B, m, i))),))
    assert product(at(C, k, i), [k, i], [m], term) == (k, m, i)


def looked_up(terms):
    def place(_, m, i):
        row = at(Array((6,), space="tables"), m)
        return Place(B, (Subscript(0, ((m, 1),)[:terms], row), Subscript(0, ((i, 1),))))

    return place


GIVEN = Array((300,), space="output 1")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"k": 2}, id="few rows"),
        pytest.param({"m": 2}, id="few terms"),
        pytest.param({"i": 15}, id="short rows"),
        pytest.param({"op": table.add}, id="a sum"),
        pytest.param({"m": Index(6, is_scan=True)}, id="a scan"),
        pytest.param({"m": Index(6, start=at(Array((9,), "tables"), 0))}, id="from a table"),
        pytest.param({"left": lambda k, m, _: at(C, k, m)}, id="the array itself"),
        pytest.param({"right": lambda _, m, i: at(C, m, i)}, id="the array itself, last"),
        pytest.param(
            {"place": lambda k, _, i: at(Array((5, 20), GIVEN.space), k, i),
             "left": lambda k, m, _: at(Array((5, 6), GIVEN.space), k, m)},
            id="parts of one array",
        ),
        pytest.param({"right": looked_up(0)}, id="looked up"),
        pytest.param({"right": looked_up(1)}, id="looked up, and a stride"),
        pytest.param({"right": lambda _, m, i: at(B, m, (i, -1, 19))}, id="backwards"),
        pytest.param({"right": lambda _, m, i: at(B, i, m)}, id="elements far apart"),
        pytest.param({"left": lambda k, m, _: at(A, k, (m, 2, 0))}, id="every other element"),
    ],
)  # fmt: skip
def test_what_is_none(change):
    assert found(**change) is None


def sums(k, i, term=None, place=None):
    k, i = Index(k), Index(i)
    place = place(k) if place else at(Array((5,)), k)
    term = term(k, i) if term else at(C, k, i)
    return product(place, [k], [i], term) == (k, i)


def test_sums_of_rows():
    assert sums(5, 20)
    assert not sums(5, 15)
    assert not sums(5, 20, lambda k, i: at(C, k, (i, -1, 19)))
    assert not sums(5, 20, place=lambda k: at(C, k, 0))
