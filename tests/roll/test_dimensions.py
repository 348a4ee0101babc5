"""Dimensions: which one of an array is the innermost."""

import pytest

from gradcompile.roll.dimensions import MIN_EXTENT_TO_MOVE, longest_innermost

LONG = 2 * MIN_EXTENT_TO_MOVE


@pytest.mark.parametrize(
    ("shape", "order"),
    [
        ((LONG, 3), (1, 0)),
        ((2, LONG, 3), (0, 2, 1)),
        ((LONG, LONG, 3), (0, 2, 1)),  # of two as long, the inner one
        ((LONG, LONG // 2), (1, 0)),
        ((LONG, LONG // 2 + 1), None),
        ((3, LONG), None),
        ((MIN_EXTENT_TO_MOVE, 3), (1, 0)),
        ((MIN_EXTENT_TO_MOVE - 1, 3), None),
        ((LONG,), None),
    ],
)
def test_a_dimension_that_is_much_longer_goes_inside(shape, order):
    assert longest_innermost({"array": shape}) == ({} if order is None else {"array": order})
