"""Text on the user's own arguments: every form of signature, straight, in parts and rolled.

What each function computes is compared with the interpreter, under CPython bit for bit where the
text is straight, and by machine code.
"""

import inspect
from functools import cache
from itertools import product

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.ir.interpret import interpret
from gradcompile.jit import jit
from tests.helpers.engines import same
from tests.helpers.flat import emit_kernel, flat, of_flat, signature_of
from tests.helpers.slow import slow_but
from tests.roll.test_roll import run


def of_arrays(v, M, T):
    """A function of a vector, a matrix and an array of three dimensions."""
    inner = sum(M[i, j] * T[j, i, i] * v[j % 2] for i in range(2) for j in range(3))
    return gdc.tanh(inner) + M[1, 2] * v[0]


def of_one_row(T):
    return sum(gdc.sin(T[0, 0, k]) * T[0, 0, 2 - k] for k in range(3))


def of_a_number_among_arrays(a, v, b):
    return gdc.exp(a * v[0]) * b + v[1] / a


def of_a_scalar_array(z, v):
    return z * v[0] + gdc.sin(v[1])


def of_containers(p, q):
    return p["w"][0] * q[1] + gdc.sin(p["b"] * q[0]) + gdc.sum(p["w"] * p["w"])


def of_nothing_read(v, M):
    return v[1] * 1.0


def numbers(*shape):
    size = int(np.prod(shape))
    return np.sin(np.arange(size) * 1.7 + 0.3).reshape(shape) + 0.2


CASES = {
    "arrays": (of_arrays, (numbers(2), numbers(2, 3), numbers(3, 2, 2))),
    "one row": (of_one_row, (numbers(1, 1, 3),)),
    "numbers and an array": (of_a_number_among_arrays, (0.75, numbers(2), -1.5)),
    "no dimension": (of_a_scalar_array, (np.array(0.5), numbers(2))),
    "containers": (of_containers, ({"w": numbers(2), "b": 0.5}, (0.25, -0.75))),
    "nothing read": (of_nothing_read, (numbers(3), numbers(2, 2))),
}


def kernel_of(name, **options):
    function, at = CASES[name]
    return traced(gdc.compile(function, name="f", cache=False, **options), *at)


def traced(function, *at):
    """The kernel of a function for some arguments, of which no machine code is made yet."""
    kernel = function.value_and_grad
    kernel._arguments.read(at, {})
    return kernel


def point(kernel):
    size = sum(group.size for group in signature_of(kernel).parameters)
    return (np.cos(np.arange(size) * 0.9) * 0.8 + 0.1).tolist()


def function_of(source):
    names = {}
    exec(compile(source, "<emitted>", "exec"), names)
    return names["f"]


def test_the_parameters_are_the_arguments():
    found = {name: signature_of(kernel_of(name, roll=False)).parameters for name in CASES}
    shapes = {name: {group.name: group.shape for group in groups} for name, groups in found.items()}
    assert shapes == {
        "arrays": {"v": (2,), "M": (2, 3), "T": (3, 2, 2)},
        "one row": {"T": (1, 1, 3)},
        "numbers and an array": {"a": None, "v": (2,), "b": None},
        "no dimension": {"z": None, "v": (2,)},
        "containers": {"p_w": (2,), "p_b": None, "q": (2,)},
        "nothing read": {"v": (3,), "M": (2, 2)},
    }


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_straight_text_in_any_parts_computes_the_program(name, limit):
    kernel = kernel_of(name, roll=False)
    source, at = emit_kernel(kernel, limit=limit), point(kernel)
    run_text = of_flat(function_of(source), signature_of(kernel))
    assert same(run_text(at), flat(interpret(kernel.program, at))), source


