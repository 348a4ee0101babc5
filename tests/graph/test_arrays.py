"""Arrays of Values answer numpy: the same results as for floats, or a sentence."""

import itertools
import math

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import TraceError, Value
from gradcompile.autodiff.reverse import reverse
from gradcompile.graph.arrays import ValueArray
from gradcompile.graph.numpy_functions import FUNCTIONS, POSITIONS, UNTRACED, sort
from gradcompile.graph.numpy_ufuncs import COMPOSED, OF_SCIPY
from gradcompile.graph.value import topological
from gradcompile.ir.interpret import interpret
from gradcompile.ops import table
from tests.helpers.flat import flat

AT = np.array([0.5, -1.25, 1.75])

TABLE_X, TABLE_Y = [-1.0, 0.0, 1.0, 2.0], [1.0, 3.0, 0.0, 0.5]

EXPRESSIONS = """
# ufuncs by operators
x + 1 | x - x[::-1] | 2 * x | x / 3 | 1 / x | x ** 2 | 2 ** x | -x | +x | abs(x) | x % 2 | x // 0.4
3 % x | divmod(x, 2)[1] | np.add(x, 1) | np.subtract(1, x) | np.multiply(x, x) | np.divide(x, 2)
np.true_divide(2, x) | np.negative(x) | np.positive(x) | np.power(x, 3) | np.square(x)
np.reciprocal(x) | np.absolute(x) | np.conjugate(x) | np.matmul(x, x) | x @ x | np.vecdot(x, x)
# ufuncs that are rows
np.exp(x) | np.exp2(x) | np.expm1(x) | np.log(abs(x)) | np.log2(abs(x)) | np.log10(abs(x))
np.log1p(abs(x)) | np.sqrt(abs(x)) | np.cbrt(x) | np.sin(x) | np.cos(x) | np.tan(x)
np.arcsin(x / 2)
np.arccos(x / 2) | np.arctan(x) | np.arctan2(x, 2) | np.sinh(x) | np.cosh(x) | np.tanh(x)
np.arcsinh(x) | np.arccosh(abs(x) + 1) | np.arctanh(x / 2) | np.hypot(x, 1) | np.sign(x)
np.floor(x) | np.ceil(x) | np.trunc(x) | np.rint(x) | np.fmod(x, 0.8) | np.remainder(x, 0.8)
np.mod(x, -0.8) | np.floor_divide(x, 0.8) | np.maximum(x, 0) | np.minimum(x, x[::-1])
np.copysign(x, -1) | np.copysign(2, x) | np.logaddexp(x, 0) | np.heaviside(x, 0.5)
np.clip(x, 0, 1)
# ufuncs that are composed of rows
np.fabs(x) | np.fmax(x, 0.1) | np.fmin(x, 0.1) | np.isnan(x) + x | np.isinf(x) + x
np.isfinite(x) * x
np.signbit(x) + x | np.radians(x) | np.deg2rad(x) | np.degrees(x) | np.rad2deg(x)
np.float_power(abs(x), 1.5) | np.ldexp(x, 2) | np.logaddexp2(x, 1) | np.divmod(x, 0.8)[0]
np.divmod(x, 0.8)[1] | np.modf(x)[0] | np.modf(x)[1] | np.logical_xor(x > 0, x > 1) * x
# comparisons and logic
(x > 0) * x | (x >= x[0]) * x | (x < 1) + x | (x <= 1) - x | (x == 0.5) * x | (x != 0.5) * x
np.greater(x, 0) * x | np.less(x, x[::-1]) * x | np.equal(x, 0.5) * x
((x > 0) & (x < 1)) * x | ((x < 0)|(x > 1)) * x | (~(x > 0)) * x
np.logical_and(x > 0, x < 1) * x | np.logical_or(x < 0, x > 1) * x | np.logical_not(x > 0) * x
((x > 0) ^ (x < 1)) * x | ((x[0] > 0) ^ (x[1] > 1)) * x | (True ^ (x[0] > 9)) * x
((x[0] > 0) ^ np.array([True, False, True])) * x
np.bitwise_and(x > 0, x < 1) * x | (np.array([True, False, True]) & (x > 0)) * x
np.any(x > 1) + x | np.all(x > 1) + x | (x > 0).any() * x | (x > -9).all() * x
np.count_nonzero(x > 0) * x | np.sum(x > 0) * x | np.isclose(x, 0.5) * x | np.allclose(x, x) * x
np.array_equal(x, x) * x
# choosing
np.where(x > 0, x, 0) | np.where(x > 0, x, -x) | np.where(x > x[0], x, x[0])
np.select([x > 1, x > 0], [x, 2 * x], -1) * x | np.select([x > 1, x > 0], [x, 2 * x]) + x
np.piecewise(x, [x < 0, x >= 0], [lambda t: -t, lambda t: t * t])
np.piecewise(x, [x < 0], [lambda t, k: k * t, 2.0], 3.0) + x
np.nan_to_num(x) | np.interp(x, TABLE_X, TABLE_Y) | np.interp(x, TABLE_X, TABLE_Y, 7.0, 8.0) * x
np.interp(0.7, [0, 1, 2], x) | np.choose([0, 1, 0], [x, x + 1])
np.compress([True, False, True], x)
np.extract([True, False, True], x) | x[np.array([True, False, True])] | np.take(x, [0, 2])
# order
np.max(x) | np.min(x) | np.amax(x) | np.amin(x) | np.ptp(x) | x.max() | x.min() | x.clip(0, 1)
np.clip(x, None, 1) | np.clip(x, 0, None) | np.sort(x) | np.median(x) | np.percentile(x, 30)
np.quantile(x, [0.25, 0.5, 0.8]) | np.partition(x, 1)[1] | np.maximum.reduce(x)
np.maximum.accumulate(x) | np.sum(x, where=x > 0) * x | np.max(x, where=x < 1, initial=-9.0) * x
np.sum(x, where=x > 0, initial=5.0) * x | np.prod(x, where=x > 0, initial=5.0) * x
np.prod(x, where=[True, False, True], initial=5.0) * x | np.min(x, where=x > 0, initial=9.0) * x
np.mean(x, where=x > 0) | x.mean(where=x > 0) | np.var(x, where=x > 0) | x.std(where=x > 0)
np.var(A, axis=1, where=x > 0, ddof=1) | np.mean(A, axis=0, where=A > 0, keepdims=True)
np.sum(A, where=[True, False, True]) | np.mean(x, where=np.array([True, False, True]))
A.max(axis=(0, 1)) | np.minimum.outer(x, x) | np.max(A, axis=0) | A.max(1)
A.min(axis=(0, 1))
A.max(axis=1, keepdims=True) | np.sort(A, axis=0) | np.sort(A, axis=None) | np.median(A, axis=0)
np.median(A, axis=1, keepdims=True) | np.quantile(A, 0.3, axis=1) | np.max(x, initial=1.0) * x
# sums
np.sum(x) | x.sum() | np.sum(A, axis=1) | np.sum(A, axis=0, keepdims=True) | np.mean(x) | x.mean()
A.mean(axis=0) | np.std(x) | np.var(x) | x.std() | x.var(ddof=1) | A.std(axis=1) | np.prod(x)
np.cumsum(x) | np.cumprod(x) | A.cumsum(axis=1) | np.add.reduce(x) | np.add.accumulate(x)
np.logaddexp.reduce(x) | np.average(x) | np.average(x, weights=[1, 2, 3]) | np.diff(x)
np.ediff1d(x)
np.trapezoid(x) | np.gradient(x) | np.gradient(x, 0.5) | np.gradient(x, [0.0, 1.0, 3.0])
np.gradient(A, axis=1) | np.gradient(A)[0] | np.cov(x) | np.cov(B) | np.cov(x, x * x)
np.cov(B, bias=True)
np.corrcoef(x, x ** 2) | np.corrcoef(B) | np.unwrap(9 * x) | np.convolve(x, x) | np.correlate(x, x)
np.polyval(x, 2.0) | np.polyval([1, 2], x) | np.poly1d([1.0, 2.0])(x) | np.polyder(x)
np.polyadd(x, x)
# what leaves nan out
np.nansum(x) | np.nanprod(x) | np.nanmean(x) | np.nanmax(x) | np.nanmin(x) | np.nanvar(x)
np.nanstd(x)
np.nancumsum(x) | np.nancumprod(x) | np.nanstd(A, axis=0, ddof=1)
# products
np.dot(x, x) | x.dot(x) | A @ x | np.inner(x, x) | np.outer(x, x) | np.vdot(x, x)
np.cross(x, x[::-1])
np.kron(x, x) | np.tensordot(x, x, 1) | np.einsum('i,i->', x, x) | np.einsum('ij,j->i', A, x)
np.trace(A) | np.linalg.norm(x) | np.linalg.norm(x, 1) | np.linalg.norm(x, np.inf)
np.linalg.norm(x, 3) | np.linalg.norm(x, 2.5) | np.linalg.norm(x, -2)
np.linalg.norm(x, 3, 0, True)
np.linalg.norm(A, 3, axis=1) | np.linalg.norm(A, 1) | np.linalg.norm(A, np.inf, axis=(0, 1))
np.linalg.norm(A, -1, keepdims=True) | np.linalg.vector_norm(A, ord=3) | np.linalg.matrix_norm(A)
np.linalg.norm(x, -np.inf) | np.linalg.norm(A, axis=1) | np.linalg.norm(A)
np.linalg.multi_dot([A, A, x])
np.linalg.solve(B[:, :2], x[:2]) | np.linalg.solve(A + np.eye(3), x) | np.linalg.inv(B[:, :2])
np.linalg.det(A + np.eye(3)) | np.linalg.slogdet(A + np.eye(3))[1]
np.linalg.cholesky(np.outer(x, x) + np.eye(3)) @ x | np.linalg.matrix_power(B[:, :2], -2)
np.linalg.matrix_power(A, 3) | np.add.outer(x, x) | np.subtract.outer(x, x)
np.multiply.outer(x, x)
# shapes
np.reshape(x, (3, 1)) | np.ravel(A) | np.transpose(A) | A.T | np.expand_dims(x, 0)
np.squeeze(x[None])
np.broadcast_to(x, (2, 3)) | np.concatenate([x, x]) | np.stack([x, x]) | np.vstack([x, x])
np.hstack([x, x]) | np.column_stack([x, x]) | np.block([x, x]) | np.tile(x, 2) | np.repeat(x, 2)
np.flip(x) | np.roll(x, 1) | np.rot90(A) | np.fliplr(A) | np.swapaxes(A, 0, 1)
np.moveaxis(A, 0, 1)
np.diagonal(A) | np.diag(A) | np.meshgrid(x, x)[0] | np.split(x, 3)[0] | np.array_split(x, 2)[0]
np.append(x, x) | np.delete(x, 0) | np.pad(x, 1, mode='edge') | np.atleast_1d(x) | np.atleast_2d(x)
np.copy(x) | np.full_like(x, 2) * x | np.zeros_like(x) + x | np.ones_like(x) * x | np.real(x)
np.imag(x) * x
np.apply_along_axis(np.sum, 0, A) | np.vectorize(lambda t: t * t)(x) | np.sinc(x)
# one number
np.sum(x[0]) | np.mean(x[0]) | np.exp(x[0]) | np.where(x[0] > 0, x[0], 0) | np.clip(x[0], 0, 1)
np.maximum(x[0], 0) | np.max(x[0]) | np.dot(x[0], 2) | np.round(9 * x[0]) | np.stack([x[0], x[1]])
np.hypot(x[0], x[1]) | np.sinc(x[0]) | np.abs(x[1]) | np.nan_to_num(x[0]) | np.heaviside(x[0], 1)
# rounding
np.round(x) | np.round(x, 1) | x.round() | x.round(1) | np.around(x) | round(x[0], 1)
# arrays of numbers beside it
np.array([1.0, 2.0, 3.0]) * x | (np.array([1.0, 2.0, 3.0]) * x[0]).max()
np.maximum(np.array([1.0, 2.0, 3.0]) * x[0], x[1]) | np.where(np.array([1, 2, 3]) * x[0] > 1, x, 0)
np.array([True, False, True]) * x | np.logspace(0, 1, 3) * x | (np.asarray(x) * x[0]).max()
""".replace("\n", " | ")
"""What is written of a vector x, its outer product A, and a matrix B."""


