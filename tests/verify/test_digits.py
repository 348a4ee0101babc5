"""Numbers of many digits: how far two agree, and the slopes on both sides of a point."""

import math

import pytest

from gradcompile.ops.syntax import parse
from gradcompile.verify import digits
from gradcompile.verify.digits import agreeing_digits, number, numeric, slopes


def test_digits_that_agree_are_counted_from_the_largest():
    assert agreeing_digits(number(2), number(2)) == math.inf
    assert agreeing_digits(number(1000), number(1001)) == pytest.approx(3.0, abs=0.01)
    assert agreeing_digits(number(1), number(2), scale=1000) == pytest.approx(3.0)
    assert agreeing_digits(number(1), number("nan")) == 0.0
    assert agreeing_digits(number("inf"), number("inf")) == math.inf


@pytest.mark.parametrize(
    ("text", "at", "low", "high"),
    [("x * x", 3, 6, 6), ("abs(x)", 0, -1, 1), ("maximum(x, 2.0 * x)", 0, 1, 2)],
)
def test_slopes_are_those_on_both_sides(text, at, low, high):
    found = slopes(numeric(parse(text)), {"x": number(at)}, "x")
    assert [float(slope) for slope in found] == pytest.approx([low, high])


def test_there_is_no_slope_at_the_edge_of_a_domain():
    assert slopes(numeric(parse("sqrt(x)")), {"x": number(0)}, "x") is None


def test_beside_a_jump_it_is_flat():
    low, high = slopes(numeric(parse("floor(x)")), {"x": number(2)}, "x")
    assert low <= 0 <= high


def test_different_numbers_are_written_in_digits_that_tell_them_apart():
    assert digits.unlike(number(1), number(2)) == ("1.0", "2.0")
    assert digits.unlike(number(1), number(1) + number("1e-12")) == ("1.0", "1.000000000001")


def test_exponentials_of_numbers_beyond_all_measure_take_no_time():
    names = {"x": number(3) ** 5193}
    assert numeric(parse("exp(-x)"))(names) == 0
    assert numeric(parse("logaddexp(x, 1.0)"))(names) == names["x"]
    with pytest.raises(OverflowError):
        numeric(parse("exp(x)"))(names)