@pytest.mark.parametrize("name", slow_but(["arrays", "containers", "no dimension"], CASES))
def test_results_have_the_shapes_of_the_arguments(name):
    kernel = kernel_of(name)
    signature = signature_of(kernel)
    value, gradient = kernel.python(*signature.arguments(np.array(point(kernel))))
    assert np.shape(value) == ()
    assert [np.shape(x) for x in gradient] == [x.shape or () for x in signature.parameters]
    machine = kernel.njit(*signature.arguments(np.array(point(kernel))))
    assert [np.shape(x) for x in machine[1]] == [np.shape(x) for x in gradient]
    assert flat(machine) == pytest.approx(flat((value, gradient)), rel=1e-13)
    assert kernel.dispatcher(np.array(point(kernel)))[1].tolist() == flat(machine[1])


@pytest.mark.parametrize("name", slow_but(["containers"], ["arrays", "containers"]))
def test_machine_code_of_parts_reads_arrays(name):
    kernel = kernel_of(name, roll=False)
    signature, at = signature_of(kernel), point(kernel)
    source = emit_kernel(kernel, limit=3)
    assert "f_2(" in source
    run_machine = of_flat(jit(function_of(source), signature, use_cache=False), signature)
    assert run_machine(at) == pytest.approx(flat(interpret(kernel.program, at)), rel=1e-14)


def of_many(count):
    """A function of so many numbers, each of which matters otherwise."""
    names = [f"x{k}" for k in range(count)]
    terms = " + ".join(f"sin({name}) * {k + 1}.0 * x0" for k, name in enumerate(names))
    scope = {"sin": gdc.sin}
    exec(f"def f({', '.join(names)}):\n    return {terms}", scope)
    return scope["f"]