def expressions():
    lines = [part.strip() for part in EXPRESSIONS.split(" | ")]
    return [part for part in lines if part and not part.startswith("#")]


def written(expression):
    """The function of x that an expression is."""
    names = {"np": np, "TABLE_X": TABLE_X, "TABLE_Y": TABLE_Y}
    text = f"lambda x: (lambda A, B: {expression})(np.outer(x, x + 1), np.stack([x, x * x]))"
    return eval(text, names)  # one of ours


def program_of(function, at=AT):
    compiled = gdc.compile(lambda x: function(x), name="f", cache=False)
    return compiled.arguments.read((at,), {}).traced.program


def total(function):
    def of_numbers(x):
        return float(np.sum(np.asarray(function(x), np.float64)))

    return of_numbers


def slopes_of(function, at, step=1e-6):
    units = step * np.eye(len(at))
    return [(function(at + unit) - function(at - unit)) / (2 * step) for unit in units]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("expression", expressions())
def test_results_are_those_of_numbers(expression):
    function = written(expression)
    expected = np.asarray(function(AT), np.float64)
    program = program_of(function)
    np.testing.assert_allclose(flat(interpret(program, AT)), expected.ravel(), rtol=1e-12)
    eager = np.asarray(function(np.array([Value(x) for x in AT], object).view(ValueArray)))
    assert eager.shape == expected.shape
    np.testing.assert_allclose([x.data for x in eager.ravel()], expected.ravel(), rtol=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("expression", expressions())
def test_slopes_are_those_of_numbers(expression):
    at = np.array([0.61, -1.37, 1.83])  # no kink is near
    function = written(expression)
    program = program_of(lambda x: gdc.sum(function(x)), at)
    found = interpret(reverse(program, range(3), keep_value=False), at)[0]
    np.testing.assert_allclose(found, slopes_of(total(function), at), rtol=1e-6, atol=1e-7)


def test_every_function_of_ours_is_tried():
    text = EXPRESSIONS
    names = {key.__name__ for key in FUNCTIONS} - {"copyto", "empty_like"}  # they give no numbers
    for name in (*names, *COMPOSED):
        aliases = {"float_power": "np.float_power", "bitwise_xor": "np.logical_xor"}
        assert aliases.get(name, f"{name}(") in text, name


# --- what is refused -----------------------------------------------------------------------------


NO_FORM = (
    *POSITIONS, *UNTRACED, np.linalg.eigvalsh, np.linalg.pinv, np.linalg.svd,
    np.fft.fft, np.nextafter, np.frexp, np.spacing,
)  # fmt: skip

MORE = {
    "searchsorted": [1.0], "digitize": [[0.0, 1.0]], "argpartition": [1], "isin": [[1.0]],
    "polymul": [[1.0]], "polydiv": [[1.0, 2.0]], "nanquantile": [0.5], "nanpercentile": [50],
    "putmask": [True, 0.0], "place": [True, 0.0], "nextafter": [1.0],
}  # fmt: skip
"""Further arguments that they need."""


@pytest.mark.parametrize(
    "function", sorted(NO_FORM, key=lambda f: f.__name__), ids=lambda function: function.__name__
)
def test_what_is_not_traced_is_said(function):
    is_of_matrices = "linalg" in (getattr(function, "__module__", "") or "")

    def refused(x):
        operand = np.outer(x, x) if is_of_matrices else x
        return function(operand, *MORE.get(function.__name__, ()))  # stops here

    with pytest.raises(TraceError) as error:
        program_of(refused)
    message = str(error.value)
    assert function.__name__ in message
    assert "# stops here" in message
    assert "traced form" in message or "not known while tracing" in message


METHODS = ["argmax()", "argmin()", "argsort()", "nonzero()", "searchsorted(1.0)", "argpartition(1)"]


@pytest.mark.parametrize("call", METHODS)
def test_methods_that_ask_for_positions(call):
    with pytest.raises(TraceError, match=call.partition("(")[0]):
        program_of(eval(f"lambda x: x.{call}"))


REFUSED = {
    "astype": (lambda x: x.astype(float) * 2, "float64 already"),
    "a mask": (lambda x: x[x > 0].sum(), "multiply by the condition"),
    "a mask of a constant": (lambda x: np.arange(3.0)[x > 0].sum(), "multiply by the condition"),
    "an element by a traced number": (lambda x: x[x[0]] * 2.0, "by its number k as np.sum"),
    "one of a constant": (lambda x: np.arange(3.0)[x[0]] * x[1], "by its number k as np.sum"),
    "a row of a matrix": (lambda x: np.outer(x, x)[x[0]].sum(), "by its number k as np.sum"),
    "floats in place": (lambda x: np.multiply(np.ones(3), x, out=np.ones(3)), "dtype=object"),
    "a place among floats": (lambda x: np.zeros(3).__setitem__(0, x[0]), "dtype=object"),
    "places among floats": (lambda x: np.zeros(3).__setitem__(slice(None), x), "dtype=object"),
    "copyto floats": (lambda x: np.copyto(np.zeros(3), x), "dtype=object"),
    "where without out": (lambda x: np.log(x, where=x > 0), "give an array of objects"),
    "an array of floats": (lambda x: np.array(x, dtype=float).sum(), "dtype=object"),
    "quantiles in place": (lambda x: np.median(x, out=np.zeros(())), "without out"),
    "a mean in place": (lambda x: np.mean(x, where=x > 0, out=np.zeros(())), "without out"),
    "a weighted covariance": (lambda x: np.cov(x, fweights=[1, 2, 3]), "cov has no traced form"),
    "chosen differences": (
        lambda x: np.subtract.reduce(x, where=x > 0, initial=1.0),
        "reduce after it",
    ),
    "largest of those chosen": (lambda x: np.max(x, where=x > 0), "needs initial="),
    "singular values": (lambda x: np.linalg.norm(np.outer(x, x), 2), "ord=2 has no traced form"),
    "an average and its weights": (
        lambda x: np.average(x, weights=[1, 2, 3], returned=True)[0],
        "np.average has no traced form",
    ),
    "a norm of a list": (lambda x: np.linalg.norm([x[0], x[1]], 3), "make an array by np.stack"),
    "eigenvalues": (lambda x: np.linalg.eigvalsh(np.outer(x, x)), "there are solve, inv, det"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_helps_is_said(name):
    function, advice = REFUSED[name]
    with pytest.raises(TraceError, match=advice) as error:
        program_of(function)
    assert f"{__file__}, line " in str(error.value)


@pytest.mark.parametrize("k", [0, 2])
def test_elements_are_looked_up_as_advised(k):
    def looked_up(w, k):
        return np.sum(np.where(np.arange(len(w)) == k, w, 0.0))

    f = gdc.compile(looked_up)
    assert f([5.0, 6.0, 7.0], float(k)) == 5.0 + k
    assert f.grad([5.0, 6.0, 7.0], float(k)).w == [float(i == k) for i in range(3)]


def test_in_place_in_an_array_of_floats():
    def scaled(x):
        z = np.ones(3)
        z *= x  # stops here
        return z

    with pytest.raises(TraceError, match=r"z \*= x  # stops here.*dtype=object"):
        program_of(scaled)


def test_errors_of_users_own_functions_are_theirs():
    def wrong(row):
        raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        program_of(lambda x: np.apply_along_axis(wrong, 0, np.outer(x, x)))
    with pytest.raises(IndexError, match="out of bounds"):
        program_of(lambda x: x[7])
    with pytest.raises(ValueError, match="could not be broadcast"):
        program_of(lambda x: x + np.ones(2))
    with pytest.raises(ValueError, match="reduction operation maximum which has no identity"):
        program_of(lambda x: np.max(x[:0]))
    with pytest.raises(np.exceptions.AxisError):
        program_of(lambda x: np.sum(x, axis=3))


# --- in place ------------------------------------------------------------------------------------


def in_place(x):
    x = x * 1.0
    x += 1.0
    x *= x
    x -= np.array([0.5, 0.25, 1.0])
    x /= 2
    x **= 2
    return x


def assigned(x):
    z = np.zeros_like(x)
    z[0] = x[1]
    z[1:] = x[:2] * 2
    z[np.array([True, False, False])] = x[2]
    return z + x


def masked(x):
    z = x * 2
    z[z < 0] = 0.0
    z[x > 1] += 1.0
    z[z == 1.0] = z * 3
    return z


def copied(x):
    z = x + 1
    np.copyto(z, x, where=x > 0)
    np.copyto(z, 5.0, where=np.array([True, False, False]))
    return z * x


def sorted_in_place(x):
    z = x * 1.0
    z.sort()
    return z


def cleaned_in_place(x):
    z = np.where(x > 0, x, np.nan)
    assert np.nan_to_num(z, copy=False, nan=7.0) is z
    return z * x


def computed_where(x):
    z = np.ones_like(x)
    np.sqrt(np.abs(x), out=z, where=x > 0)
    return z * x


def rows_masked(x):
    z = np.outer(x, x)
    z[x > 1] = 0.5
    return z.sum(axis=1) * x


def like(x):
    z = np.zeros_like(x, dtype=float)
    z[0] = x[1]
    chosen = np.zeros_like(x, dtype=bool)
    chosen[1] = True
    return np.where(chosen, x, z + np.empty_like(x).size)


def of_objects(x):
    z = np.zeros(3, dtype=object)
    z += x
    z[2] = x[0]
    return np.maximum(z * x, 0.1 * x)


@pytest.mark.parametrize(
    "function",
    [
        in_place,
        assigned,
        copied,
        sorted_in_place,
        cleaned_in_place,
        computed_where,
        rows_masked,
        like,
        of_objects,
    ],
)
def test_in_place_as_for_numbers(function):
    expected = function(AT)
    assert flat(interpret(program_of(function), AT)) == pytest.approx(expected.tolist(), rel=1e-14)


def test_assignment_where_a_condition_holds():
    def of_numbers(x):
        z = np.where(x * 2 < 0, 0.0, x * 2)
        z[x > 1] += 1.0
        return np.where(z == 1.0, z * 3, z)

    with pytest.raises(TraceError, match="multiply by the condition"):
        program_of(masked)  # += reads the chosen elements first

    def without_reading(x):
        z = x * 2
        z[z < 0] = 0.0
        z[x > 1] = z + 1.0
        z[z == 1.0] = z * 3
        return z

    found = flat(interpret(program_of(without_reading), AT))
    assert found == of_numbers(AT).tolist()


# --- kinds ---------------------------------------------------------------------------------------


def kinds_in(function):
    found = []
    program_of(lambda x: found.append(function(x)) or gdc.sum(x))
    return type(found[0])


KEPT = {
    "argument": lambda x: x,
    "slice": lambda x: x[1:],
    "operator": lambda x: x + 1,
    "numbers and one value": lambda x: np.ones(2) * x[0],
    "operation": lambda x: gdc.exp([x[0], 1.0]),
    "composite": lambda x: gdc.softmax(x),
    "of a plain array": lambda x: gdc.maximum(np.array([x[0], x[1]]), 0.0),
    "comparison": lambda x: x > 0,
    "stacked": lambda x: np.stack([x[0], x[1]]),
    "joined": lambda x: np.concatenate([np.ones(2), x]),
    "product": lambda x: np.ones((2, 3)) @ x,
    "sums": lambda x: np.outer(x, x).sum(axis=0),
    "einsum": lambda x: np.einsum("i,j->ij", x, x),
}


@pytest.mark.parametrize("name", KEPT)
def test_arrays_of_values_stay_such(name):
    assert kinds_in(KEPT[name]) is ValueArray


def test_known_numbers_stay_numbers():
    def function(x):
        ones = np.ones_like(x)
        assert (ones > 0.5).dtype == bool
        assert np.maximum(ones, 2.0).tolist() == [2.0] * 3
        return x[ones > 0.5]

    assert flat(interpret(program_of(function), AT)) == AT.tolist()


def test_eager_arrays():
    x = np.array([Value(v) for v in AT])
    y = x * 2.0
    assert type(y) is not ValueArray  # numpy's loop over a plain array of objects
    z = Value(2.0) * x
    assert type(z) is ValueArray
    loss = np.where(z > 0, z, 0.1 * z).max()
    loss.backward()
    assert (loss.data, [v.grad for v in x]) == (3.5, [0.0, 0.0, 2.0])


def test_conditions_of_gdc_where():
    f = gdc.compile(lambda x: gdc.sum(gdc.where(x > 0, x, 0)), cache=False)
    assert flat(interpret(f.arguments.read((AT,), {}).traced.program, AT)) == [2.25]
    assert gdc.where([True, False], [1.0, 2.0], False).tolist() == [1.0, 0.0]


# --- sorting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(1, 11))
def test_the_network_sorts_zeros_and_ones_so_it_sorts_all(count):
    rows = np.array(list(itertools.product([0.0, 1.0], repeat=count)))
    assert (np.asarray(sort(rows, axis=1), np.float64) == np.sort(rows, axis=1)).all()


def test_a_sorted_array_knows_where_its_elements_come_from():
    x = [Value(v) for v in (3.0, 1.0, 2.0, -1.0)]
    np.sort(np.array(x).view(ValueArray))[1].backward()
    assert [v.grad for v in x] == [0.0, 1.0, 0.0, 0.0]


def test_networks_are_small():
    x = np.array([Value(float(k)) for k in range(64)]).view(ValueArray)
    root = gdc.sum(np.sort(x))
    made = [v for v in topological(root) if v.op is table.where]
    assert len(made) == 2 * 543  # as many pairs as Batcher's merge exchange has


# --- special numbers -----------------------------------------------------------------------------

SPECIAL = np.array([math.nan, math.inf, -math.inf, 0.0, -0.0, 2.5])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "function",
    [np.nan_to_num, np.isnan, np.isinf, np.isfinite, np.signbit, np.nansum, np.nanmax, np.nanmin,
     np.nanmean, np.nancumsum, np.sign, np.trunc, np.rint, np.max,
     np.sort, lambda x: np.sort(x[[5, 0, 3, 0, 1]])[::-1], lambda x: np.partition(x, 2), np.median,
     lambda x: np.quantile(x, 0.1),
     lambda x: np.nan_to_num(x, nan=1.0, posinf=2.0, neginf=3.0), lambda x: np.fmax(x, 1.0),
     lambda x: np.fmin(x, x[::-1]), lambda x: np.isclose(x, x), lambda x: np.heaviside(x, 0.25),
     lambda x: np.isclose(x, x, equal_nan=True), lambda x: np.interp(x, [0.0, 1.0], [2.0, 3.0])],
)  # fmt: skip
def test_special_numbers(function):
    expected = np.asarray(function(SPECIAL), np.float64).ravel()
    found = flat(interpret(program_of(lambda x: function(x) + 0 * x[3], SPECIAL), SPECIAL))
    np.testing.assert_array_equal(found, expected)


# --- names ---------------------------------------------------------------------------------------


def test_results_have_the_names_of_variables():
    def layer(W, x, b):
        h = np.tanh(W @ x + b)
        gated = np.where(h > 0.5, h, 0.0)
        top = np.max(gated)
        return top

    f = gdc.compile(layer, cache=False)
    f.arguments.read((np.ones((2, 2)), np.ones(2), np.ones(2)), {})
    names = set(f.arguments.read((np.ones((2, 2)), np.ones(2), np.ones(2)), {}).traced.program
                .bound.values())  # fmt: skip
    assert names == {"h", "gated", "top"}


# --- scipy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["ndtr", "log_ndtr", "ndtri", "erf", "erfc", "erfcx", "erfinv", "entr", "logit", "expit",
     "log_expit", "gammaln", "psi", "exp2", "cbrt", "log1p", "expm1",
     *(name for name, (count, *_) in OF_SCIPY.items() if count == 1)],
)  # fmt: skip
def test_scipys_functions(name):
    import scipy.special

    function, at = getattr(scipy.special, name), np.array([0.25, 0.625, 0.875])
    for of in (lambda x: function(x), lambda x: np.stack([function(x[k]) for k in range(3)])):
        found = flat(interpret(program_of(of, at), at))
        np.testing.assert_allclose(found, function(at), rtol=1e-14)


