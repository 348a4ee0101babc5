"""Products of matrices: the machine code against numpy, and which loop nests become calls."""

import itertools

import numba
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import nn
from gradcompile.emit import nest_trees
from gradcompile.ir.nests import Loop
from gradcompile.jit import register_numba, tiles
from gradcompile.products import FUNCTIONS
from tests.batch.test_batch import by_rows, by_text
from tests.benchmarks import works
from tests.helpers.flat import python_of
from tests.helpers.slow import slow_but

register_numba()


@pytest.fixture
def rng():
    return np.random.default_rng(5)


SHAPES = [
    (1, 1, 1), (2, 3, 4), (3, 5, 8), (4, 4, 24), (5, 7, 25), (8, 2, 31), (16, 16, 100), (17, 9, 49),
    (4, 0, 5), (0, 3, 5), (3, 3, 0), (1, 40, 7),
]  # fmt: skip
"""Rows of `c`, terms of a sum, and the length of a row: full tiles, and what is left over."""


SLOW_WIDTHS = [pytest.param(width, marks=pytest.mark.slow) for width in (2, 8)]


@pytest.fixture(scope="module", params=[4, *SLOW_WIDTHS])
def compiled(request):
    """The functions in machine code, by name, for vectors of so many numbers."""
    before = tiles.LANES, tiles.VECTOR
    tiles.LANES, tiles.VECTOR = request.param, tiles.ir.VectorType(tiles.DOUBLE, request.param)
    matrix = numba.types.Array(numba.float64, 2, "A")
    vector = numba.types.Array(numba.float64, 1, "A")

    operands = {"set_affine": [matrix] * 3 + [vector], "sums": [vector, matrix]}
    try:
        yield {
            name: jitted(
                name, operands.get(name.partition("_")[2], operands.get(name, [matrix] * 3))
            )
            for name in FUNCTIONS
        }
    finally:
        tiles.LANES, tiles.VECTOR = before


def jitted(name, operands):
    arguments = ", ".join("cabd"[: len(operands)])
    if name.endswith("sums"):
        arguments = "c, a"
    function = eval(f"lambda {arguments}: {name}({arguments})", dict(FUNCTIONS))
    return numba.njit(numba.void(*operands))(function)


def padded(rng, rows, columns):
    """A matrix inside of a larger one, whose other elements must not change."""
    around = rng.normal(size=(rows + 2, columns + 3))
    return around, around[1 : rows + 1, 1 : columns + 1]


def layouts(rng, rows, columns):
    """The same kind of matrix in different orders in memory."""
    yield rng.normal(size=(rows, columns))
    yield rng.normal(size=(columns, rows)).T
    yield rng.normal(size=(2 * rows, 3 * columns))[::2, ::3]
    yield rng.normal(size=(rows, columns))[::-1]


@pytest.mark.parametrize("name", ["set_product", "set_affine", "add_product", "subtract_product"])
@pytest.mark.parametrize(("rows", "terms", "length"), SHAPES)
def test_a_product_is_that_of_numpy(compiled, rng, name, rows, terms, length):
    for a in layouts(rng, rows, terms):
        around, c = padded(rng, rows, length)
        _, b = padded(rng, terms, length)
        others = [rng.normal(size=2 * rows)[::2]] if name == "set_affine" else []
        before, expected = around.copy(), c.copy()
        FUNCTIONS[name](expected, a, b, *others)
        compiled[name](c, a, b, *others)
        np.testing.assert_allclose(c, expected, rtol=1e-13, atol=1e-13)
        c[:] = before[1:-1, 1:-2]
        np.testing.assert_array_equal(around, before)


def test_a_product_sets_what_was_nan(compiled, rng):
    a, b = rng.normal(size=(5, 3)), rng.normal(size=(3, 30))
    c = np.full((5, 30), np.nan)
    compiled["set_product"](c, a, b)
    np.testing.assert_allclose(c, a @ b, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("rows", "columns", "length"), [s for s in SHAPES if s[1]])
