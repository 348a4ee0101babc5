"""Unrolling: rounds that add to the same row are written out as one."""

import pytest

from gradcompile.ir.nests import Apply, Array, Assign, Formula, Index, Nest, loops
from gradcompile.ir.sweeps import FORWARD_SWEEP
from gradcompile.loops.unroll import unroll
from gradcompile.ops import table
from tests.loops.nests import at, inputs, loop

ROW, A, X = Array((20,)), Array((12, 20)), inputs(300)


def adding(index, inner, value=None, row=None, **options):
    value = at(A, index, inner) if value is None else value
    row = at(ROW, inner) if row is None else row
    steps = (loop(index, loop(inner, Assign(row, value, adds=True)), **options),)
    return Nest(steps, (Formula(row, (((index,), value),)),), FORWARD_SWEEP)


@pytest.mark.parametrize(("extent", "step"), [(12, 4), (9, 3), (10, 2), (16, 4), (6, 3)])
def test_as_many_rounds_as_divide_the_extent(extent, step):
    index, inner = Index(extent), Index(20)
    found = unroll(adding(index, inner))
    outer, _ = loops(found.steps)
    assert (outer.index.step, outer.index.extent) == (step, extent)
    terms = [at(A, (outer.index, 1, k), inner) for k in range(step)]
    (assign,) = outer.body[0].body
    total = terms[0]
    for term in terms[1:]:
        total = Apply(table.add, (total, term))
    assert assign.value == total
    assert found.formulas[0].terms == (((outer.index,), terms[0]),)
    assert index.step == 1


def large(index, inner):
    value = at(A, index, inner)
    for _ in range(8):
        value = Apply(table.sin, (value,))
    return value


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda i, j: adding(Index(11), j), id="a prime number of rounds"),
        pytest.param(lambda i, j: adding(i, j, is_product=True), id="a product"),
        pytest.param(lambda i, j: adding(i, j, large(i, j)), id="too many operations"),
        pytest.param(lambda i, j: adding(i, j, row=at(A, i, j)), id="a row of its own"),
        pytest.param(lambda i, j: adding(i, j, row=at(X, 3)), id="a number"),
        pytest.param(
            lambda i, j: adding(Index(12, start=at(Array((9,), "tables"), 1)), j), id="from a table"
        ),
    ],
)
def test_what_is_left(make):
    nest = make(Index(12), Index(20))
    assert unroll(nest) is nest


def test_at_any_depth():
    k, i, j = Index(5), Index(12), Index(20)
    c, a = Array((5, 20)), Array((5, 12, 20))
    steps = (loop(k, i, j, Assign(at(c, k, j), at(a, k, i, j), adds=True)),)
    found = unroll(Nest(steps, (), FORWARD_SWEEP))
    assert [x.index.step for x in loops(found.steps)] == [1, 4, 1]
