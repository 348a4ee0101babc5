"""Shrinking: what one round alone uses is a number."""

import numpy as np
import pytest

from gradcompile.ir.interpret_nests import verify_nests
from gradcompile.ir.nests import Array, Assign, Index, Place, Rolled, Total
from gradcompile.loops.rewrite import arrays_of
from gradcompile.loops.shrink import drop_dimensions, name_totals
from tests.loops.nests import at, inputs, loop, nest

RESULT = Array((8,), space="output 0")
X = inputs(8)


def rolled(*nests, outputs=(RESULT,)):
    nothing = np.zeros(0, np.int64)
    return verify_nests(Rolled("f", 8, (), nothing, nests, outputs, nothing))


def test_a_dimension_that_one_round_uses_alone_is_dropped():
    a, i = Array((8,), label="a"), Index(8)
    before = rolled(nest(loop(i, Assign(at(a, i), at(X, i)), Assign(at(RESULT, i), at(a, i)))))
    after = verify_nests(drop_dimensions(before))
    (set_a, set_result) = after.nests[0].steps[0].body
    assert set_a.place.array.shape == ()
    assert set_a.place.array.label == "a"
    assert set_result.value == set_a.place
    assert a.shape == (8,)
    assert before.nests[0].steps[0].body[0].place == at(a, i)


@pytest.mark.parametrize("read", [lambda i: (i, -1, 7), lambda _: 0], ids=["backwards", "one"])
def test_a_dimension_that_another_round_reads_is_kept(read):
    a, i, j = Array((8,)), Index(8), Index(8)
    before = rolled(
        nest(loop(i, Assign(at(a, i), at(X, i)))),
        nest(loop(j, Assign(at(RESULT, j), at(a, read(j))))),
    )
    assert a in arrays_of(drop_dimensions(before).nests)


def test_an_array_that_is_returned_is_kept():
    a, i = Array((8,)), Index(8)
    steps = loop(i, Assign(at(a, i), at(X, i)), Assign(at(RESULT, i), at(a, i)))
    before = rolled(nest(steps), outputs=(at(a, 3), RESULT))
    after = verify_nests(drop_dimensions(before))
    assert after.outputs[0] == at(a, 3)


def test_an_adjoint_belongs_to_the_array_that_was_shortened():
    a, i, j = Array((8,), label="a"), Index(8), Index(8)
    bar = Array((8,), primal=a)
    before = rolled(
        nest(loop(i, Assign(at(a, i), at(X, i)), Assign(at(RESULT, i), at(a, i)))),
        nest(loop(j, Assign(at(bar, j), at(X, j))), reverse=True),
        outputs=(at(bar, 2), RESULT),
    )
    after = verify_nests(drop_dimensions(before))
    new_a, new_bar = (x for x in arrays_of(after.nests) if not x.space)
    assert new_a.shape == ()
    assert new_bar.primal is new_a
    assert after.outputs[0].array is new_bar


def test_a_sum_is_accumulated_where_it_is_kept():
    total, s, i = Place(Total((), label="total")), Place(Array((), label="s")), Index(8)
    add = Assign(total, at(X, i), adds=True)
    nests = [nest(Assign(total, at(X, 0)), loop(i, add), Assign(s, total))]
    (after,) = name_totals(nests)
    assert list(after.steps) == [Assign(s, at(X, 0)), loop(i, Assign(s, at(X, i), adds=True))]


def test_a_sum_that_is_kept_in_an_array_has_a_variable_of_its_own():
    a, i = Array((8,)), Index(8)
    total = Place(Total((), label="total"))
    nests = [
        nest(Assign(total, at(X, 0)), Assign(at(a, 1), total), loop(i, Assign(at(a, i), total)))
    ]
    assert arrays_of(name_totals(nests)) == arrays_of(nests)
