"""Kernels called with Values: derivatives as parts of traced functions and of eager graphs."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value


@pytest.fixture
def wave():
    return gdc.compile(lambda x, y: gdc.sin(x) * y + x**3, name="wave")


@pytest.fixture
def product():
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    return gdc.compile(a * b * b, inputs=[a, b], name="product")


def test_a_gradient_in_a_traced_function(wave):
    f = gdc.compile(lambda x, y: wave.grad(x, y).x * 2)
    value, gradient = f.value_and_grad(1.5, 2.0)
    assert value == pytest.approx(2 * (math.cos(1.5) * 2 + 3 * 1.5**2), rel=1e-15)
    expected = 2 * (-math.sin(1.5) * 2 + 6 * 1.5), 2 * math.cos(1.5)
    assert gradient == pytest.approx(expected, rel=1e-14)


def test_second_derivatives_of_compositions_are_proved(wave):
    f = gdc.compile(lambda x, y: wave.grad(x, y).x * 2)
    assert [check.verdict for check in f.verify()] == ["proved", "proved"]


def test_value_and_gradient_share_their_work(wave):
    def f(x):
        value, gradient = wave.value_and_grad(x, 2.0)
        return value + gradient.x

    text = gdc.compile(f).value.source
    assert text.count("sin(") == 1
    assert text.count("cos(") == 1


def test_third_derivatives():
    f = gdc.compile(lambda x: gdc.exp(2 * x))
    second = gdc.compile(lambda x: f.grad(x).x)
    third = gdc.compile(lambda x: second.grad(x).x)
    assert third.grad(0.5).x == pytest.approx(8 * math.exp(1.0), rel=1e-14)


def test_eager_gradients_have_gradients(wave):
    x = Value(1.5)
    gradient = wave.grad(x, 2.0)
    assert gradient.x.data == wave.grad(1.5, 2.0).x
    gradient.x.backward()
    assert x.grad == pytest.approx(-math.sin(1.5) * 2 + 6 * 1.5, rel=1e-14)


def test_a_constant_slope_is_a_value_among_eager_ones_and_a_number_in_a_trace():
    line = gdc.compile(lambda x: 3.0 * x)
    x = Value(2.0)
    slope = line.grad(x).x
    slope.backward()
    assert (slope.data, x.grad) == (3.0, 0.0)
    assert gdc.compile(lambda x: line.grad(x).x * x).grad(5.0).x == 3.0


def test_the_value_of_a_graph(product):
    x = Value(5.0)
    product(x, 3.0).backward()
    assert x.grad == 9.0
    f = gdc.compile(lambda x: product(x, x) + product.grad(x, x).b)
    assert f.value_and_grad(2.0) == (8.0 + 8.0, (12.0 + 8.0,))


def test_the_value_of_a_function_is_what_the_function_builds(wave):
    x = Value(2.0, label="x")
    assert [value.op.name for value in wave(x, 1.0).operands] == ["mul", "pow"]


def test_a_graph_that_takes_another_form():
    w = [Value(1.0, label="p"), Value(2.0, label="q")]
    f = gdc.compile(w[0] * w[1], inputs={"w": w})
    given = np.array([Value(3.0), Value(4.0)])
    gradient = f.grad(given)
    assert isinstance(gradient.w, np.ndarray)
    assert [x.data for x in gradient.w] == [4.0, 3.0]
    with pytest.raises(ValueError, match="argument 'w': expected a list of length 2"):
        f.grad([Value(1.0)])


@dataclass
class Layer:
    w: np.ndarray
    b: float


def test_nested_structures():
    f = gdc.compile(lambda layers, x: sum(gdc.sum(x * p.w) ** 2 + p.b**3 for p in layers["all"]))
    layers = {"all": [Layer(np.array([1.0, 2.0]), 3.0), Layer(np.array([0.0, 1.0]), 2.0)]}
    x = np.array([1.0, -1.0])
    gradient = f.grad(layers, x)

    def total(layers, x):
        inner = f.grad(layers, x)
        assert type(inner) is type(gradient)
        return gdc.sum(inner.x) + sum(gdc.sum(p.w) + p.b for p in inner.layers["all"])

    expected = gradient.x.sum() + sum(p.w.sum() + p.b for p in gradient.layers["all"])
    g = gdc.compile(total)
    assert g(layers, x) == pytest.approx(expected)
    gdc.check_grad(g, layers, x)


def test_arrays_of_values_are_those_of_traces():
    f = gdc.compile(lambda x: gdc.sum(x * x * x))
    g = gdc.compile(lambda x: np.linalg.norm(f.grad(x).x.reshape(2, 2) @ np.ones(2)) ** 2)
    gdc.check_grad(g, np.array([1.0, 2.0, -1.0, 0.5]))


def test_numbers_among_values_are_constants():
    f = gdc.compile(lambda x, w: gdc.sum(w * x**2))
    g = gdc.compile(lambda x: f.grad(x, np.array([3.0, 4.0])).w[1] * f.grad(x, np.ones(2)).x)
    assert g.value_and_grad(2.0) == (32.0, (48.0,))
    linear = gdc.compile(lambda x, w: gdc.sum(w) * x)
    gradient = linear.grad(Value(2.0), np.ones(2))
    assert [x.data for x in gradient.w] == [2.0, 2.0]

    def of_numbers(x):
        slopes = linear.grad(1.5, [x, x]).w
        assert slopes == [1.5, 1.5]
        return x * slopes[0]

    assert gdc.compile(of_numbers)(2.0) == 3.0


def test_branches_static_arguments_and_defaults():
    def power(x, n, scale=2.0, *, mode="up"):
        if x > 0.0:
            return scale * x**n if mode == "up" else x
        return -x

    f = gdc.compile(power, static="n")
    g = gdc.compile(lambda x: f.grad(x, 3).x * x)
    assert g.value_and_grad(2.0) == (48.0, (72.0,))
    assert g.value_and_grad(-2.0) == (2.0, (-1.0,))
    h = gdc.compile(lambda x: f.grad(x, 2, scale=x).scale + f.grad(x, 2, mode="down").x)
    assert h.value_and_grad(3.0) == (10.0, (6.0,))


def test_branches_on_a_gradient(wave):
    def newton(x):
        slope = wave.grad(x, 1.0).x
        return x - wave(x, 1.0) / slope if abs(slope) > 1.0 else x * 2

    f = gdc.compile(newton)
    for x in (0.7, 1.9):
        slope = math.cos(x) + 3 * x * x
        expected = x - (math.sin(x) + x**3) / slope if abs(slope) > 1.0 else 2 * x
        assert f(x) == pytest.approx(expected)


def test_what_a_gate_does_not_pass_counts_for_nothing():
    root = gdc.compile(lambda x: gdc.where(x > 0.0, gdc.sqrt(x), 0.0))
    f = gdc.compile(lambda x: root.grad(x).x)
    assert f.value_and_grad(-1.0) == (0.0, (0.0,))
    assert f.value_and_grad(0.0) == (0.0, (0.0,))
    x = Value(-1.0)
    root.grad(x).x.backward()
    assert x.grad == 0.0


class Spring:
    def __init__(self, k):
        self.k = k

    @gdc.compile
    def energy(self, x):
        return self.k * x * x / 2

    @gdc.compile
    def work(self, x):
        return self.energy.grad(x).x * x


def test_methods():
    assert Spring(3.0).work.value_and_grad(2.0) == (12.0, (12.0,))
    assert Spring(3.0).energy.grad(Value(2.0)).x.data == 6.0


def test_rows_of_functions_with_gradients_inside(wave):
    f = gdc.compile(lambda p, x: wave.grad(p * x, 1.0).x, batched="x", reduce=None)
    x = np.linspace(-1.0, 1.0, 7)
    assert f(2.0, x) == pytest.approx(np.cos(2 * x) + 12 * x**2)


def test_batched_functions_are_no_parts_of_graphs():
    rows = gdc.compile(lambda p, x: p * x, batched="x")
    with pytest.raises(TypeError, match="a batched function cannot be a part of a graph"):
        rows.grad(Value(1.0), np.ones(3))


def test_the_program_is_derived_once_for_a_structure(wave):
    x = Value(1.0)
    wave.grad(x, 2.0)
    traced = wave.arguments.newest
    assert wave.grad(x, x).x.data == wave.grad(1.0, 1.0).x
    assert wave.arguments.newest is traced
    assert len(wave.grad._builds) == 1


def test_large_programs_whose_constants_are_data():
    data = np.random.default_rng(0).normal(size=(200, 3))
    f = gdc.compile(lambda w: gdc.sum(gdc.tanh(data @ w)), name="sums")
    g = gdc.compile(lambda w: gdc.sum(f.grad(w).w ** 2))
    w = np.array([0.1, -0.2, 0.3])
    slope = 1 - np.tanh(data @ w) ** 2
    assert g(w) == pytest.approx(((data.T @ slope) ** 2).sum())
    inner = -2 * np.tanh(data @ w) * slope
    assert g.grad(w).w == pytest.approx(2 * (data.T * inner) @ data @ (data.T @ slope))


def test_what_cannot_be_derived_says_so():
    pair = gdc.compile(lambda x: [x, 2 * x], name="pair")
    with pytest.raises(TypeError, match=r"pair returns a list of length 2"):
        pair.grad(Value(1.0))


def test_derivatives_that_are_constants():
    line = gdc.compile(lambda x: 3.0 * x)
    slope = gdc.compile(lambda x: line.grad(x).x * 2)
    assert slope.value_and_grad(1.0) == (6.0, (0.0,))


def test_arrays_of_derivatives_that_are_constants():
    line = gdc.compile(lambda x: (3.0 * x).sum())
    f = gdc.compile(lambda x: gdc.sum(line.grad(x).x * x))
    value, gradient = f.value_and_grad(np.array([1.0, 2.0]))
    assert (value, gradient.x.tolist()) == (9.0, [3.0, 3.0])


def test_nonzeros_in_a_trace():
    cubes = gdc.compile(lambda x: (x**3).sum(), name="cubes")
    f = gdc.compile(lambda x: gdc.sum(cubes.hessian.sparse.values(x)))
    value, gradient = f.value_and_grad(np.array([1.0, 2.0]))
    assert (value, gradient.x.tolist()) == (18.0, [6.0, 6.0])
    with pytest.raises(TypeError, match=r"use cubes\.hessian\.sparse\.values"):
        gdc.compile(lambda x: cubes.hessian.sparse(x))(np.array([1.0, 2.0]))
    with pytest.raises(TypeError, match=r"flat: .* of Values, call the kernel"):
        gdc.compile(lambda x: cubes.grad.flat(x))(np.array([1.0, 2.0]))