@pytest.mark.parametrize(
    "name",
    ["xlogy", "xlog1py", "betaln", *(name for name, (count, *_) in OF_SCIPY.items() if count == 2)],
)
def test_scipys_functions_of_two(name):
    import scipy.special

    function, at = getattr(scipy.special, name), np.array([0.25, 0.625, 0.875])
    found = flat(interpret(program_of(lambda x: function(x, x[::-1]), at), at))
    np.testing.assert_allclose(found, function(at, at[::-1]), rtol=1e-14)
    found = flat(interpret(program_of(lambda x: function(2.0, x[1]), at), at))
    np.testing.assert_allclose(found, function(2.0, at[1]), rtol=1e-14, atol=1e-15)


AT_THE_EDGE = {
    "rel_entr": [(0.0, 0.0), (0.0, 1.0), (2.0, 0.0), (-1.0, 0.0), (-1.0, 2.0), (2.0, -1.0)],
    "kl_div": [(0.0, 0.0), (0.0, 1.0), (2.0, 0.0), (-1.0, 0.0), (-1.0, 2.0), (2.0, -1.0)],
    "huber": [(-1.0, 0.0), (-1.0, 3.0), (0.0, 3.0), (0.0, 0.0), (1.0, math.inf)],
    "pseudo_huber": [(0.0, 0.0), (0.0, 3.0), (-1.0, 0.0), (-1.0, 3.0), (1.0, math.inf)],
    "exprel": [(math.inf,), (-math.inf,), (0.0,), (math.nan,)],
    "betaln": [(0.0, 0.0), (0.0, 2.5), (-1.0, -1.0), (-2.0, 2.0), (-1.0, 2.0), (-3.0, 0.5)],
}  # fmt: skip
"""Where scipy's functions begin, end or are undefined."""


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", AT_THE_EDGE)
def test_scipys_functions_at_the_edge(name):
    import scipy.special

    function = getattr(scipy.special, name)
    at = np.array(AT_THE_EDGE[name])
    found = flat(interpret(program_of(lambda x: function(*x.T), at), at.ravel()))
    np.testing.assert_allclose(found, function(*at.T), rtol=1e-14)
    one = [function(*map(Value, point)).data for point in AT_THE_EDGE[name]]
    np.testing.assert_array_equal(one, found)


