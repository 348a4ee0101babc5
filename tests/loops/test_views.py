"""Views: what nests read in a flat array by strides is read in matrices, the rest in arguments."""

from gradcompile.ir.nests import Apply, Array, Assign, Index, Place, Subscript, places
from gradcompile.loops.views import make_views
from gradcompile.ops import table
from tests.loops.nests import at, inputs, loop, nest

A, B, C = Index(2), Index(3), Index(4)


def read(flat, offset, *terms):
    """The element of a flat array at an offset, by indices and their strides."""
    return Place(flat, (Subscript(offset, terms),))


def seen(flat, labels, *reads):
    """What the reads of a nest, which adds them up, become."""
    value = reads[0]
    for place in reads[1:]:
        value = Apply(table.add, (value, place))
    target = at(Array((2, 3, 4)), A, B, C)
    (found,) = make_views([nest(loop(A, B, C, Assign(target, value)))], flat, labels)
    (formula,) = found.formulas
    return [place for _, term in formula.terms for place in places(term)]


def subscripts(place):
    return [(x.offset, x.terms) for x in place.subscripts]


def test_nested_strides_are_the_dimensions_of_a_matrix():
    flat = inputs(30)
    (place,) = seen(flat, ["w"] * 30, read(flat, 5, (A, 12), (B, 4), (C, 1)))
    array = place.array
    assert (array.shape, array.space, array.start, array.label) == ((2, 3, 4), "inputs", 5, "w")
    assert subscripts(place) == [(0, ((A, 1),)), (0, ((B, 1),)), (0, ((C, 1),))]


def test_rows_that_overlap_are_one_matrix():
    flat = inputs(28)
    right, left = seen(
        flat, ["w"] * 28, read(flat, 4, (B, 8), (C, 1)), read(flat, 0, (B, 8), (C, 1))
    )
    assert right.array is left.array
    assert right.array.shape == (3, 8)
    assert subscripts(right) == [(0, ((B, 1),)), (4, ((C, 1),))]


def test_a_finer_division_of_the_same_rows_is_that_of_the_matrix():
    flat = inputs(24)
    coarse, fine = seen(
        flat, ["w"] * 24, read(flat, 0, (B, 8), (C, 1)), read(flat, 0, (B, 8), (A, 4), (C, 1))
    )
    assert coarse.array is fine.array
    assert fine.array.shape == (3, 2, 4)


def test_other_rows_are_another_matrix():
    flat = inputs(48)
    one, other = seen(
        flat, ["w"] * 24 + ["v"] * 24, read(flat, 0, (B, 8), (C, 1)), read(flat, 24, (B, 8), (C, 1))
    )
    assert [(x.array.start, x.array.label) for x in (one, other)] == [(0, "w"), (24, "v")]


def test_what_is_in_no_matrix_is_in_an_argument():
    flat = inputs(10)
    labels = ["w"] * 6 + ["b"] * 3 + ["c"]
    some, whole, element, number = seen(
        flat, labels, read(flat, 1, (C, 1)), read(flat, 6, (B, 1)), read(flat, 7), read(flat, 9)
    )
    assert (some.array.start, some.array.shape, some.array.label) == (1, (4,), "w")
    assert subscripts(some) == [(0, ((C, 1),))]
    assert (whole.array.start, whole.array.shape, whole.array.label) == (6, (3,), "b")
    assert subscripts(whole) == [(0, ((B, 1),))]
    assert element.array is whole.array
    assert subscripts(element) == [(1, ())]
    assert (number.array.start, number.array.shape, number.array.label) == (9, (), "c")


def test_parts_of_an_argument_that_are_not_side_by_side_stay_in_it():
    flat = inputs(10)
    backwards, by_step = seen(
        flat, ["w"] * 10, read(flat, 5, (C, -1)), read(flat, 1, (Index(8, step=2), 1))
    )
    assert backwards.array is by_step.array
    assert (by_step.array.start, by_step.array.shape) == (0, (10,))
