"""Calls of a batched function, the first and those after it: by arguments, and by a vector."""

import numpy as np
import pytest

import gradcompile as gdc

ROWS = np.array([[1.0, 2.0], [3.0, 5.0], [-1.0, 0.5]])


def weighted(p, q, x):
    return p[0] * x[0] + p[1] * q * x[1] * x[1]


@pytest.fixture(scope="module")
def function():
    return gdc.compile(weighted, batched="x", wrt=["p"], reduce="sum")


def expected(p, q):
    gradient = [sum(ROWS[:, 0]), q * sum(ROWS[:, 1] ** 2)]
    return p[0] * gradient[0] + p[1] * gradient[1], gradient


@pytest.mark.parametrize("q", [3.0, np.float64(-2.0), 2])
@pytest.mark.parametrize("p", [[2.0, 0.5], np.array([-1.0, 4.0])])
def test_calls_give_the_same_however_often_and_with_what(function, p, q):
    for _ in range(3):
        value, (gradient,) = function.value_and_grad(p, q, ROWS)
        assert value == pytest.approx(expected(p, q)[0])
        assert list(gradient) == pytest.approx(expected(p, q)[1])


def test_flat_takes_the_vector_and_what_else_there_is_by_name(function):
    function.value_and_grad([2.0, 0.5], 3.0, ROWS)  # .flat needs the shapes of an earlier call
    for p in ([2.0, 0.5], [1.0, -3.0], [0.5, 0.0]):
        value, gradient = function.value_and_grad.flat(np.array(p), q=3.0, x=ROWS)
        assert value == pytest.approx(expected(p, 3.0)[0])
        assert list(gradient) == pytest.approx(expected(p, 3.0)[1])
