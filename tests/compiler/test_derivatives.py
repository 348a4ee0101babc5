"""Every kernel for arguments and results of every structure: they agree with one another.

The Jacobian is checked by differences of the value, the Hessian by those of the Jacobian, and all
other kernels by these two: `jvp` is the Jacobian times its tangents, and so on.
"""

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import gradcompile as gdc
from tests.helpers.kernels import by_machine, by_text, derivatives, matrix, vector
from tests.helpers.slow import slow_but

Pair = namedtuple("Pair", "first second")


@dataclass
class Body:
    mass: float
    position: Any
    unit: str = "m"


@dataclass(frozen=True)
class Case:
    """A function, and a point with directions.

    Attributes:
        function: to compile.
        args: its arguments.
        along: a direction, in the structure of what is differentiated by.
        across: weights in the structure of the value; None where that is one number.
        kwargs: more arguments.
        options: of `compile`.
        by: the positions of the arguments that are differentiated by.
    """

    function: Any
    args: tuple[Any, ...]
    along: Any
    across: Any = None
    kwargs: Any = None
    options: Any = None
    by: tuple[int, ...] | None = None

    @property
    def differentiated(self):
        return self.args if self.by is None else tuple(self.args[k] for k in self.by)


def everything(body, pair, table, xs, *, factor=2.0):
    m, (a, b) = body.mass, pair
    return {
        "number": m * a * gdc.sin(b),
        "list": [xs[0] * xs[1], 1.0, a * sum(xs)],
        "array": table["w"] @ body.position,
        "pair": Pair(a**2 * factor, np.array([a * b, b**3])),
        "body": Body(m**2, body.position * a, unit="kg"),
        "nothing": None,
    }


def powers(x, n, shift=1.0):
    return (x + shift) ** n


X = np.array([0.5, -1.5, 2.0])
M = np.array([[1.0, 2.0, -0.5], [0.3, 0.7, 1.1]])

CASES = {
    "everything": Case(
        everything,
        (
            Body(1.5, np.array([0.4, -0.2])), Pair(0.7, 1.2),
            {"w": np.array([[1.0, 2.0], [3.0, 0.5], [0.1, -1.0]])}, [0.3, 0.6],
        ),
        (Body(0.1, np.array([0.2, 0.3])), Pair(1.0, -1.0), {"w": np.ones((3, 2))}, [0.5, -2.0]),
        {
            "number": 0.5, "list": [1.0, 2.0, 3.0], "array": np.array([0.1, 0.2, 0.3]),
            "pair": Pair(2.0, np.array([1.0, -1.0])), "body": Body(1.0, np.array([3.0, 4.0]), "kg"),
            "nothing": None,
        },
    ),
    "a number by numbers": Case(lambda x, y: x * gdc.exp(x * y), (0.5, 1.5), (2.0, -1.0)),
    "a number by one": Case(lambda x: gdc.sin(x) * x, (0.5,), (2.0,)),
    "a number by an array": Case(lambda x: (x[:-1] * x[1:] ** 2).sum(), (X,), (np.cos(X),)),
    "a number by a list": Case(
        lambda x: x[0] * x[1] ** 2 + x[2], ([0.1, 0.2, 0.3],), ([1.0, 2.0, 3.0],)
    ),
    "a number by arrays": Case(
        lambda x, w: gdc.tanh(w @ x).sum(), (X, M), (np.ones(3), np.full((2, 3), 0.5))
    ),
    "numbers by one": Case(lambda x: (x, x**2, 3.0), (0.5,), (2.0,), (1.0, 2.0, 3.0)),
    "one number in a list": Case(lambda x, y: [x * y**2], (0.5, 2.0), (1.0, 3.0), [2.0]),
    "an array by an array": Case(lambda x: np.outer(x, x) * 2.0, (X,), (X,), np.ones((3, 3))),
    "an array by numbers": Case(
        lambda x, y: np.array([[x * y, 1.0], [x**2, y]]), (0.5, 2.0), (1.0, 3.0),
        np.array([[1.0, 2.0], [3.0, 4.0]]),
    ),
    "a dict by a dict": Case(
        lambda p: {"b": p["a"] * p["b"], "a": {"c": p["b"] ** 2}}, ({"a": 1.0, "b": 2.0},),
        ({"a": 3.0, "b": -1.0},), {"b": 1.0, "a": {"c": 2.0}},
    ),
    "some arguments": Case(
        lambda x, y, z: [x * y * z, z**2 * y**2], (0.5, 2.0, 3.0), (1.0, 3.0), [1.0, 2.0],
        options={"wrt": ["x", "z"]}, by=(0, 2),
    ),
    "named in another order": Case(
        lambda x, y: [x * y**3], (0.5, 2.0), (1.0, 3.0), [2.0],
        options={"wrt": ["y", "x"]},
    ),
    "a static argument": Case(
        powers, (0.5, 3), (2.0,), None, {}, {"static": "n"}, (0,),
    ),
    "a default given by name": Case(
        powers, (0.5,), (2.0,), None, {"n": 3, "shift": 2.0}, {"static": "n", "wrt": "x"},
    ),
    "loops": Case(
        lambda x: (x[:-1] * gdc.sin(x[1:])).sum(), (np.linspace(0, 1, 9),), (np.ones(9),),
        options={"roll": True},
    ),
    "no loops": Case(
        lambda x: [x[:-1] * gdc.sin(x[1:])], (np.linspace(0, 1, 9),), (np.ones(9),),
        [np.linspace(1, 2, 8)], options={"roll": False},
    ),
    "strict": Case(
        lambda x: x.sum() ** 2 / 3.0, (X,), (X,), options={"strict": True},
    ),
    "by rows": Case(
        lambda x, y: [x * y, x / y, y**2], (0.5, 2.0), (1.0, 3.0), [1.0, 2.0, 3.0],
        options={"mode": "reverse"},
    ),
    "by columns": Case(
        lambda x, y: x * gdc.log(y), (0.5, 2.0), (1.0, 3.0), options={"mode": "forward"},
    ),
    "linear": Case(lambda x, y: x + 2.0 * y, (0.5, 1.0), (2.0, 1.0)),
    "constant": Case(lambda x, y: 3.0, (0.5, X), (2.0, X)),
    "constants": Case(lambda x: {"a": [1.0, 2.0], "b": np.eye(2)}, (X,), (X,),
        {"a": [1.0, -1.0], "b": np.ones((2, 2))}),
}  # fmt: skip

