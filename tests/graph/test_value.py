"""Eager values: what asks them for a plain number, or for their truth."""

import cmath
import math

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value

DETACHING = {
    "float": float,
    "int": int,
    "complex": complex,
    "math.exp": math.exp,
    "math.hypot": lambda v: math.hypot(v, 1.0),
    "cmath.exp": cmath.exp,
    "an item of an array": lambda v: np.zeros(3).__setitem__(0, v),
    "a slice of an array": lambda v: np.zeros(3).__setitem__(slice(2), v),
    "an array filled": lambda v: np.zeros(3).fill(v),
    "np.array": lambda v: np.array([v, v], float),
    "np.array of float32": lambda v: np.array([[v]], np.float32),
    "np.asarray": lambda v: np.asarray(v, dtype=float),
    "np.float64": np.float64,
    "np.fromiter": lambda v: np.fromiter([v], float),
    "astype": lambda v: np.array([v]).astype(float),
    "%": lambda v: "%.3f" % v,  # noqa: UP031
}
"""By the way that Python or numpy asks for a plain number."""


@pytest.mark.parametrize("way", DETACHING)
def test_a_value_does_not_become_a_plain_number(way):
    with pytest.raises(TypeError, match=r"gradient would be lost: use `\.data` .* gdc\.exp"):
        DETACHING[way](Value(2.0))


def test_its_data_does():
    x = Value(2.0)
    assert math.exp(x.data) == gdc.exp(x).data
    assert np.array([x.data], float).tolist() == [2.0]


@pytest.mark.parametrize("spec", [".3f", "8.2e", "g", ">10"])
def test_a_value_is_formatted_as_its_number(spec):
    assert format(Value(2.0 / 3.0), spec) == format(2.0 / 3.0, spec)


def test_without_a_format_it_is_shown_whole():
    x = Value(2.0, label="x")
    assert f"{x}" == str(x) == "Value(data=2.0, grad=0.0, label='x')"


def test_a_traced_value_is_formatted_as_its_name():
    seen = []

    def f(x):
        seen.extend([f"{x:.3f}", f"{x}"])
        return x * x

    assert gdc.compile(f)(3.0) == 9.0
    assert seen == ["TracedValue(x)"] * 2


# --- truth -------------------------------------------------------------------------------------

UNDECIDED = {
    "if": lambda a, b: 1 if a else 2,
    "a comparison": lambda a, b: 1 if a < b else 2,
    "max": max,
    "min": min,
    "sorted": lambda a, b: sorted([a, b]),
    "and": lambda a, b: a and b,
    "not": lambda a, b: not a,
    "any": lambda a, b: any([a, b]),
    "equality with a number": lambda a, b: bool(a == 2.0),
    "inequality with a number": lambda a, b: bool(a != 2.0),
    "a number in a list": lambda a, b: a in [2.0],
    "np.sort": lambda a, b: np.sort(np.array([a, b])),
}


@pytest.mark.parametrize("way", UNDECIDED)
def test_a_value_is_neither_true_nor_false(way):
    with pytest.raises(TypeError, match=r"`\.data`, or keep the gradient by gdc\.maximum") as e:
        UNDECIDED[way](Value(2.0), Value(3.0))
    assert "compiled" not in str(e.value)


def test_lists_find_values_by_identity():
    a, b, like_a = Value(1.0), Value(2.0), Value(1.0)
    values = [a, b, None, "a"]
    assert b in values
    assert like_a not in values
    assert [values.index(x) for x in (a, b, None, "a")] == [0, 1, 2, 3]
    assert values.count(b) == 1
    values.remove(b)
    assert b not in values
    with pytest.raises(ValueError, match="not in list"):
        values.index(like_a)


def test_the_truth_of_an_equality_is_identity():
    a, b = Value(1.0), Value(1.0)
    assert a == a
    assert not a == b  # noqa: SIM201
    assert a != b
    assert not a != a  # noqa: SIM202
    assert (a == b).data == 1.0  # the number is that of the table