@pytest.mark.parametrize("limit", [1, 5, 1000])
@pytest.mark.parametrize("count", [16, 17, 40])
def test_many_numbers_go_as_one_array(count, limit):
    kernel = gdc.compile(of_many(count), name="f", roll=False, cache=False).value_and_grad
    signature, at = signature_of(kernel), np.linspace(-1.0, 1.0, count).tolist()
    assert len(signature.parameters) == (16 if count == 16 else 1)
    source = emit_kernel(kernel, limit=limit)
    found = of_flat(function_of(source), signature)(at)
    assert same(found, flat(interpret(kernel.program, at)))
    slopes = [np.cos(x) * (k + 1) * at[0] for k, x in enumerate(at)]
    slopes[0] += sum(np.sin(x) * (k + 1) for k, x in enumerate(at))
    assert found[1:] == pytest.approx(slopes, rel=1e-12, abs=1e-13)
    if limit == 5 and count < 40:  # machine code that takes the array, or just no array
        _, gradient = kernel(*at)
        assert list(gradient) == pytest.approx(slopes, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_labels_of_a_list_are_names_in_every_part(limit):
    labels = ["alpha", "", "beta", "alpha", "class", "p"]
    leaves = [Value(0.3 + 0.1 * k, label) for k, label in enumerate(labels)]
    root = leaves[0] * leaves[1]
    for leaf in leaves[2:]:
        root = gdc.tanh(root * leaf + leaves[0])
    kernel = gdc.compile(root, inputs={"p": leaves}, name="f", cache=False).value_and_grad
    source = emit_kernel(kernel, limit=limit)
    assert "alpha" in source
    assert "p[1]" in source, "what has no label is an element"
    assert (source.count("def ") > 1) == (limit < 1000)
    at = [x.data for x in leaves]
    root.backward()
    found = of_flat(function_of(source), signature_of(kernel))(at)
    assert found == pytest.approx([root.data, *(x.grad for x in leaves)], rel=1e-13)


def test_a_result_is_never_called_as_an_argument():
    f = gdc.compile(lambda x, x_bar, value: x[0] * x_bar[1] * value, cache=False)
    x, y = np.array([2.0, 3.0]), np.array([5.0, 7.0])
    value, gradient = f.value_and_grad(x, y, 11.0)
    assert value == 2.0 * 7.0 * 11.0
    assert [np.asarray(g).tolist() for g in gradient] == [[77.0, 0.0], [0.0, 22.0], 14.0]
    assert f.verify().ok


# --- rolled text -----------------------------------------------------------------------------


def trace(W):
    return sum(gdc.sin(W[i, i]) for i in range(8))


def other_diagonal(W):
    return sum(gdc.sin(W[i, 7 - i]) * (i + 1.0) for i in range(8))


def transposed(W):
    return sum(gdc.sin(W.T[i, j]) * W[i, j] for i in range(8) for j in range(8))


def sliced(W):
    return gdc.sum(gdc.tanh(W[1:7:2, 2:6]) * W[0:3, 4:8])


def backwards(W):
    return gdc.sum(gdc.tanh(W[::-1, ::-1]) * W[:, ::-2].sum()) + gdc.sum(W[::-1, 3] * W[2, ::-1])


def flattened(W):
    numbers = W.reshape(64)
    return sum(gdc.sin(numbers[k]) * numbers[63 - k] for k in range(60))


def shifted(W):
    return sum(gdc.sin(W[i, (i + j) % 8]) * W[j, i] for i in range(8) for j in range(8))


def looked_up(W):
    order = [(3 * k * k + 5) % 8 for k in range(8)]
    return sum(gdc.sin(W[order[i], order[7 - i]] * W[i, 0]) for i in range(8))


def crossing_rows(W):
    """Strides that leave a row: they are none of the matrix's."""
    numbers = W.reshape(64)
    return sum(gdc.sin(numbers[7 * k + 3]) * numbers[9 * k] for k in range(8))


VIEWS = [trace, other_diagonal, transposed, sliced, backwards, flattened, shifted, looked_up,
         crossing_rows]  # fmt: skip


def eager(function, *arrays):
    """The value and the gradient by Values alone."""
    leaves = [np.vectorize(Value, otypes=[object])(array) for array in arrays]
    root = function(*leaves)
    root.backward()
    return [root.data, *(x.grad for array in leaves for x in array.ravel())]


@pytest.mark.parametrize("strict", [False, True], ids=["fast", "strict"])
@pytest.mark.parametrize("function", VIEWS, ids=lambda function: function.__name__)
def test_views_of_a_matrix_are_read_and_written_where_they_are(function, strict):
    W = numbers(8, 8)
    f = gdc.compile(function, name="f", roll=True, strict=strict, cache=False)
    kernel = traced(f, W)
    expected = eager(function, W)
    # In arrays that watch their subscripts; what is read before it is written shows.
    assert run(kernel, W.ravel()) == pytest.approx(expected, rel=1e-12, abs=1e-13)
    assert kernel.source.count("for ") >= 1


@pytest.mark.parametrize(
    "function",
    slow_but([transposed, backwards, flattened], VIEWS),
    ids=lambda function: function.__name__,
)
def test_machine_code_reads_and_writes_views_where_they_are(function):
    W = numbers(8, 8)
    kernel = gdc.compile(function, name="f", roll=True, cache=False).value_and_grad
    expected = eager(function, W)
    assert flat(list(kernel(W))) == pytest.approx(expected, rel=1e-12, abs=1e-13)


def test_a_diagonal_has_the_subscripts_of_the_matrix():
    f = gdc.compile(trace, roll=True, cache=False)
    traced(f, numbers(8, 8))
    assert "W[i, i]" in f.source
    assert "W_bar[i, i]" in f.source
    assert "W.reshape" not in f.source


def over_several(u, A, c, v):
    """Loops that go on from one argument into the next."""
    everything = [*u, *A.reshape(12), c, *v]
    steps = range(len(everything) - 1)
    return sum(gdc.sin(everything[k]) * everything[k + 1] for k in steps)


@pytest.mark.parametrize("strict", slow_but([False], [False, True]), ids=["fast", "strict"])
def test_loops_over_several_parameters_gather_them(strict):
    f = gdc.compile(over_several, name="f", roll=True, strict=strict, cache=False)
    at = (numbers(5), numbers(3, 4), 0.625, numbers(6))
    value, gradient = f.value_and_grad(*at)
    whole = np.concatenate([np.ravel(x) for x in at])
    assert value == pytest.approx((np.sin(whole[:-1]) * whole[1:]).sum(), rel=1e-12)
    slopes = np.zeros(24)
    slopes[:-1] += np.cos(whole[:-1]) * whole[1:]
    slopes[1:] += np.sin(whole[:-1])
    assert flat(list(gradient)) == pytest.approx(slopes.tolist(), rel=1e-12, abs=1e-13)
    assert run(f.value_and_grad, whole) == pytest.approx([value, *slopes], rel=1e-12, abs=1e-13)
    assert [np.shape(x) for x in gradient] == [(5,), (3, 4), (), (6,)]
    assert "for " in f.source


def test_loops_over_numbers_gather_them_into_an_array():
    def f(a, b, c, d, e, g, h, k):
        return sum(gdc.sin(x) * x for x in (a, b, c, d, e, g, h, k))

    compiled = gdc.compile(f, roll=True, cache=False)
    at = numbers(8)
    value, gradient = compiled.value_and_grad(*at.tolist())
    assert "for " in compiled.source
    assert [group.shape for group in signature_of(compiled.value_and_grad).parameters] == [None] * 8
    assert value == pytest.approx((np.sin(at) * at).sum(), rel=1e-13)
    assert list(gradient) == pytest.approx((np.cos(at) * at + np.sin(at)).tolist(), rel=1e-12)
    assert run(compiled.value_and_grad, at) == pytest.approx([value, *gradient], rel=1e-12)


# --- names that emission has too ---------------------------------------------------------------

CAPTURED = [0.1, 0.7, 0.3, 0.4, 0.5, 0.9, 0.4, 0.35, 0.86, 0.1, 0.123, 0.74]


def of_names(data, tables, n, block, count, start, width, kept):
    """A function whose loops need all that its arguments are called."""
    terms = []
    for k in range(12):
        inner = gdc.tanh(data[k] * tables[(3 * k * k + 1) % 7] + n * block[k % 3])
        terms.append(inner * CAPTURED[k] * count[k])
    return sum(terms) * start - width * kept


@pytest.mark.parametrize("batched", [(), ("data",), ("n", "kept")])
def test_parameters_keep_their_names_where_emission_has_the_same(batched):
    f = gdc.compile(of_names, name="f", roll=True, batched=batched, cache=False)
    at = [numbers(12), numbers(7), 0.5, numbers(3), numbers(12), 0.75, -0.5, 1.25]
    names = list(inspect.signature(of_names).parameters)
    rows = [np.stack([x, x]) if name in batched else x for name, x in zip(names, at, strict=True)]
    kernel = traced(f, *rows)
    # All but one: a text in parts keeps numbers in `kept`, and is read as such.
    assert [group.name for group in signature_of(kernel).parameters] == [*names[:-1], "kept_"]
    assert "tables_2" in kernel.source
    value, gradient = kernel.python(*rows)
    expected = eager(of_names, *map(np.array, at))
    assert value == pytest.approx(expected[0], rel=1e-12)
    slopes = np.split(expected[1:], np.cumsum([np.size(x) for x in at])[:-1])
    wanted = [slope for name, slope in zip(names, slopes, strict=True) if name not in batched]
    for found, slope in zip(gradient, wanted, strict=True):
        assert np.ravel(found) == pytest.approx(slope, rel=1e-12)


def test_a_label_that_emission_keeps_numbers_in():
    kernel = traced(gdc.compile(lambda kept, w: gdc.sin(kept * w) * kept, name="f"), 0.5, 0.25)
    source = emit_kernel(kernel, limit=1)
    assert "def f(kept_, w):" in source
    run_text = of_flat(function_of(source), signature_of(kernel))
    assert run_text([0.5, 0.25]) == flat(interpret(kernel.program, [0.5, 0.25]))


# --- rows --------------------------------------------------------------------------------------

ROW_SHAPES = {"numbers": (), "vectors": (3,), "matrices": (2, 3), "cubes": (2, 2, 2)}


def loss(w, x, y):
    """A value that mixes all of a row with all parameters."""
    total = 0.0
    for k, number in enumerate(np.ravel(np.asarray(x, object))):
        total = gdc.sin(total + number * w[k % 2] + 0.1 * k)
    return (total - y) ** 2


REDUCTIONS = ["sum", "mean", None]

PAIRS = [*product(ROW_SHAPES, REDUCTIONS)]
"""The fast run has most shapes and each reduction once, with the gradients or the totals."""

COUNTS = (1, 70, 241)
"""A row, a block that is not full, a block and some."""


def rows_of(shape, count):
    """The first so many rows of the data, and of its targets."""
    return numbers(COUNTS[-1], *ROW_SHAPES[shape])[:count], np.cos(np.arange(count) * 0.7)


@cache
def row_by_row(shape):
    """The value, and the gradients by `w` and by each row of `x`, with Values."""
    x, y = rows_of(shape, COUNTS[-1])
    rows = [
        eager(loss, numbers(2), one, np.array(target)) for one, target in zip(x, y, strict=True)
    ]
    return np.array(rows)


def by_hand(shape, count, reduce):
    """The value, and the gradients by `w` and by the rows of `x`."""
    rows = row_by_row(shape)[:count]
    values, by_w, by_x = rows[:, 0], rows[:, 1:3], rows[:, 3:-1]
    by_x = by_x.reshape(count, *ROW_SHAPES[shape])
    if reduce is None:
        return values, by_w, by_x
    scale = 1.0 / count if reduce == "mean" else 1.0
    return values.sum() * scale, by_w.sum(axis=0) * scale, by_x * scale


def assert_close(found, expected):
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("shape", "reduce"), slow_but([("numbers", "sum"), ("vectors", None)], PAIRS)
)
def test_gradients_by_rows_of_any_shape(shape, reduce):
    f = gdc.compile(loss, batched=("x", "y"), wrt=("w", "x"), reduce=reduce, cache=False)
    for count in COUNTS:
        x, y = rows_of(shape, count)
        value, gradient = f.value_and_grad(numbers(2), x, y)
        for found, expected in zip((value, *gradient), by_hand(shape, count, reduce), strict=True):
            assert_close(found, expected)


