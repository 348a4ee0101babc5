"""Python's operators: what is foreign to them is asked itself."""

import operator

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value

BINARY = ["add", "sub", "mul", "truediv", "pow", "and_", "or_"]
COMPARISONS = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


class Foreign:
    """A number of another kind: a dual number, a quaternion, one with a unit."""


def answering(name):
    return lambda self, other: (name, self, other)


for _name in BINARY:
    _plain = f"__{_name.strip('_')}__"
    setattr(Foreign, _plain, answering(_plain))
    setattr(Foreign, _plain.replace("__", "__r", 1), answering(_plain.replace("__", "__r", 1)))
for _name in COMPARISONS:
    setattr(Foreign, f"__{_name}__", answering(f"__{_name}__"))


@pytest.mark.parametrize("name", BINARY)
def test_a_foreign_class_is_asked_on_either_side(name):
    x, other = Value(2.0), Foreign()
    plain = f"__{name.strip('_')}__"
    assert getattr(operator, name)(x, other)[0] == plain.replace("__", "__r", 1)
    assert getattr(operator, name)(other, x)[0] == plain


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_foreign_class_is_asked_to_compare(name):
    x, other = Value(2.0), Foreign()
    who, asked, given = getattr(operator, name)(x, other)
    assert (who, asked is other, given is x) == (f"__{COMPARISONS[name]}__", True, True)


def test_it_is_asked_while_a_function_is_traced():
    class Scaled:
        def __init__(self, factor):
            self.factor = factor

        def __rmul__(self, x):
            return x * self.factor

    f = gdc.compile(lambda x: x * Scaled(3.0))
    assert f(2.0) == 6.0
    assert f.grad(2.0).x == 3.0


class Dual:
    """A dual number as it is written everywhere, which takes anything for its parts."""

    def __init__(self, real, dual=0.0):
        self.real, self.dual = real, dual

    def __mul__(self, other):
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.real * other.real, self.real * other.dual + self.dual * other.real)

    __rmul__ = __mul__


def test_dual_numbers_of_values_have_both_derivatives():
    x = Value(3.0)
    square = x * Dual(x, 1.0)
    square.real.backward()
    assert (square.real.data, square.dual.data, x.grad) == (9.0, 3.0, 6.0)


WRONG = {
    "a text": ("a", r"mul: expected a real number or a Value, got str 'a'"),
    "a list": ([1.0], r"mul: expected a real number or a Value, got list \[1\.0\]"),
    "a complex": (2j, r"mul: expected a real number or a Value, got complex 2j"),
    "numpy's complex": (
        np.complex128(2j),
        r"mul: expected a real number.* got complex128",
    ),
    "nothing": (None, r"unsupported operand type.*'Value' and 'NoneType'"),
    "a dict": ({}, r"unsupported operand type.*'Value' and 'dict'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_nobody_can_multiply_is_said(name):
    other, message = WRONG[name]
    with pytest.raises(TypeError, match=message):
        Value(2.0) * other


@pytest.mark.parametrize("kind", [str, dict, object, type(None)])
def test_what_is_no_number_is_not_equal(kind):
    assert (Value(2.0) == kind()) is False
    assert (Value(2.0) != kind()) is True
