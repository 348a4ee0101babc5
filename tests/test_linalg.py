"""Small matrices: numbers as numpy's, gradients as jax's and by formulas, in every engine."""

import math

import mpmath
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import TraceError, Value, linalg
from gradcompile.autodiff.reverse import reverse
from gradcompile.graph.numpy_linalg import LINALG
from gradcompile.ir.interpret import interpret
from tests.helpers.flat import flat
from tests.helpers.slow import slow_but

KINDS = ("normal", "permuted", "rows", "columns", "each", "small")
SIZES = range(1, 7)


def matrix_of(kind, size, seed=0):
    """A matrix with numbers of one size, with one in each row, or scaled badly."""
    rng = np.random.default_rng([size, seed])
    if kind == "permuted":
        return np.eye(size)[np.roll(np.arange(size), 1)]
    scales = {
        "normal": 1.0,
        "rows": 10 ** rng.uniform(-8, 8, (size, 1)),
        "columns": 10 ** rng.uniform(-8, 8, (1, size)),
        "each": 10 ** rng.uniform(-8, 8, (size, size)),
        "small": 1e-40,
    }
    return rng.normal(size=(size, size)) * scales[kind]


def definite(size):
    a = matrix_of("normal", size)
    return a @ a.T + 0.1 * np.eye(size)


def program_of(function, *args):
    return gdc.compile(function, cache=False).arguments.read(args, {}).traced.program


def by_interpreter(function, *args):
    """The value of a traced function and its gradient, an array for each argument."""
    program = program_of(function, *args)
    numbers = flat(args)
    results = flat(interpret(reverse(program, range(len(numbers))), numbers))
    parts = np.split(np.array(results[1:]), np.cumsum([np.size(x) for x in args])[:-1])
    return results[0], [part.reshape(np.shape(x)) for part, x in zip(parts, args, strict=True)]


def values_of(x):
    return np.vectorize(Value, otypes=[object])(x).tolist()


def numbers_of(x):
    return np.vectorize(lambda item: getattr(item, "data", item), otypes=[float])(x)


# --- numbers -------------------------------------------------------------------------------------

OF_ONE = ("inv", "det", "slogdet", "cholesky", "trace")


def given(name, a):
    return {"slogdet": lambda: linalg.slogdet(a)[1]}.get(name, lambda: getattr(linalg, name)(a))()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", OF_ONE)
def test_of_values_results_are_those_of_numpy(name, size):
    a = definite(size)
    expected = given(name, a)
    np.testing.assert_allclose(numbers_of(given(name, values_of(a))), expected, rtol=1e-11)
    found = interpret(program_of(lambda a: given(name, a), a), flat(a))
    np.testing.assert_allclose(flat(found), np.ravel(expected), rtol=1e-11)


