"""Fusion: what may share a loop does, and nothing else."""

import pytest

from gradcompile.ir.nests import Array, Assign, Index, Place
from gradcompile.loops.fuse import fuse
from tests.loops.nests import at, inputs, loop, nest

A, B, X = Array((8,)), Array((8,)), inputs(24)


def pair(index, read=None, target=None, *, first=None, reverse=False, products=(False, False)):
    """`a[i] = x[i]`, and a second nest that reads `a` and writes `b`."""
    first = first or Index(8)
    written = loop(first, Assign(at(A, first), at(X, first)), is_product=products[0])
    read = at(A, index) if read is None else read
    target = at(B, index) if target is None else target
    return [
        nest(written),
        nest(loop(index, Assign(target, read), is_product=products[1]), reverse=reverse),
    ]


def test_a_reader_joins_its_writer():
    first, second = pair(Index(8))
    (joined,) = fuse([first, second])
    (shared,) = joined.steps
    index = first.steps[0].index
    assert shared.index is index
    assert list(shared.body) == [*first.steps[0].body, Assign(at(B, index), at(A, index))]
    assert [formula.place for formula in joined.formulas] == [at(A, index), at(B, index)]
    assert len(first.steps[0].body) == 1, "the nest that was joined is left as it was"


def table(index):
    return Place(Array((9,), space="tables"), at(A, index).subscripts)


@pytest.mark.parametrize(
    "nests",
    [
        pytest.param(lambda i: pair(i, reverse=True), id="another sweep"),
        pytest.param(lambda i: pair(i, products=(True, False)), id="a product first"),
        pytest.param(lambda i: pair(i, products=(False, True)), id="a product then"),
        pytest.param(lambda i: pair(i, first=Index(8, is_scan=True)), id="a scan"),
        pytest.param(lambda i: pair(i, first=Index(8, step=2)), id="rounds written out"),
        pytest.param(lambda i: pair(Index(8, start=table(i))), id="from a table"),
        pytest.param(lambda _: pair(Index(7)), id="another extent"),
        pytest.param(lambda i: pair(i, at(A, (i, -1, 7))), id="backwards"),
        pytest.param(lambda i: pair(i, at(A, 0)), id="one element"),
        pytest.param(lambda i: pair(i, target=at(A, (i, -1, 7))), id="written twice"),
    ],
)
def test_what_may_not_share_a_loop(nests):
    found = nests(Index(8))
    assert fuse(found) == found


def test_inner_loops_are_shared_too():
    a, b = Array((8, 5)), Array((8, 5))
    i, j, k, m = Index(8), Index(5), Index(8), Index(5)
    first = nest(loop(i, j, Assign(at(a, i, j), at(X, i))))
    second = nest(loop(k, m, Assign(at(b, k, m), at(a, k, m))))
    (joined,) = fuse([first, second])
    assert joined.steps == (
        loop(i, loop(j, Assign(at(a, i, j), at(X, i)), Assign(at(b, i, j), at(a, i, j)))),
    )


def test_an_inner_loop_that_reads_backwards_is_not_shared():
    a, b = Array((8, 5)), Array((8, 5))
    i, j, k, m = Index(8), Index(5), Index(8), Index(5)
    first = nest(loop(i, j, Assign(at(a, i, j), at(X, i))))
    second = nest(loop(k, m, Assign(at(b, k, m), at(a, k, (m, -1, 4)))))
    (joined,) = fuse([first, second])
    (outer,) = joined.steps
    assert [inner.index for inner in outer.body] == [j, m]


def test_it_joins_the_last_nest_that_it_reads_from():
    i, j, k = Index(8), Index(8), Index(8)
    c = Array((8,))
    one = nest(loop(i, Assign(at(A, i), at(X, i))))
    other = nest(loop(j, Assign(at(B, j), at(X, j))))
    reader = nest(loop(k, Assign(at(c, k), at(A, k))))
    assert [len(x.formulas) for x in fuse([one, other, reader])] == [2, 1]
