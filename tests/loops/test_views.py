"""Views: what nests read in a flat array by strides is read in matrices, the rest in arguments."""

import numpy as np

from gradcompile.ir.nests import Apply, Array, Assign, Index, Place, Rolled, Subscript, places
from gradcompile.ir.signature import Bundle
from gradcompile.loops.views import make_views
from gradcompile.ops import table
from tests.loops.nests import at, inputs, loop, nest

A, B, C = Index(2), Index(3), Index(4)

TABLE = [6, 0, 4]
"""The integers of all tables."""


def read(flat, offset, *terms):
    """The element of a flat array at an offset, by indices and their strides."""
    return Place(flat, (Subscript(offset, terms),))


def seen(flat, labels, *reads, groups=None):
    """What the reads of a nest, which adds them up, become."""
    value = reads[0]
    for place in reads[1:]:
        value = Apply(table.add, (value, place))
    target = at(Array((2, 3, 4)), A, B, C)
    nests = [nest(loop(A, B, C, Assign(target, value)))]
    rolled = Rolled("f", flat.size, (), np.array(TABLE), nests, [], np.array([]))
    whole = [Bundle("inputs", flat.shape, 0)]
    (found,) = make_views(rolled, flat, groups or whole, labels).nests
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


# --- the user's arrays ---------------------------------------------------------------------------

GROUPS = [Bundle("u", (4,), 0), Bundle("w", (3, 4), 4), Bundle("c", None, 16)]
"""A vector, a matrix and a number, side by side."""

LABELS = ["u"] * 4 + ["w"] * 12 + ["c"]


def of_groups(*reads):
    """What reads of the three become: the name of each array, its shape and the subscripts."""
    flat = inputs(17)
    found = seen(flat, LABELS, *[read(flat, *x) for x in reads], groups=GROUPS)
    return [(place.array.label, place.array.shape, subscripts(place)) for place in found]


def test_elements_of_an_argument_have_its_own_subscripts():
    assert of_groups((4, (B, 4), (C, 1)), (0, (C, 1)), (16,)) == [
        ("w", (3, 4), [(0, ((B, 1),)), (0, ((C, 1),))]),
        ("u", (4,), [(0, ((C, 1),))]),
        ("c", (), []),
    ]


def test_a_diagonal_has_one_index_in_both_dimensions_and_a_column_is_none_of_strides():
    assert of_groups((4, (B, 5)), (7, (B, 4)), (15, (B, -5))) == [
        ("w", (3, 4), [(0, ((B, 1),)), (0, ((B, 1),))]),
        ("w", (3, 4), [(0, ((B, 1),)), (3, ())]),
        ("w", (3, 4), [(2, ((B, -1),)), (3, ((B, -1),))]),
    ]


def test_strides_that_leave_a_row_are_those_of_the_argument_as_a_vector():
    ((label, shape, found),) = of_groups((6, (C, 3)))  # w[0, 2], w[1, 1], w[2, 0], w[2, 3]
    assert (label, shape, found) == ("w", (12,), [(2, ((C, 3),))])


def test_what_goes_across_arguments_stays_in_the_flat_array():
    flat = inputs(17)
    across = Place(flat, (Subscript(0, ((Index(17), 1),)),))
    looked_up = Place(flat, (Subscript(8, (), at(Array((3,), "tables", 0), B)),))
    beyond = Place(flat, (Subscript(10, (), at(Array((3,), "tables", 0), B)),))
    found = seen(flat, LABELS, across, looked_up, beyond, groups=GROUPS)
    assert [(x.array.space, x.array.start, x.array.shape) for x in found] == [
        ("inputs", 0, (17,)),
        ("inputs", 4, (12,)),  # w[1, 0], w[2, 2], w[2, 0]
        ("inputs", 0, (17,)),
    ]