@pytest.mark.parametrize("columns", [(), (1,), (3,)], ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_systems_of_values(size, columns):
    a, b = matrix_of("normal", size), np.random.default_rng(1).normal(size=(size, *columns))
    found = linalg.solve(values_of(a), values_of(b))
    assert found.shape == b.shape
    np.testing.assert_allclose(numbers_of(found), np.linalg.solve(a, b), rtol=1e-11)
    np.testing.assert_allclose(numbers_of(linalg.solve(a, values_of(b))), np.linalg.solve(a, b))


STACKS = [
    ((4, 3, 3), (4, 3, 2)), ((3, 3), (2, 4, 3, 1)), ((2, 1, 2, 2), (3, 2, 2)), ((5, 2, 2), (2,)),
]  # fmt: skip
"""Shapes of matrices and of their right sides."""


@pytest.mark.parametrize("shapes", STACKS, ids=str)
def test_stacks_of_matrices(shapes):
    rng = np.random.default_rng(2)
    a, b = (rng.normal(size=shape) for shape in shapes)
    expected = np.linalg.solve(a, b)
    found = linalg.solve(values_of(a), values_of(b))
    assert found.shape == expected.shape
    np.testing.assert_allclose(numbers_of(found), expected, rtol=1e-11)
    for name in ("inv", "det", "trace"):
        expected = getattr(linalg, name)(a)
        found = np.asarray(getattr(linalg, name)(values_of(a)))
        assert found.shape == expected.shape
        np.testing.assert_allclose(numbers_of(found), expected, rtol=1e-11)


def test_of_numbers_numpy_computes_them():
    a = [[4, 2], [2, 5]]
    assert type(linalg.solve(a, [1, 2])[0]) is np.float64
    assert linalg.solve(a, [1, 2]).tolist() == np.linalg.solve(a, [1, 2]).tolist()
    assert linalg.cholesky(a, upper=True).tolist() == [[2.0, 1.0], [0.0, 2.0]]
    assert linalg.norm(a, 2) == np.linalg.norm(a, 2)
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        linalg.inv([[1.0, 1.0], [1.0, 1.0]])


def test_the_upper_triangle_is_read_if_it_is_asked_for():
    a = definite(4)
    a[np.tril_indices(4, -1)] = math.nan
    upper = numbers_of(linalg.cholesky(values_of(a), upper=True))
    np.testing.assert_allclose(upper.T @ upper, definite(4), rtol=1e-12)
    assert numbers_of(linalg.cholesky(values_of(a.T)))[0, 0] == upper[0, 0]


def error_of(found, exact):
    scale = max(map(abs, exact))
    return max(
        float(abs(mpmath.mpf(float(x)) - y) / scale) for x, y in zip(found, exact, strict=True)
    )


@pytest.mark.parametrize("size", [2, 3, 4, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_systems_are_solved_as_exactly_as_by_numpy(kind, size):
    ours, theirs = [], []
    for seed in range(20):
        a, b = matrix_of(kind, size, seed), np.random.default_rng(seed).normal(size=size)
        with mpmath.workdps(120):
            exact = list(mpmath.lu_solve(mpmath.matrix(a.tolist()), mpmath.matrix(b.tolist())))
            found = LINALG[np.linalg.solve](a.astype(object), b.astype(object))
            ours.append(error_of(found, exact))
            theirs.append(error_of(np.linalg.solve(a, b), exact))
    assert np.median(ours) <= 4 * max(np.median(theirs), 1e-16)
    assert max(ours) <= 10 * max(*theirs, 1e-15)


# --- gradients -----------------------------------------------------------------------------------


def weights(*shape):
    return np.random.default_rng(9).normal(size=shape)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_a_system_are_those_of_the_formula(kind, size):
    a, b, w = matrix_of(kind, size), weights(size) + 1.0, weights(size)
    _, (by_a, by_b) = by_interpreter(lambda a, b: np.linalg.solve(a, b) @ w, a, b)
    x, adjoint = np.linalg.solve(a, b), np.linalg.solve(a.T, w)
    largest = np.max(np.abs(adjoint))
    tolerance = 1e-9 if kind in ("normal", "permuted", "small") else 1e-3
    np.testing.assert_allclose(by_b, adjoint, rtol=tolerance, atol=tolerance * largest)
    expected = -np.outer(adjoint, x)
    np.testing.assert_allclose(by_a, expected, atol=tolerance * np.max(np.abs(expected)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["normal", "permuted"])
def test_gradients_of_inverses_and_determinants(kind, size):
    a, w = matrix_of(kind, size), weights(size, size)
    inverse = np.linalg.inv(a)
    _, (found,) = by_interpreter(lambda a: np.sum(w * np.linalg.inv(a)), a)
    np.testing.assert_allclose(found, -inverse.T @ w @ inverse.T, rtol=1e-8, atol=1e-9)
    _, (found,) = by_interpreter(np.linalg.det, a)
    np.testing.assert_allclose(found, np.linalg.det(a) * inverse.T, rtol=1e-8, atol=1e-12)
    _, (found,) = by_interpreter(lambda a: np.linalg.slogdet(a).logabsdet, a)
    np.testing.assert_allclose(found, inverse.T, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_gradients_of_cholesky_factors(size):
    a, w = definite(size), weights(size, size)
    _, (found,) = by_interpreter(lambda a: np.sum(w * np.linalg.cholesky(a)), a)
    assert not np.triu(found, 1).any()  # the upper triangle is not read
    for i, j in zip(*np.tril_indices(size), strict=True):
        step = np.zeros_like(a)
        step[i, j] = 1e-6
        rise = np.linalg.cholesky(a + step) - np.linalg.cholesky(a - step)
        assert found[i, j] == pytest.approx(np.sum(w * rise) / 2e-6, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("size", [2, 3])
def test_a_small_determinant_has_its_gradient_where_the_matrix_is_singular(size):
    a = np.outer(np.arange(1.0, size + 1), np.ones(size))
    a[0, 0] = 5.0  # of three rows, two are dependent
    a[-1] = 2 * a[0]
    value, (found,) = by_interpreter(np.linalg.det, a)
    cofactors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(size)]
        for i in range(size)
    ]
    assert value == 0.0
    np.testing.assert_allclose(found, cofactors, atol=1e-12)


WRITTEN = {
    "solve": lambda module, a: module.solve(a, a[0] * a[0]),
    "inv": lambda module, a: module.inv(a),
    "det": lambda module, a: module.det(a),
    "slogdet": lambda module, a: module.slogdet(a)[1],
    "cholesky": lambda module, a: module.cholesky(a @ a.T),
    "norm": lambda module, a: module.norm(a, 1),
    "trace": lambda module, a: module.trace(a),
}
"""Functions of a matrix, by a module that has those of numpy.linalg."""


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITTEN)
def test_gradients_are_those_of_jax(name):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    function = WRITTEN[name]
    for size in (1, 2, 4):
        a = matrix_of("normal", size)
        expected = jax.grad(lambda a: (function(jax.numpy.linalg, a) ** 2).sum())(a)
        _, (found,) = by_interpreter(lambda a: np.sum(function(linalg, a) ** 2), a)
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


# --- norms ---------------------------------------------------------------------------------------

NORMS = [
    *((shape, ord, None) for shape in [(1,), (4,)] for ord in (None, 0, 1, 2, 3, 2.5, -1, -2)),
    *(((4,), ord, None) for ord in (math.inf, -math.inf)),
    *(((3, 2), ord, None) for ord in (None, "fro", "f", 1, -1, math.inf, -math.inf)),
    *(((2, 3, 2), ord, 1) for ord in (None, 1, 2, math.inf)),
    *(((2, 3, 2), ord, axes) for ord in (None, "fro", 1, -math.inf) for axes in [(0, 2), (-1, 0)]),
    ((2, 3, 2), None, None),
]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("shape", "ord", "axis"), NORMS, ids=str)
def test_norms_are_those_of_numpy(shape, ord, axis, keepdims):
    x = np.random.default_rng(3).normal(size=shape)
    expected = np.linalg.norm(x, ord, axis, keepdims)
    found = np.asarray(linalg.norm(values_of(x), ord, axis, keepdims))
    assert found.shape == expected.shape
    np.testing.assert_allclose(numbers_of(found), expected, rtol=1e-13)


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 1.5])
def test_the_slope_of_a_norm_is_0_at_the_vector_of_zeros(ord):
    value, (found,) = by_interpreter(lambda x: np.linalg.norm(x, ord), np.zeros(3))
    assert value == 0.0
    assert found.tolist() == [0.0, 0.0, 0.0]
    x = values_of(np.zeros(3))
    linalg.norm(x, ord).backward()
    assert [item.grad for item in x] == [0.0, 0.0, 0.0]
    _, (found,) = by_interpreter(linalg.norm, np.array([-2.0]))
    assert found.tolist() == [-1.0]