@pytest.mark.parametrize(("shape", "reduce"), slow_but([("matrices", "mean")], PAIRS))
def test_totals_over_rows_of_any_shape(shape, reduce):
    f = gdc.compile(loss, batched=("x", "y"), reduce=reduce, cache=False)
    for count in COUNTS:
        x, y = rows_of(shape, count)
        values, by_w, _ = by_hand(shape, count, reduce)
        value, gradient = f.value_and_grad(numbers(2), x, y)
        assert_close(value, values)
        assert_close(gradient.w, by_w)
        value, by_flat = f.value_and_grad.flat(numbers(2), x=x, y=y)
        assert_close(value, values)
        assert_close(by_flat, by_w)


@pytest.mark.slow
@pytest.mark.parametrize("reduce", ["mean", None])
def test_values_of_rows(reduce):
    f = gdc.compile(loss, batched=("x", "y"), reduce=reduce, cache=False)
    for count in COUNTS:
        x, y = rows_of("matrices", count)
        assert_close(f(numbers(2), x, y), by_hand("matrices", count, reduce)[0])


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("shape", ROW_SHAPES)
def test_the_text_of_rows_under_cpython_computes_the_same(shape, reduce):
    f = gdc.compile(loss, batched=("x", "y"), wrt=("w", "x"), reduce=reduce, cache=False)
    x, y = rows_of(shape, 9)
    kernel = traced(f, numbers(2), x, y)
    assert [group.is_row for group in signature_of(kernel).parameters] == [False, True, True]
    expected = by_hand(shape, 9, reduce)
    value, (by_w, by_x) = kernel.python(numbers(2), x, y)
    assert_close(value, expected[0])
    assert_close(by_w, expected[1])
    assert_close(by_x, expected[2])
