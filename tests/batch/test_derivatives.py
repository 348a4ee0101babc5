"""Kernels of batched functions: those of one row, row by row, or their sum or mean."""

import numpy as np
import pytest

import gradcompile as gdc
from tests.helpers.flat import by_text
from tests.helpers.kernels import vector
from tests.helpers.slow import slow_but

RNG = np.random.default_rng(7)
ROWS = 5
P, X, Y = np.array([0.7, -1.2]), RNG.normal(size=ROWS), RNG.normal(size=(ROWS, 2))
WEIGHTS = [0.5, -2.0]
ALONG = RNG.normal(size=2)


def pair(p, x, y):
    return [p[0] * gdc.sin(x * y[1]) + p[1] ** 2 * x, gdc.tanh(p @ y) * x**2]


def loss(p, x, y):
    return (p @ y - x) ** 2 * gdc.exp(p[0] * x)


def batched(function, reduce, **options):
    f = gdc.compile(function, batched=("x", "y"), reduce=reduce, **options)
    f.arguments.read((P, X, Y), {})
    return f


def of_rows(function, kernel, direction=None):
    """What a kernel of one row gives for each of them, one below the other."""
    f = gdc.compile(function, wrt="p")
    return np.stack(
        [
            vector(by_text(getattr(f, kernel), (P, x, y), {}, direction))
            for x, y in zip(X, Y, strict=True)
        ]
    )


def reduced(rows, reduce):
    return {None: rows, "sum": rows.sum(0), "mean": rows.mean(0)}[reduce]


def found(result, reduce):
    """The numbers of a result; of one for each row, the axis of the rows first."""
    if reduce is not None:
        return vector(result)
    parts = result if isinstance(result, list | tuple) else [result]
    return np.hstack([np.reshape(x, (ROWS, -1)) for x in flattened(parts)])


def flattened(parts):
    for part in parts:
        if isinstance(part, list | tuple):
            yield from flattened(part)
        else:
            yield part


REDUCE = (None, "sum", "mean")
OF_ONE = {
    "grad": None, "value_and_grad": None, "hessian": None, "value_grad_and_hessian": None,
    "hessian_diagonal": None, "hvp": (ALONG,), "grad_and_hvp": (ALONG,), "jvp": (ALONG,),
    "jacobian": None,
}  # fmt: skip
OF_TWO = {"jvp": (ALONG,), "jacobian": None, "value_and_jacobian": None}


@pytest.mark.parametrize("reduce", slow_but(("mean",), REDUCE))
@pytest.mark.parametrize("kernel", slow_but(("hvp",), OF_ONE))
def test_kernels_of_one_number_are_those_of_the_rows(kernel, reduce):
    result = getattr(batched(loss, reduce), kernel)
    args, direction = (P, X, Y), OF_ONE[kernel]
    given = result(*args) if direction is None else result(args, direction)
    expected = reduced(of_rows(loss, kernel, direction), reduce)
    np.testing.assert_allclose(found(given, reduce), expected, 1e-12, 1e-13)


