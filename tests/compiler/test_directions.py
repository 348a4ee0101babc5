"""Kernels that take a direction: in which forms it is given, for methods and graphs too."""

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value


@gdc.compile
def several(x, y):
    return [x * y, x**2, gdc.sin(y)]


@gdc.compile
def one(x, w):
    return (w * x**2).sum()


@gdc.compile(static="n")
def power(x, n=2, scale=1.0):
    return scale * x**n


class Spring:
    def __init__(self, stiffness):
        self.stiffness = stiffness

    @gdc.compile
    def energy(self, x, rest):
        return self.stiffness * (x - rest) ** 2 / 2


@dataclass
class Body:
    mass: float

    @gdc.compile
    def energy(self, v):
        return self.mass * v**2 / 2


X, W = np.array([1.0, 2.0]), np.array([3.0, 4.0])
Pair = type(one.grad(X, W))


@pytest.mark.parametrize(
    ("args", "tangents"),
    [
        ((1.0, 2.0), (1.0, 0.5)),
        ([1.0, 2.0], [1.0, 0.5]),
        ({"x": 1.0, "y": 2.0}, {"y": 0.5, "x": 1.0}),
        ((np.float32(1.0), 2), (1, np.float64(0.5))),
    ],
)
def test_arguments_and_tangents_are_tuples_lists_or_dicts(args, tangents):
    value, tangent = several.jvp(args, tangents)
    assert value == several(1.0, 2.0)
    assert tangent == pytest.approx([2.5, 2.0, 0.5 * np.cos(2.0)], rel=1e-14)


def test_a_gradient_is_a_direction():
    gradient = one.grad(X, W)
    assert isinstance(gradient, Pair)
    found = one.hvp((X, W), gradient)
    assert isinstance(found, Pair)
    np.testing.assert_allclose(found.x, 2 * W * gradient.x + 2 * X * gradient.w)
    np.testing.assert_allclose(found.w, 2 * X * gradient.x)


def test_lists_may_stand_for_arrays_and_back():
    given = one.hvp((X, W), ([1.0, 0.0], (0.0, 1.0)))
    wanted = one.hvp((X, W), (np.array([1.0, 0.0]), np.array([0.0, 1.0])))
    assert [x.tolist() for x in given] == [x.tolist() for x in wanted]
    assert several.vjp((1.0, 2.0), np.ones(3)) == several.vjp((1.0, 2.0), [1.0, 1.0, 1.0])


def test_weights_are_given_by_name_or_to_the_kernel_of_the_weighted_sum():
    weights = [1.0, 2.0, 3.0]
    by_name = several.hessian(1.0, 2.0, weights=weights)
    assert by_name == several.hessian.weighted((1.0, 2.0), weights)
    assert by_name.y.y == pytest.approx(-3.0 * np.sin(2.0))
    flat = several.hessian.flat([1.0, 2.0], weights=weights)
    assert flat.tolist() == several.hessian.flat([1.0, 2.0], weights).tolist()
    assert one.hessian(X, W, weights=2.0).w.x.tolist() == (2 * one.hessian(X, W).w.x).tolist()


def test_an_argument_that_is_called_weights_is_the_function_s_own():
    f = gdc.compile(lambda x, weights: weights * x**3)
    assert f.hessian(2.0, weights=5.0).x.x == 60.0


def test_names_of_arguments_may_be_those_of_directions():
    f = gdc.compile(lambda x, x_dot: x**2 * x_dot)
    assert f.jvp((3.0, 2.0), (1.0, 0.0)) == (18.0, 12.0)
    assert f.hvp((3.0, 2.0), {"x": 1.0, "x_dot": 0.0}) == (4.0, 6.0)


def test_static_arguments_and_defaults_have_no_tangent():
    assert power.jvp((3.0, 3), (1.0,)) == (27.0, 27.0)
    assert power.jvp({"x": 3.0, "n": 3}, {"x": 1.0}) == (27.0, 27.0)
    assert power.jvp({"x": 3.0, "n": 3, "scale": 2.0}, {"x": 1.0, "scale": 1.0}) == (54.0, 81.0)
    assert power.hvp((3.0, 3), (1.0,)).x == 18.0


def test_kernels_of_methods_take_the_arguments_without_the_object():
    energy = Spring(3.0).energy
    assert energy.jvp((2.0, 0.5), (1.0, 0.0)) == (3.375, 4.5)
    assert energy.jvp({"x": 2.0, "rest": 0.5}, {"x": 1.0, "rest": 0.0}) == (3.375, 4.5)
    assert energy.hvp((2.0, 0.5), (1.0, 0.0)) == (3.0, -3.0)
    assert energy.hessian.flat([2.0, 0.5]).tolist() == [[3.0, -3.0], [-3.0, 3.0]]
    sparse = energy.hessian.sparse
    assert sparse(2.0, 0.5).toarray().tolist() == [[3.0, -3.0], [-3.0, 3.0]]
    assert sparse.lower.values(2.0, 0.5).tolist() == [3.0, -3.0, 3.0]
    assert sparse.lower.structure[0].tolist() == [0, 1, 1]


def test_an_object_of_numbers_has_tangents_too():
    body = Body(3.0)
    value, tangent = body.energy.jvp((2.0,), (Body(1.0), 0.5))
    assert (value, tangent) == (6.0, 2.0 + 3.0)
    assert body.energy.jvp({"v": 2.0}, {"self": Body(1.0), "v": 0.5}) == (6.0, 5.0)
    assert body.energy.hessian(2.0).self.mass.v == 2.0


def test_graphs_have_every_kernel():
    a, b = Value(1.0, label="a"), Value(2.0, label="b")
    f = gdc.compile(a * b**2, inputs=[a, b])
    assert f.jvp((1.0, 2.0), (1.0, 1.0)) == (4.0, 8.0)
    assert f.hvp((1, np.float32(2)), (1.0, 0.0)) == (0.0, 4.0)
    assert f.hessian(1.0, 2.0).b.b == 2.0
    assert f.hessian.sparse.flat([1.0, 2.0]).toarray().tolist() == [[0.0, 4.0], [4.0, 2.0]]


PATHS = (
    "jvp", "vjp", "hvp", "jacobian.sparse", "hessian.sparse", "hessian.sparse.lower.values",
    "hessian.weighted", "hessian.sparse.upper.weighted",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("f", [one, gdc.compile(lambda x, w: (w * x**2).sum())])
def test_kernels_copy_and_pickle(f, path):
    kernel = f
    for name in path.split("."):
        kernel = getattr(kernel, name)
    if not f.arguments.traces:
        f.arguments.read((X, W), {})
    again = pickle.loads(pickle.dumps(kernel))
    assert repr(again) == repr(kernel)
    assert type(again) is type(kernel)
    assert copy.copy(kernel) is kernel
    again._arguments.read((X, W), {})
    assert again.source == kernel.source


def test_a_kernel_of_a_method_pickles_with_its_object():
    again = pickle.loads(pickle.dumps(Spring(3.0).energy.hessian.sparse.lower))
    assert again(2.0, 0.5).toarray().tolist() == [[3.0, 0.0], [-3.0, 3.0]]