def test_sums_are_those_of_numpy(compiled, rng, rows, columns, length):
    around, c = padded(rng, rows, columns)
    _, a = padded(rng, rows, length)
    before, column = around.copy(), c[:, columns // 2]
    for name in ("add_sums", "subtract_sums"):
        expected = column.copy()
        FUNCTIONS[name](expected, a)
        compiled[name](column, a)
        np.testing.assert_allclose(column, expected, rtol=1e-13, atol=1e-13)
    c[:] = before[1:-1, 1:-2]
    np.testing.assert_array_equal(around, before)


@pytest.mark.parametrize(("rows", "columns", "length"), SHAPES)
def test_inner_products_are_those_of_numpy(compiled, rng, rows, columns, length):
    around, c = padded(rng, rows, columns)
    _, a = padded(rng, rows, length)
    _, b = padded(rng, columns, length)
    before = around.copy()
    for name in ("add_inner_products", "subtract_inner_products"):
        expected = c.copy()
        FUNCTIONS[name](expected, a, b)
        compiled[name](c, a, b)
        np.testing.assert_allclose(c, expected, rtol=1e-13, atol=1e-12)
    c[:] = before[1:-1, 1:-2]
    np.testing.assert_array_equal(around, before)


def test_nan_and_inf_stay_where_they_belong(compiled):
    a, b = np.ones((5, 6)), np.ones((6, 29))
    b[2, 28], b[3, 0] = np.nan, np.inf
    found = np.zeros((5, 29))
    compiled["add_product"](found, a, b)
    assert np.isnan(found[:, 28]).all()
    assert np.isinf(found[:, 0]).all()
    assert (found[:, 1:28] == 6).all()
    inner = np.zeros((5, 7))
    left, right = np.ones((5, 29)), np.ones((7, 29))
    right[6, 28], left[4, 0] = np.nan, np.inf
    compiled["add_inner_products"](inner, left, right)
    assert np.isnan(inner[:, 6]).all()
    assert np.isinf(inner[4, :6]).all()
    assert (inner[:4, :6] == 29).all()


def network(sizes, **options):
    """The squared error of a network for one row, compiled for batches."""
    model = nn.MLP(sizes[0], sizes[1:], activation="tanh")

    def loss(params, x, y):
        scores = model.with_parameters(params)(list(x))
        scores = scores if isinstance(scores, list) else [scores]
        return sum((score - y) ** 2 for score in scores)

    return gdc.compile(loss, batched=("x", "y"), **options), model.flat


@pytest.mark.parametrize("engine", slow_but(["text"], ["text", "machine"]))
def test_layers_are_products_forward_and_backward(rng, engine):
    loss, params = network((5, 7, 4))
    x, y = rng.normal(size=(70, 5)), rng.normal(size=70)
    arguments = {"params": params, "x": x, "y": y}
    loss.value_and_grad._arguments.read((), arguments)
    source = loss.source
    assert source.count("set_affine(") == 1  # forward
    assert source.count("add_product(") == 1  # to a bias from which the target is taken away
    assert source.count("set_product(") == 1  # backward
    assert source.count("add_inner_products(") == 2
    by_python, of_python = python_of(loss.value_and_grad)(params, x, y)
    if engine == "machine":
        value, gradient = loss.value_and_grad(params, x, y)
        assert value == pytest.approx(by_python, rel=1e-13)
        np.testing.assert_allclose(gradient.params, of_python, rtol=1e-12, atol=1e-14)
        assert loss.verify().ok
    else:
        value, parts = by_rows(loss.arguments.function, arguments, ("x", "y"), "mean")
        assert by_python == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(of_python, parts["params"], rtol=1e-11, atol=1e-13)


def test_strict_sums_keep_their_order(rng):
    loss, params = network((6, 12, 9, 3), strict=True, cache=False)
    x, y = rng.normal(size=(70, 6)), rng.normal(size=70)
    by_text(loss.value_and_grad, params, x, y)
    assert "_product" not in loss.source


@pytest.mark.parametrize("engine", ["text", pytest.param("machine", marks=pytest.mark.slow)])
def test_a_recurrence_does_not_multiply_what_it_writes(rng, engine):
    """Each state is a product of a matrix by the state before, in one array."""
    w = rng.normal(size=(20, 20)) / 5

    @gdc.compile(batched="x", reduce="sum")
    def last(w, x):
        state = x
        for _ in range(6):
            state = gdc.tanh(gdc.matmul(w, state))
        return gdc.dot(state, state)

    x = rng.normal(size=(33, 20))
    if engine == "machine":
        value, gradient = last.value_and_grad(w, x)
    else:
        value, gradient = by_text(last.value_and_grad, w, x)
    states = [x.T]
    for _ in range(6):
        states.append(np.tanh(w @ states[-1]))
    assert value == pytest.approx((states[-1] ** 2).sum(), rel=1e-12)
    expected, slope = np.zeros_like(w), 2 * states[-1]
    for before, after in itertools.pairwise(states[::-1]):
        slope = slope * (1 - before**2)
        expected += slope @ after.T
        slope = w.T @ slope
    np.testing.assert_allclose(gradient.w, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("outputs", "terms", "are_products"), [(2, 30, False), (3, 30, True), (30, 2, False)]
)
def test_small_sums_stay_loops(rng, outputs, terms, are_products):
    @gdc.compile(batched="x", reduce="sum")
    def f(w, x):
        return sum(gdc.tanh(y) for y in gdc.matmul(w, x))

    w, x = rng.normal(size=(outputs, terms)), rng.normal(size=(50, terms))
    assert by_text(f.value, w, x) == pytest.approx(np.tanh(x @ w.T).sum(), rel=1e-12)
    assert ("set_product(" in f.value.source) == are_products


def test_loops_are_marked_as_products_only_where_a_call_computes_them(monkeypatch):
    """Attention reads parts of arrays that are no matrices: these stay sums in a loop."""
    calls, product_call = [], nest_trees.product_call

    def watched(steps, names):
        call, count = product_call(steps, names)
        if isinstance(steps[0], Loop) and steps[0].is_product:
            calls.append(call)
        return call, count

    monkeypatch.setattr(nest_trees, "product_call", watched)
    work = works.transformer(positions=4)
    f = gdc.compile(work.loss(), inputs={"p": work.parameters}, cache=False)
    assert "add_product(" in f.source
    assert calls
    assert None not in calls