# --- every engine --------------------------------------------------------------------------------


def summed(name):
    def of_matrix(a):
        return np.sum(weights(*np.shape(a)) * getattr(linalg, name)(a))

    return of_matrix


FUNCTIONS = {
    "solve": lambda a: np.sum(linalg.solve(a, [*a[1:], a[0] * a[0]])[0]),
    "inv": summed("inv"),
    "cholesky": summed("cholesky"),
    "det": linalg.det,
    "slogdet": lambda a: np.prod(linalg.slogdet(a)),
    "norm": linalg.norm,
    "trace": lambda a: linalg.trace(a) ** 2,
}
MADE = [*((name, size) for name in FUNCTIONS for size in range(1, 5)), ("solve", 6)]


@pytest.mark.parametrize(("name", "size"), slow_but([("solve", 2)], MADE))
def test_engines_agree(name, size, every_engine):
    function, a = FUNCTIONS[name], definite(size)
    a[0] *= -1.0 if name != "cholesky" else 1.0  # rows are exchanged
    compiled = gdc.compile(function, cache=False)
    value, gradient = by_interpreter(function, a)
    compiled.value_and_grad(a)
    for engine, (found, slopes) in every_engine(compiled, a.ravel()).items():
        assert found == pytest.approx(float(function(a)), rel=1e-10), engine
        assert found == pytest.approx(value, rel=1e-10), engine
        assert slopes == pytest.approx(flat(gradient), rel=1e-8, abs=1e-10), engine