def test_entropy_of_a_common_zero_has_a_gradient():
    import scipy.special

    f = gdc.compile(lambda p, q: scipy.special.rel_entr(p, q).sum(), cache=False)
    value, gradient = f.value_and_grad(np.array([0.0, 1.0]), np.array([0.0, 0.5]))
    assert value == math.log(2.0)
    assert np.array([*gradient.p, *gradient.q]).tolist() == [0.0, 1.0 + math.log(2.0), 0.0, -2.0]


def test_scipys_function_without_a_row_is_refused():
    import scipy.special

    with pytest.raises(TraceError, match="j0 has no traced form"):
        program_of(lambda x: scipy.special.j0(x))


# --- one number as an array of no dimension ------------------------------------------------------

OF_ONE = {
    "reductions": lambda x: x.sum() + 2 * x.mean() + 3 * x.max() + 4 * x.min() + 5 * x.prod(),
    "along an axis": lambda x: np.square(x).sum(axis=-1),
    "item": lambda x: x.item() * x.real * x.T,
    "shape": lambda x: x * (1 + x.ndim + 2 * x.size + len(x.shape)),
    "clip": lambda x: x.clip(0.0, 1.0),
}


@pytest.mark.parametrize("name", OF_ONE)
@pytest.mark.parametrize("at", [0.75, np.float64(-1.5), np.array(0.75)], ids=str)
def test_a_number_is_an_array_of_no_dimension(name, at):
    expected = float(OF_ONE[name](np.float64(at)))
    assert flat(interpret(program_of(OF_ONE[name], at), [float(at)])) == [expected]
    assert OF_ONE[name](Value(float(at))).data == expected


