"""What is no direction is refused in one sentence: which, what was expected, what was given."""

import numpy as np
import pytest

import gradcompile as gdc


@gdc.compile
def several(x, y):
    return [x * y, x**2, gdc.sin(y)]


@gdc.compile
def one(x, w):
    return (w * x**2).sum()


@gdc.compile(batched="x", reduce=None)
def rows(p, x):
    return [p * x, x]


@gdc.compile(batched="x", wrt=["p", "x"])
def mean(p, x):
    return p * x**2


X = np.array([1.0, 2.0])
AT = (1.0, 2.0)
LIST = "a list of length 3, each a number"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: several.jvp(AT, 1.0), TypeError,
         "several.jvp: tangents: expected a tuple with a part for each of the arguments "
         "['x', 'y'], got float 1.0"),
        (lambda: several.jvp(AT, (1.0,)), TypeError, "['x', 'y'], got a tuple of length 1"),
        (lambda: several.jvp(AT, {"z": 1.0}), TypeError, "got a dict with keys ['z']"),
        (lambda: several.jvp(AT, {"x": 1.0}), TypeError,
         "several.jvp: tangents: part 'y': expected a number, got nothing"),
        (lambda: several.jvp(AT, ("a", 1.0)), TypeError,
         "several.jvp: tangents: part 'x': expected numbers in lists, tuples, dicts or arrays, "
         "got str 'a'"),
        (lambda: several.jvp(AT, ([1.0], 1.0)), ValueError,
         "several.jvp: tangents: part 'x': expected a number, got a list of length 1"),
        (lambda: several.jvp(1.0, 2.0, 3.0), TypeError,
         "several.jvp: expected the arguments as a tuple and then the tangents, got 3 arguments"),
        (lambda: several.jvp(AT, (1.0, 1.0), weights=1.0), TypeError,
         "expected the arguments as a tuple, or a dict by name, and the tangents, got ['weights']"),
        (lambda: several.jvp(AT), TypeError, "and then the tangents, got 1 arguments"),
        (lambda: several.jvp(X, AT), TypeError,
         "several.jvp: expected the arguments as a tuple, or a dict by name, got ndarray"),
        (lambda: several.jvp((1.0, 2.0, 3.0), AT), TypeError, "too many positional arguments"),
        (lambda: several.vjp(AT, AT), ValueError,
         f"several.vjp: cotangents: expected {LIST}, got a tuple of length 2, each a number"),
        (lambda: several.vjp(AT, 1.0), ValueError, f"expected {LIST}, got a number"),
        (lambda: several.vjp(AT, np.ones((3, 1))), ValueError,
         f"several.vjp: cotangents: expected {LIST}, got an array of shape (3, 1)"),
        (lambda: several.hessian(1.0, 2.0, weights=[1.0]), ValueError,
         f"several.hessian.weighted: weights: expected {LIST}, got a list of length 1"),
        (lambda: several.hessian(1.0, 2.0, weights="all"), TypeError,
         "several.hessian.weighted: weights: expected numbers in lists, tuples, dicts or arrays"),
        (lambda: several.hessian(*AT), TypeError,
         f"hessian: the Hessian is that of one number, but several returns {LIST}; "
         "say of which sum by weights="),
        (lambda: several.hessian.sparse(*AT), TypeError, "say of which sum by weights="),
        (lambda: several.value_grad_and_hessian(*AT), TypeError, "by weights="),
        (lambda: several.hvp(AT, AT), TypeError, "use hessian with weights=, or return their sum"),
        (lambda: several.hessian_diagonal(*AT), TypeError, "or return their sum"),
        (lambda: several.grad(*AT), TypeError, "use jacobian, or vjp with cotangents"),
        (lambda: one.hvp((X, X), (X, np.ones(3))), ValueError,
         "one.hvp: vector: part 'w': expected an array of shape (2,), got an array of shape (3,)"),
        (lambda: one.hessian(X, X, weights=[2.0]), ValueError,
         "one.hessian.weighted: weights: expected a number, got a list of length 1"),
        (lambda: one.hessian.sparse(X, X, triangle="diagonal"), ValueError,
         'triangle: expected "full", "lower" or "upper", got \'diagonal\''),
        (lambda: rows.vjp((2.0, X), [1.0, 2.0]), ValueError,
         "rows.vjp: cotangents: expected an array whose first axis is that of the rows"),
        (lambda: rows.vjp((2.0, X), [X, np.ones(3)]), ValueError, "equally many rows"),
        (lambda: rows.jacobian.sparse(2.0, X), ValueError,
         "sparse: rows has a matrix for each row; use values"),
        (lambda: mean.jacobian.sparse(2.0, X), ValueError,
         "sparse: mean is differentiated by its rows, ['x'], and the mean is taken over them"),
        (lambda: gdc.compile(lambda x: x, mode="mixed"), ValueError,
         'mode: expected "auto", "forward" or "reverse", got \'mixed\''),
    ],
)  # fmt: skip
def test_a_wrong_direction_is_refused(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
    assert "static" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: one.hvp.flat(x, np.ones(3)), ValueError, "expected a vector of shape (4,)"),
        (lambda x: one.hvp.flat(x), TypeError, "flat: expected the vector after x, got None"),
        (lambda x: one.hvp.flat(x, "ab"), TypeError, "flat: "),
        (lambda x: one.grad.flat(x, x), TypeError, "flat: expected no second vector after x"),
        (lambda x: one.hessian.flat(x, np.ones(2)), ValueError, "expected a vector of shape (1,)"),
        (lambda x: one.hessian.flat(x, out=np.empty((4, 3))), ValueError,
         "flat: out: expected an array of shape (4, 4), got (4, 3)"),
        (lambda x: one.hessian.flat(x, out=[]), ValueError,
         "expected a float64 array that can be written to, got list"),
        (lambda x: rows.vjp.flat(x[:1], x, x=X), ValueError,
         "flat: rows has cotangents for each row, and they are no vector"),
        (lambda x: mean.jacobian.flat(x, x=X), ValueError, "mean is differentiated by its rows"),
    ],
)  # fmt: skip
def test_wrong_vectors_are_refused(call, error, message):
    one.arguments.read((X, X), {})
    for f in (rows, mean):
        f.arguments.read((2.0, X), {})
    with pytest.raises(error) as caught:
        call(np.ones(4))
    assert message in str(caught.value)