@pytest.mark.slow
def test_rows_of_systems():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 2)), rng.normal(size=(5, 2))
    by_row = gdc.compile(linalg.solve, batched="b", reduce=None, cache=False, name="solve")
    np.testing.assert_allclose(by_row(a, b), np.linalg.solve(a, b.T).T, rtol=1e-12)

    @gdc.compile(batched="b", reduce="sum", cache=False)
    def loss(a, b):
        return linalg.norm(np.linalg.solve(a, b)) ** 2

    x = np.linalg.solve(a, b.T)
    np.testing.assert_allclose(loss.grad(a, b).a, -2 * np.linalg.solve(a.T, x @ x.T), rtol=1e-10)


def test_graphs_of_values():
    a = [[Value(2.0, label="p"), Value(1.0, label="q")], [Value(1.0, label="r"), 3.0]]
    root = linalg.solve(a, [Value(1.0, label="s"), 2.0])[1]
    root.backward()
    slopes = [a[0][0].grad, a[0][1].grad, a[1][0].grad]
    compiled = gdc.compile(root, inputs=[a[0][0], a[0][1], a[1][0]], cache=False)
    assert compiled.value_and_grad(2.0, 1.0, 1.0) == (pytest.approx(0.6), pytest.approx(slopes))


def test_derivatives_are_proved():
    compiled = gdc.compile(lambda a: linalg.det(a), name="det", cache=False)
    compiled(matrix_of("normal", 3))
    report = str(compiled.verify())
    assert report.count("proved") == 9


# --- singular matrices ---------------------------------------------------------------------------

SINGULAR = {
    "dependent": np.ones((2, 2)),
    "nothing": np.zeros((3, 3)),
    "a column of zeros": np.array([[0.0, 1.0, 2.0], [0.0, 3.0, 1.0], [0.0, 2.0, 2.0]]),
    "a row of zeros": np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0], [0.0, 2.0, 1.0]]),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_a_singular_matrix_gives_inf_or_nan(name):
    a = SINGULAR[name]
    b = np.arange(1.0, len(a) + 1)
    for function in (lambda a: np.linalg.solve(a, b), np.linalg.inv):
        found = flat(interpret(program_of(function, a), flat(a)))
        assert not np.isfinite(found).all()
    assert flat(interpret(program_of(np.linalg.det, a), flat(a))) == [0.0]


def test_a_singular_matrix_is_an_error_if_the_domain_is_checked():
    def solved(a):
        return np.sum(np.linalg.solve(a, [1.0, 2.0]))  # here

    compiled = gdc.compile(solved, check_domain=True, cache=False)
    assert compiled(np.eye(2)) == 3.0
    with pytest.raises(FloatingPointError, match=r"`a / b` is .*b = 0\.0.*linalg\.solve.*# here"):
        compiled(np.ones((2, 2)))


def test_a_matrix_that_is_not_positive_definite_gives_nan():
    a = np.array([[1.0, 2.0], [2.0, 1.0]])
    found = flat(interpret(program_of(np.linalg.cholesky, a), flat(a)))
    assert found[:3] == [1.0, 0.0, 2.0]
    assert math.isnan(found[3])