# --- axes ----------------------------------------------------------------------------------------

ALONG = {
    **{name: getattr(np, name) for name in (
        "max", "min", "ptp", "sum", "prod", "mean", "std", "var", "median", "nansum", "nanmax",
        "nanmin", "nanmean", "nanstd", "nanvar", "nanprod", "count_nonzero", "any", "all",
    )},
    "quantile": lambda x, **options: np.quantile(x, [0.1, 0.5, 0.9], **options),
    "percentile": lambda x, **options: np.percentile(x, 35.0, **options),
    "norm": lambda x, **options: np.linalg.norm(x, **options),
    "largest": lambda x, **options: np.linalg.norm(x, np.inf, **options),
}  # fmt: skip
"""Functions with an axis and keepdims."""

OF_ONE_AXIS = {
    name: getattr(np, name)
    for name in ("sort", "cumsum", "cumprod", "diff", "gradient", "unwrap", "nancumsum")
}


def same_as_numpy(function, x):
    expected = np.asarray(function(x), np.float64)
    values = np.array([Value(v) for v in x.ravel()], object).reshape(x.shape).view(ValueArray)
    found = np.asarray(function(values))
    assert found.shape == expected.shape
    numbers = [v.data if isinstance(v, Value) else float(v) for v in found.ravel()]
    np.testing.assert_allclose(numbers, expected.ravel(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ALONG)
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 2)], ids=str)
def test_axes_are_those_of_numpy(name, shape):
    x = np.random.default_rng(len(shape)).normal(size=shape)
    x[x < -1] = 0.0
    axes = [*range(-x.ndim, x.ndim)]
    if name not in ("norm", "largest"):
        axes += [None, tuple(range(x.ndim)), tuple(range(x.ndim))[:2]]
    for axis, keepdims in itertools.product(axes, (True, False)):
        if name == "ptp" and isinstance(axis, tuple):
            continue
        same_as_numpy(lambda v, a=axis, k=keepdims: ALONG[name](v, axis=a, keepdims=k), x)