FAST = ("everything", "a number by arrays", "some arguments", "a static argument", "loops")


def compiled(case):
    return gdc.compile(case.function, **(case.options or {}))


def shifted(args, k, step):
    """The arguments with a step in one of their numbers, counted through all."""
    numbers = iter((vector(args) + step * (np.arange(len(vector(args))) == k)).tolist())
    return rebuilt(args, numbers)


def rebuilt(part, numbers):
    match part:
        case np.ndarray():
            return np.array([next(numbers) for _ in range(part.size)]).reshape(part.shape)
        case dict():
            return {key: rebuilt(x, numbers) for key, x in part.items()}
        case Body():
            mass, position = next(numbers), rebuilt(part.position, numbers)
            return Body(mass, position, part.unit)
        case Pair():
            return Pair(*[rebuilt(x, numbers) for x in part])
        case list() | tuple():
            return type(part)([rebuilt(x, numbers) for x in part])
    return next(numbers)


def differences(function, case):
    """The derivatives of a function of all arguments, by small steps, as a matrix."""
    columns = []
    for place in range(len(case.args)) if case.by is None else case.by:
        for k in range(len(vector(case.args[place]))):
            high, low = (
                [*case.args[:place], shifted(case.args[place], k, step), *case.args[place + 1 :]]
                for step in (1e-5, -1e-5)
            )
            columns.append((function(high) - function(low)) / 2e-5)
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("name", slow_but(FAST, CASES))
def test_kernels_agree_with_one_another_and_with_differences(name):
    case = CASES[name]
    f, kwargs = compiled(case), case.kwargs or {}
    found = derivatives(f, case.args, case.differentiated, case.along, case.across, kwargs)
    assert found.differing() == []

    def value(args):
        return vector(by_text(f.value, args, kwargs))

    def slopes(args):
        result = by_text(f.value, args, kwargs)
        by = args if case.by is None else [args[k] for k in case.by]
        jacobian = matrix(by_text(f.jacobian, args, kwargs), result, by)
        return vector(1.0 if case.across is None else case.across) @ jacobian

    np.testing.assert_allclose(found.jacobian, differences(value, case), 1e-6, 1e-6)
    np.testing.assert_allclose(found.hessian, differences(slopes, case), 1e-6, 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_machine_code_gives_what_the_text_says(name):
    case = CASES[name]
    f, point = compiled(case), (case.args, case.differentiated, case.along, case.across)
    by_code = derivatives(f, *point, case.kwargs, by_machine)
    assert by_code.differing() == []
    text = derivatives(f, *point, case.kwargs)
    for part in ("value", "jacobian", "hessian"):
        np.testing.assert_allclose(getattr(by_code, part), getattr(text, part), 1e-13, 1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_flat_calls_give_the_same_vectors_and_matrices(name):
    case = CASES[name]
    f, kwargs = compiled(case), case.kwargs or {}
    value = vector(f(*case.args, **kwargs))
    by = list(range(len(case.args))) if case.by is None else case.by
    names = list(f.arguments.signature.parameters)
    others = {n: x for k, (n, x) in enumerate(zip(names, case.args, strict=False)) if k not in by}
    others |= kwargs
    x, p = vector(case.differentiated), vector(case.along)
    c = np.ones(1) if case.across is None else vector(case.across)
    expected = derivatives(f, case.args, case.differentiated, case.along, case.across, kwargs)
    weights = {} if case.across is None else {"weights": c}
    jacobian, hessian = expected.jacobian, expected.hessian
    found = {
        "value": (f.value.flat(x, **others), value),
        "jvp": (f.jvp.flat(x, p, **others)[1], jacobian @ p),
        "vjp": (f.vjp.flat(x, c, **others)[1], c @ jacobian),
        "jacobian": (f.jacobian.flat(x, **others), jacobian),
        "value_and_jacobian": (f.value_and_jacobian.flat(x, **others)[1], jacobian),
        "hessian": (f.hessian.flat(x, **weights, **others), hessian),
        "three": (f.value_grad_and_hessian.flat(x, **weights, **others)[2], hessian),
        "sparse": (f.hessian.sparse.flat(x, **weights, **others).toarray(), hessian),
        "jacobian.sparse": (f.jacobian.sparse.flat(x, **others).toarray(), jacobian),
        "sparse of two": (f.value_and_jacobian.sparse.flat(x, **others)[1].toarray(), jacobian),
        "sparse of three": (
            f.value_grad_and_hessian.sparse.flat(x, **weights, **others)[2].toarray(),
            hessian,
        ),
    }
    if case.across is None:
        found["grad"] = f.grad.flat(x, **others), c @ jacobian
        found["hvp"] = f.hvp.flat(x, p, **others), hessian @ p
        found["grad_and_hvp"] = f.grad_and_hvp.flat(x, p, **others)[1], hessian @ p
        found["diagonal"] = f.hessian_diagonal.flat(x, **others), np.diag(hessian)
    for kernel, (given, wanted) in found.items():
        assert np.size(given) == np.size(wanted), kernel
        np.testing.assert_allclose(np.ravel(given), np.ravel(wanted), 1e-12, 1e-12, err_msg=kernel)
    for kernel, wanted in ((f.jacobian, jacobian), (f.hessian, hessian)):
        assert kernel.flat(x, **(weights if kernel is f.hessian else {}), **others).shape == (
            wanted.shape
        )


def test_the_jacobian_of_many_numbers_is_one_matrix():
    def residuals(x, y):
        return {"a": [x[i] * gdc.sin(x[i + 1]) for i in range(len(x) - 1)], "b": y * x[0]}

    lines = {}
    for count in (20, 60):
        f = gdc.compile(residuals)
        x = np.linspace(0.1, 1.0, count)
        by_list, matrix = f.jacobian(x, 2.0), f.jacobian.flat([*x, 2.0])
        rows = [*by_list["a"], by_list["b"]]
        np.testing.assert_array_equal([[*row.x, row.y] for row in rows], matrix)
        assert matrix[0, 1] == x[0] * np.cos(x[1])
        lines[count] = len(f.jacobian.source.splitlines())
    assert lines[20] < 60
    assert lines[60] < 140  # with a line for each nonzero, and none for the zeros