def test_a_determinant_of_four_rows_is_0_where_the_last_pivot_is():
    a = matrix_of("permuted", 4)
    a[:, 3] = a[:, 0]
    assert flat(interpret(program_of(np.linalg.det, a), flat(a)))[0] == 0.0


# --- what is refused -----------------------------------------------------------------------------

REFUSED = {
    "no square": (lambda a: linalg.solve(a[:2], [1.0, 2.0]), r"linalg\.solve: .*shape \(2, 3\)"),
    "a vector": (lambda a: linalg.det(a[0]), r"linalg\.det: .*shape \(3,\)"),
    "nothing": (lambda a: np.linalg.inv(a[:0, :0]), r"linalg\.inv: .*shape \(0, 0\)"),
    "too few rows": (lambda a: linalg.solve(a, [1.0, 2.0]), r"shapes \(3, 3\) and \(2,\)"),
    "a number": (lambda a: linalg.solve(a, a[0, 0]), r"shapes \(3, 3\) and \(\)"),
    "a ragged list": (lambda a: linalg.inv([[a[0, 0], 1.0], [2.0]]), "differ in length"),
    "an unknown norm": (lambda a: linalg.norm(a, "max"), "no norm of a matrix with ord='max'"),
    "one of vectors": (lambda a: linalg.norm(a, 3), "no norm of a matrix with ord=3"),
    "one of matrices": (lambda a: linalg.norm(a[0], "fro"), "no norm of a vector with ord='fro'"),
    "no axis": (lambda a: linalg.norm(a, 1, axis=5), r"linalg\.norm: axis 5 is out of bounds"),
    "no diagonal": (lambda a: linalg.trace(a[0]), r"linalg\.trace: .*shape \(3,\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_shapes_and_options_are_answered_in_a_sentence(name):
    function, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        program_of(lambda a: np.sum(function(a)), np.eye(3))


@pytest.mark.parametrize("ord", [2, -2, "nuc"])
def test_norms_of_singular_values_have_no_traced_form(ord):
    with pytest.raises(TraceError, match=r"linalg\.norm: .*singular values; take 'fro'"):
        program_of(lambda a: linalg.norm(a, ord), np.eye(3))


@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "cholesky"])
@pytest.mark.parametrize("made", [np.array, np.asarray, list], ids=lambda made: made.__name__)
def test_of_plain_arrays_and_lists_gdc_linalg_is_named(name, made):
    def function(module, a):
        return np.sum(getattr(module, name)(made([[a[0, 0], 1.0], [1.0, a[1, 1]]])))

    with pytest.raises(TraceError, match=r"line \d+: .*getattr.*use gdc\.linalg"):
        program_of(lambda a: function(np.linalg, a), definite(2))
    assert program_of(lambda a: function(linalg, a), definite(2)).inputs


LARGEST = {"solve": 8, "inv": 8, "det": 8, "slogdet": 8, "cholesky": 16}


@pytest.mark.parametrize("name", LARGEST)
def test_large_matrices_are_refused_with_the_limit(name):
    most = LARGEST[name]

    def function(a):
        return np.sum(getattr(linalg, name)(a, *[a[0]] * (name == "solve")))

    assert program_of(function, np.eye(most)).inputs
    with pytest.raises(TraceError, match=rf"linalg\.{name}: .* {most + 1} rows.* {most} rows"):
        program_of(function, np.eye(most + 1))


def test_a_large_matrix_of_numbers_may_be_solved_by():
    a, b = matrix_of("normal", 20), weights(20)
    found = flat(interpret(program_of(lambda b: np.linalg.solve(a, b), b), flat(b)))
    np.testing.assert_allclose(found, np.linalg.solve(a, b), rtol=1e-10)


def test_what_is_known_to_be_0_is_left_out():
    a, b = np.array([[2.0, 0.0, 0.0], [1.0, 2.0, 0.0], [0.0, 1.0, 4.0]]), np.array([1.0, 2.0, 3.0])
    program = program_of(lambda b: np.linalg.solve(a, b), b)
    assert [op.name for _, op, _, _ in program.instructions].count("mul") == 2
    np.testing.assert_allclose(flat(interpret(program, flat(b))), np.linalg.solve(a, b))