@pytest.mark.parametrize("name", OF_ONE_AXIS)
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 2)], ids=str)
def test_one_axis_as_in_numpy(name, shape):
    x = 4.0 * np.random.default_rng(len(shape)).normal(size=shape)
    for axis in range(-x.ndim, x.ndim):
        same_as_numpy(lambda v, a=axis: OF_ONE_AXIS[name](v, axis=a), x)


@pytest.mark.parametrize("shapes", [((3,), (2, 3)), ((2, 1), (1, 3)), ((2, 3), ())], ids=str)
def test_shapes_of_two_are_broadcast(shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape) for shape in shapes)
    for function in (np.maximum, np.hypot, np.remainder, np.logaddexp, np.copysign, np.heaviside,
                     np.fmin, np.isclose, lambda x, y: np.where(x > y, x, y), np.arctan2,
                     lambda x, y: np.clip(x, -0.5, y), lambda x, y: (x > 0) & (y < 0)):  # fmt: skip
        same_as_numpy(lambda v, f=function: f(v, b), a)
        same_as_numpy(lambda v, f=function: f(b, v), a)


def test_places_that_are_counted_twice_are_added_twice():
    def histogram(x):
        z = np.zeros_like(x)
        np.add.at(z, [0, 0, 2], x)
        return z

    same_as_numpy(histogram, AT)
