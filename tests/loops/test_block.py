"""Blocking: rows that are computed each on its own run block by block, and no others."""

import pytest

from gradcompile.ir.nests import Array, Assign, Index, Place, Subscript, loops
from gradcompile.loops import block
from gradcompile.loops.block import block_rows
from tests.loops.nests import at, inputs, loop, nest

A, B, X = Array((9,)), Array((9,)), inputs(30)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Loops of more than four rounds are long."""
    monkeypatch.setattr(block, "MAX_ROUNDS_UNBLOCKED", 4)
    monkeypatch.setattr(block, "BLOCK_ROUNDS", 3)


def rows(index, target=None, value=None, *, is_product=False, reverse=False):
    target = at(A, index) if target is None else target
    value = at(X, index) if value is None else value
    return nest(loop(index, Assign(target, value), is_product=is_product), reverse=reverse)


def test_a_long_loop_runs_in_blocks():
    before = rows(Index(9))
    (blocked,) = block_rows([before])
    outer, inner = loops(blocked.steps)
    assert (outer.index.extent, inner.index.extent) == (3, 9)
    assert inner.index.block is outer.index
    assert list(inner.body) == [Assign(at(A, inner.index), at(X, inner.index))]
    assert blocked.formulas[0].place == at(A, inner.index)
    assert next(loops(before.steps)).index.block is None


def two(first, second):
    """`a[i] = x[i]`, and `b[j] = ` an element of `a`, in one nest."""
    return nest(
        loop(first, Assign(at(A, first), at(X, first))),
        loop(second, Assign(at(B, second), at(A, (second, 1, 0)))),
    )


def shifted_rows(i, j):
    return nest(loop(i, Assign(at(A, i), at(X, i))), loop(j, Assign(at(B, j), at(A, (j, -1, 8)))))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda _: rows(Index(4)), id="short"),
        pytest.param(lambda i: rows(i, is_product=True), id="a product"),
        pytest.param(lambda _: rows(Index(9, is_scan=True)), id="a scan"),
        pytest.param(lambda i: rows(i, at(Array(()))), id="a total"),
        pytest.param(lambda i: rows(i, at(X, (i, 2, 1))), id="not along a dimension"),
        pytest.param(lambda i: two(i, Index(8)), id="two extents"),
        pytest.param(lambda i: shifted_rows(i, Index(9)), id="rows of other blocks"),
        pytest.param(lambda _: nest(Assign(at(A, 0), at(X, 1))), id="no loop"),
    ],
)
def test_what_is_not_blocked(make):
    found = make(Index(9))
    assert block_rows([found]) == [found]


def test_neighbours_share_the_blocks():
    i, j, k = Index(9), Index(9), Index(9)
    c = Array((9,))
    nests = [rows(i), rows(j, at(B, j), at(A, j)), rows(k, at(c, k), at(B, k))]
    (blocked,) = block_rows(nests)
    outer, *inner = loops(blocked.steps)
    assert [x.index.block for x in inner] == [outer.index] * 3
    assert len(blocked.formulas) == 3


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(lambda j: rows(j, at(B, j), at(A, (j, -1, 8))), id="rows of other blocks"),
        pytest.param(lambda j: rows(j, at(B, j), at(A, j), reverse=True), id="another sweep"),
        pytest.param(lambda _: rows(k := Index(8), at(B, k), at(X, k)), id="another extent"),
        pytest.param(lambda j: rows(j, at(A, j)), id="written again"),
        pytest.param(lambda j: rows(j, at(B, j), at(A, 0)), id="one row"),
    ],
)
def test_what_does_not_share_them(second):
    found = block_rows([rows(Index(9)), second(Index(9))])
    assert len(found) == 2
    assert found[0].steps[0].index is not found[1].steps[0].index


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(lambda i: Subscript(1, ((i, 1),)), id="the next"),
        pytest.param(
            lambda i: Subscript(0, ((i, 1),), at(Array((9,), "tables"), i)), id="looked up"
        ),
    ],
)
def test_rows_along_another_dimension_are_other_rows(column):
    i, j = Index(9), Index(9)
    a = Array((9, 20))
    first = rows(i, Place(a, (Subscript(0, ((i, 1),)), column(i))))
    second = rows(j, at(B, j), at(a, 5, j))
    assert len(block_rows([first, second])) == 2