@pytest.mark.parametrize("reduce", slow_but(("mean",), REDUCE))
@pytest.mark.parametrize("kernel", slow_but(("jacobian",), OF_TWO))
def test_kernels_of_several_outputs_are_those_of_the_rows(kernel, reduce):
    result = getattr(batched(pair, reduce), kernel)
    args, direction = (P, X, Y), OF_TWO[kernel]
    given = result(*args) if direction is None else result(args, direction)
    expected = reduced(of_rows(pair, kernel, direction), reduce)
    np.testing.assert_allclose(found(given, reduce), expected, 1e-12, 1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_cotangents_and_weights_of_sums_are_numbers(reduce):
    f, args = batched(pair, reduce), (P, X, Y)
    _, gradient = f.vjp(args, WEIGHTS)
    jacobian = reduced(of_rows(pair, "jacobian"), reduce).reshape(2, 2)
    np.testing.assert_allclose(gradient.p, WEIGHTS @ jacobian, 1e-12)
    hessian = f.hessian(*args, weights=WEIGHTS).p.p
    one = gdc.compile(lambda p, x, y: WEIGHTS @ np.array(pair(p, x, y)), wrt="p")
    rows = np.stack([by_text(one.hessian, (P, X[k], Y[k]), {}).p.p for k in range(ROWS)])
    np.testing.assert_allclose(hessian, reduced(rows, reduce), 1e-12, 1e-13)
    np.testing.assert_allclose(f.hessian.flat(P, WEIGHTS, x=X, y=Y), hessian, 1e-14)


ACROSS = [RNG.normal(size=ROWS), RNG.normal(size=ROWS)]


def test_cotangents_of_rows_are_rows():
    _, gradient = batched(pair, None).vjp((P, X, Y), ACROSS)
    jacobians = of_rows(pair, "jacobian").reshape(ROWS, 2, 2)
    expected = np.einsum("or,roi->ri", np.array(ACROSS), jacobians)
    np.testing.assert_allclose(gradient.p, expected, 1e-12, 1e-13)


@pytest.mark.slow
def test_weights_of_rows_are_rows():
    f, args = batched(pair, None), (P, X, Y)
    hessian = f.hessian(*args, weights=ACROSS).p.p
    basis = [f.hessian(*args, weights=[k * np.ones(ROWS) for k in unit]).p.p for unit in np.eye(2)]
    expected = sum(np.reshape(w, (-1, 1, 1)) * h for w, h in zip(ACROSS, basis, strict=True))
    np.testing.assert_allclose(hessian, expected, 1e-12, 1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("reduce", REDUCE)
def test_derivatives_by_rows_have_rows(reduce):
    f = batched(pair, reduce, wrt=["p", "x"])
    jacobian = f.jacobian(P, X, Y)
    assert [g.x.shape for g in jacobian] == [(ROWS,), (ROWS,)]
    assert [g.p.shape for g in jacobian] == [(2,) if reduce else (ROWS, 2)] * 2
    scale = ROWS if reduce == "mean" else 1.0
    for row in (0, ROWS - 1):
        one = gdc.compile(pair, wrt="x")
        expected = [g.x for g in by_text(one.jacobian, (P, X[row], Y[row]), {})]
        given = [g.x[row] * scale for g in jacobian]
        np.testing.assert_allclose(given, expected, 1e-12)
    _, tangents = f.jvp((P, X, Y), (ALONG, X))
    by_p = [g.p @ ALONG for g in jacobian]
    by_x = [g.x * X if reduce is None else g.x @ X for g in jacobian]
    np.testing.assert_allclose(tangents, np.add(by_p, by_x), 1e-12, 1e-13)


def test_nonzeros_of_each_row_have_one_structure():
    f = batched(pair, None)
    values = f.jacobian.sparse.values(P, X, Y)
    rows, columns = f.jacobian.sparse.structure
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [
        (0, 0), (0, 1), (1, 0), (1, 1)
    ]  # fmt: skip
    np.testing.assert_allclose(values, of_rows(pair, "jacobian"), 1e-12, 1e-13)
    assert f.jacobian.flat(P, x=X, y=Y).shape == (ROWS, 2, 2)


@pytest.mark.slow
def test_a_sum_over_rows_has_one_sparse_matrix():
    f = batched(loss, "sum")
    matrix = f.hessian.sparse(P, X, Y)
    np.testing.assert_allclose(matrix.toarray(), f.hessian(P, X, Y).p.p, 1e-13)
    lower = f.hessian.sparse(P, X, Y, triangle="lower")
    np.testing.assert_allclose(lower.toarray(), np.tril(matrix.toarray()), 1e-13)


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows(rows):
    f = batched(pair, None)
    first, second = f.jacobian(P, X[:rows], Y[:rows])
    assert first.p.shape == second.p.shape == (rows, 2)
    assert f.jacobian.sparse.values(P, X[:rows], Y[:rows]).shape == (rows, 4)


@pytest.mark.slow
@pytest.mark.parametrize("reduce", REDUCE)
def test_threads_give_what_one_gives(reduce):
    many = 20_000
    x, y = RNG.normal(size=many), RNG.normal(size=(many, 2))
    one, two = (batched(pair, reduce, parallel=n) for n in (1, 2))
    for kernel in ("jacobian", "value_and_jacobian"):
        given, expected = (vector(getattr(f, kernel)(P, x, y)) for f in (two, one))
        np.testing.assert_allclose(given, expected, 1e-9, 1e-12)
    across = WEIGHTS if reduce else [x, x]
    given, expected = (vector(f.vjp((P, x, y), across)) for f in (two, one))
    np.testing.assert_allclose(given, expected, 1e-9, 1e-12)


PROVED = ("jacobian", "hessian", "hvp", "jvp", "vjp", "hessian_diagonal")


@pytest.mark.parametrize("kernel", slow_but(("hvp",), PROVED))
def test_kernels_of_batches_are_proved(kernel):
    report = getattr(batched(loss, "mean"), kernel).verify()
    assert report.ok
    assert report.derivatives
