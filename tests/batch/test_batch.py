"""Batched functions: the function of one row, in a plain loop over the rows, is what is right.

Most texts run under CPython, with arrays that watch their subscripts; machine code is compiled
where it may differ from them.
"""

import itertools
import json
import os
import random
import sys
import threading
from dataclasses import replace

import numba
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, blocks, jit
from gradcompile.batch import threads as batch_threads
from gradcompile.batch.threads import spread
from gradcompile.blocks import columns
from gradcompile.check import check_grad
from gradcompile.compiler.plans import plan
from gradcompile.emit import nest_functions
from gradcompile.ir import nests
from gradcompile.ir.interpret import interpret
from tests.helpers.blocks import Blocks
from tests.helpers.slow import slow_but
from tests.roll.test_roll import Watched, garbage

REDUCTIONS = ["mean", "sum", None]

COUNTS = [1, 2, 239, 240, 241, 500]
"""Numbers of rows: a block has 240."""


# --- what is right -------------------------------------------------------------------------------


def row_of(argument, i):
    if isinstance(argument, dict):
        return {key: row_of(part, i) for key, part in argument.items()}
    row = np.asarray(argument, np.float64)[i]
    return row if row.ndim else float(row)


def count_of(argument):
    return count_of(next(iter(argument.values()))) if isinstance(argument, dict) else len(argument)


def combined(rows, how):
    """What `how` makes of the results of all rows, number by number."""
    first = rows[0]
    if isinstance(first, dict):
        return {key: combined([row[key] for row in rows], how) for key in first}
    if isinstance(first, list | tuple):
        parts = [combined(list(parts), how) for parts in zip(*rows, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    return how(np.stack(rows))


def called(kernel, args, kwargs, run):
    """What a call of a kernel gives if `run(build)` stands for machine code."""
    call = kernel._arguments.read(args, kwargs)
    build = kernel._build(call.traced)
    signature = kernel._arguments.signature
    return plan(build.request, signature, call, "called", run(build))(call.given)


def interpreter(build):
    """The interpreter, with the parameters of the emitted function."""
    signature = build.request.signature

    def run(*given):
        outputs = interpret(build.program, signature.inputs(given).tolist())
        pairs = zip(signature.results, outputs, strict=True)
        return signature.nest([x if b.shape is None else np.reshape(x, b.shape) for b, x in pairs])

    return run


def by_rows(function, arguments, batched, reduce, wrt=None):
    """The value and the gradient: the interpreter for one row after the other."""
    names = wrt or [name for name in arguments if name not in batched]
    one = gdc.compile(function, wrt=names, roll=False, cache=False)
    count = count_of(arguments[batched[0]])
    found = []
    for i in range(count):
        row = {k: row_of(x, i) if k in batched else x for k, x in arguments.items()}
        found.append(called(one.value_and_grad, (), row, interpreter))
    divisor = count if reduce == "mean" else 1

    def total(x):
        return x if reduce is None else x.sum(0) / divisor

    value = total(np.array([value for value, _ in found]))
    parts = {}
    for name in one.wrt:
        how = (lambda x: x / divisor) if name in batched else total
        parts[name] = combined([getattr(gradient, name) for _, gradient in found], how)
    return value, parts


def assert_near(found, expected, tolerance=1e-12):
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_near(found[key], expected[key], tolerance)
    elif isinstance(expected, list | tuple):
        assert type(found) is type(expected)
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_near(a, b, tolerance)
    else:
        assert np.shape(found) == np.shape(expected)
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def by_text(kernel, *args, **kwargs):
    """What a kernel's text gives under CPython, in watched arrays."""
    return called(kernel, args, kwargs, watched)


def watched(build):
    """The text under CPython, in watched arrays."""
    names = {}
    exec(compile(build.source, "<batch>", "exec"), names)
    names["empty"] = garbage
    names["scratch"] = lambda *shape: garbage(shape)
    names["columns"] = lambda *given: columns(*given).view(Watched)
    constants = [array.view(Watched) for array in build.target.constants]
    function, signature = names[build.request.function_name], build.request.signature

    def run(*given):
        pairs = zip(signature.parameters, given, strict=True)
        arguments = [
            np.float64(x)
            if b.shape is None and not b.is_row
            else x
            if b.is_row
            else x.view(Watched)
            for b, x in pairs
        ]
        with np.errstate(all="ignore"):
            results = signature.flatten(function(*arguments, *constants))
            plain = [np.asarray(x) if isinstance(x, np.ndarray) else x for x in results]
        return signature.nest(plain)

    return run


def check(found, function, arguments, batched, reduce, wrt=None):
    value, gradient = found
    expected, parts = by_rows(function, arguments, batched, reduce, wrt)
    assert_near(value, expected)
    assert list(gradient._fields) == list(parts)
    assert_near(dict(gradient._asdict()), parts)


# --- functions of one row ------------------------------------------------------------------------


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def neuron(p, x, y):
    return (gdc.tanh(gdc.dot(p["w"], x) + p["b"]) - y) ** 2


def neuron_arguments(n):
    p = {"w": [0.5, -0.25], "b": 0.125}
    return {"p": p, "x": numbers(1, n, 2), "y": numbers(2, n)}


def image(p, x):
    return sum(gdc.exp(-((p[i, j] - x[i, j]) ** 2)) for i in range(3) for j in range(2))


def network(layers, x, y):
    h = list(x)
    for weights, bias in layers:
        h = [gdc.relu(gdc.dot(list(row), h) + b) for row, b in zip(weights, bias, strict=True)]
    return gdc.log1p(gdc.exp(-y * sum(h)))


def layers(*widths):
    pairs = itertools.pairwise(widths)
    return [[numbers(k, b, a), numbers(k + 50, b)] for k, (a, b) in enumerate(pairs)]


def option(market, row):
    moved = gdc.log(row["spot"] / row["strikes"][0]) + market["rate"]
    return market["vol"] * moved + gdc.sqrt(row["strikes"][1])


def recurrence(a, x):
    h = 0.0
    for t in range(12):
        h = gdc.tanh(a[0] * h + a[1] * x[t])
    return h


def triangle(p, x):
    return sum(gdc.tanh(sum(p[j] * x[j] for j in range(k + 1))) for k in range(6))


def chosen(p, x):
    return gdc.where(x > p, gdc.log(x - p), gdc.abs(p) * x)


TABLE = [0.3, -1.7, 2.1, 0.9, -0.2, 1.1, 0.7, 3.3]


def captured(p, x):
    return sum(c * gdc.tanh(p * x + c) for c in TABLE)


def keywords(p, *, x, scale=2.0):
    return scale * p * x**3


PROGRAMS = {
    "neuron": (neuron, neuron_arguments, ("x", "y")),
    "image": (image, lambda n: {"p": numbers(3, 3, 2), "x": numbers(4, n, 3, 2)}, ("x",)),
    "network": (
        network,
        lambda n: {"layers": layers(3, 4, 2), "x": numbers(5, n, 3), "y": numbers(6, n)},
        ("x", "y"),
    ),
    "dict of arrays": (
        option,
        lambda n: {
            "market": {"rate": 0.1, "vol": 0.3},
            "row": {"spot": abs(numbers(7, n)) + 1, "strikes": abs(numbers(8, n, 2)) + 1},
        },
        ("row",),
    ),
    "recurrence": (recurrence, lambda n: {"a": (0.9, 0.4), "x": numbers(9, n, 12)}, ("x",)),
    "sums of different lengths": (
        triangle,
        lambda n: {"p": list(numbers(10, 6)), "x": numbers(11, n, 6)},
        ("x",),
    ),
    "where": (chosen, lambda n: {"p": 0.2, "x": numbers(12, n)}, ("x",)),
    "data": (captured, lambda n: {"p": 0.7, "x": numbers(13, n)}, ("x",)),
    "keywords": (keywords, lambda n: {"p": 0.7, "x": numbers(14, n), "scale": 1.5}, ("x",)),
    "no parameters": (lambda p, x: gdc.sin(x[0]) * x[1],
                      lambda n: {"p": [1.0], "x": numbers(15, n, 2)}, ("x",)),
    "no rows": (lambda p, x: gdc.sin(p[0]) * p[1],
                lambda n: {"p": [1.0, 2.0], "x": numbers(16, n, 2)}, ("x",)),
    "constant slopes": (lambda p, x: p[0] + 2 * p[1] - p[1] - x + 3.0,
                        lambda n: {"p": [1.0, 2.0, 3.0], "x": numbers(17, n)}, ("x",)),
    "a parameter": (lambda p, x: p[1], lambda n: {"p": [1.0, 2.0], "x": numbers(18, n)}, ("x",)),
    "a column": (lambda p, x: x[1], lambda n: {"p": [1.0], "x": numbers(19, n, 2)}, ("x",)),
    # the value is a component of the gradient, and components are equal
    "equal results": (lambda p, x: gdc.exp(p[0] - p[1] + p[2] + x),
                      lambda n: {"p": [0.1, 0.2, 0.3], "x": numbers(20, n)}, ("x",)),
    "all batched": (lambda x, y: gdc.sigmoid(x * y),
                    lambda n: {"x": numbers(21, n), "y": numbers(22, n)}, ("x", "y")),
    "rows first": (lambda x, p, y, q: x[0] * p - gdc.exp(y * q[1]) * q[0],
                   lambda n: {"x": numbers(23, n, 1), "p": 0.5, "y": numbers(24, n), "q": (1.0, 2)},
                   ("y", "x")),
}  # fmt: skip


EACH_BY_ONE = [*zip(PROGRAMS, itertools.cycle(REDUCTIONS))]
"""Each program with one of the reductions."""


@pytest.mark.parametrize(
    ("program", "reduce"),
    slow_but(
        [*EACH_BY_ONE, *itertools.product(["neuron", "image", "where"], REDUCTIONS)],
        itertools.product(PROGRAMS, REDUCTIONS),
    ),
)
def test_it_is_the_loop_over_the_rows(program, reduce):
    function, arguments_of, batched = PROGRAMS[program]
    arguments = arguments_of(7)
    f = gdc.compile(function, batched=batched, reduce=reduce, wrt=list(arguments), cache=False)
    found = by_text(f.value_and_grad, **arguments)
    check(found, function, arguments, batched, reduce, list(arguments))
    value, gradient = found
    assert_near(by_text(f.value, **arguments), value)
    assert_near(by_text(f.grad, **arguments)._asdict(), gradient._asdict())
    assert f.value_and_grad._build().differing() == set()


@pytest.mark.parametrize(
    "program", slow_but(PROGRAMS.keys() - {"image", "keywords", "dict of arrays"}, PROGRAMS)
)
def test_blocks_of_rows(program):
    function, arguments_of, batched = PROGRAMS[program]
    arguments = arguments_of(243)
    f = gdc.compile(function, batched=batched, wrt=list(arguments), cache=False)
    found = by_text(f.value_and_grad, **arguments)
    check(found, function, arguments, batched, "mean", list(arguments))


IN_PARTS = {"mean": PROGRAMS, "sum": ("neuron", "network", "recurrence"), None: ("neuron", "image")}
"""The programs that the fast run takes in parts, by the reduction."""


@pytest.mark.parametrize(
    ("reduce", "program"),
    slow_but(
        [(reduce, program) for reduce in REDUCTIONS for program in IN_PARTS[reduce]],
        itertools.product(REDUCTIONS, PROGRAMS),
    ),
)
def test_text_in_parts(program, reduce, monkeypatch):
    monkeypatch.setattr(nest_functions, "MAX_LINES", 6)
    monkeypatch.setattr(nest_functions, "LINES_OF_A_PART", 4)
    function, arguments_of, batched = PROGRAMS[program]
    arguments = arguments_of(243 if reduce == "sum" else 3)
    f = gdc.compile(function, batched=batched, reduce=reduce, wrt=list(arguments), cache=False)
    found = by_text(f.value_and_grad, **arguments)
    check(found, function, arguments, batched, reduce, list(arguments))


def test_gradients_are_by_the_rows_where_the_rest_is_left_out():
    f = gdc.compile(lambda x, k=3.0: k * x * x, batched="x", reduce="sum")
    rows = np.array([1.0, 2.0])
    gradient = f.grad(rows)
    assert gradient._fields == ("x",)
    assert gradient.x.tolist() == [6.0, 12.0]
    assert f.grad(rows, 3.0) == (5.0,)
    assert f.grad(rows)._fields == ("x",)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("wrt", ["p", "x", "y", ("p", "x"), ("x", "y"), ("y", "p"), None])
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_gradients_by_some_arguments(wrt, reduce, strict):
    arguments = neuron_arguments(5)
    options = {"batched": ("y", "x"), "reduce": reduce, "strict": strict, "cache": False}
    f = gdc.compile(neuron, wrt=wrt, **options)
    found = by_text(f.value_and_grad, **arguments)
    names = [wrt] if isinstance(wrt, str) else wrt
    check(found, neuron, arguments, ("x", "y"), reduce, names)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_a_gradient_by_nothing(reduce):
    arguments = neuron_arguments(3)
    f = gdc.compile(neuron, batched=("x", "y"), reduce=reduce, wrt=[], cache=False)
    value, gradient = by_text(f.value_and_grad, **arguments)
    assert gradient == by_text(f.grad, **arguments) == ()
    assert_near(value, by_rows(neuron, arguments, ("x", "y"), reduce)[0])
    g = gdc.compile(lambda p, x: x * x, batched="x", reduce=reduce, cache=False)
    assert by_text(g.value_and_grad, [], [1.0, 2.0])[1] == ([],)
    assert by_text(g.value_and_grad, np.zeros((0, 3)), [1.0, 2.0])[1].p.shape[-2:] == (0, 3)


def structures(p, x):
    return {
        "a": [p * x[0], p, 2.0 * p],
        "b": (x[1], -x[1], x[1]),
        "c": np.array([[p * x[0], x[1]]]),
    }


def test_results_with_a_structure():
    x = numbers(30, 4, 2)
    for reduce in REDUCTIONS:
        f = gdc.compile(structures, batched="x", reduce=reduce, cache=False)

        def how(rows, reduce=reduce):
            return rows if reduce is None else rows.sum(0) / (4 if reduce == "mean" else 1)

        expected = combined([structures(3.0, row) for row in x], how)
        assert_near(by_text(f.value, 3.0, x), expected)
        with pytest.raises(
            TypeError, match="gradient is that of one number, but structures returns"
        ):
            f.grad(3.0, x)


# --- random programs -----------------------------------------------------------------------------


def check_random(seed):
    """A program of blocks, some of whose inputs are batched."""
    program = Blocks(seed, regular=seed % 3 == 0)
    rng = random.Random(f"batch {seed}")
    share = rng.choice((0.1, 0.5, 0.9, 1.0))
    places = range(len(program.at))
    rows = [k for k in places if rng.random() < share] or [0]
    rest = [k for k in places if k not in rows]

    def function(p, x):
        leaves = [None] * len(places)
        for k, leaf in zip([*rest, *rows], [*p, *x], strict=True):
            leaves[k] = leaf
        return program.root(leaves)

    count = rng.choice((1, 2, 5))
    at = np.array(program.at)
    x = at[rows] * np.linspace(1.0, 1.01, count)[:, None]
    arguments = {"p": at[rest].tolist(), "x": x}
    reduce, strict = rng.choice(REDUCTIONS), rng.random() < 0.3
    f = gdc.compile(
        function, batched="x", reduce=reduce, wrt=["p", "x"], strict=strict, cache=False
    )
    value, gradient = by_text(f.value_and_grad, **arguments)
    assert f.value_and_grad._build().differing() == set()

    def loop(arguments):
        with np.errstate(all="ignore"):
            return by_rows(function, arguments, ("x",), reduce, ["p", "x"])

    expected = loop(arguments)
    try:
        assert_near_rows((value, gradient), expected, 1e-9)
    except AssertionError:
        # Where one ulp of the inputs moves the results further, so may the order of operations.
        moved = [loop(one_ulp_off(arguments, np.random.default_rng(k))) for k in range(8)]
        spread = max(distance(other, expected) for other in moved)
        assert_near_rows((value, gradient), expected, max(1e-9, spread))


def one_ulp_off(arguments, rng):
    """The arguments, each number of them moved by an ulp up or down, or not."""
    return {
        name: np.array(x) * (1.0 + rng.integers(-1, 2, np.shape(x)) * 2.0**-52)
        for name, x in arguments.items()
    }


def distance(found, expected):
    """How far values and slopes are apart at most, relatively."""
    pairs = [(found[0], expected[0])]
    for name in expected[1]:
        pairs += zip(found[1][name], expected[1][name], strict=True)
    return max(
        np.nan_to_num(np.abs(np.subtract(a, b)) / np.maximum(np.abs(b), 1.0)).max(initial=0.0)
        for a, b in pairs
    )


def assert_near_rows(found, expected, tolerance):
    (value, gradient), (right, parts) = found, expected
    # Sums are added in another order; where their terms nearly cancel, that shows.
    assert_near(value, right, tolerance)
    scale = max(
        [1.0, *(abs(x[np.isfinite(x)]).max(initial=0.0) for x in map(np.array, parts["p"]))]
    )
    for name in parts:
        for a, b in zip(getattr(gradient, name), parts[name], strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=1e-3 * tolerance * scale)


@pytest.mark.parametrize("seed", range(6))
def test_random_programs(seed):
    check_random(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(6, 12), *range(1000, 1300)])
def test_many_random_programs(seed):
    check_random(seed)


# --- machine code --------------------------------------------------------------------------------

EVERY = ("p", "x", "y")
losses = {
    reduce: gdc.compile(neuron, batched=("x", "y"), reduce=reduce, wrt=EVERY, name="neuron")
    for reduce in REDUCTIONS
}
loss = gdc.compile(neuron, batched=("x", "y"), name="neuron")


@pytest.mark.parametrize(
    "count", [pytest.param(n, marks=[] if n in (1, 240, 241) else pytest.mark.slow) for n in COUNTS]
)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_machine_code_for_any_number_of_rows(reduce, count):
    arguments = neuron_arguments(count)
    found = losses[reduce].value_and_grad(**arguments)
    check(found, neuron, arguments, ("x", "y"), reduce, EVERY)
    value, gradient = by_text(losses[reduce].value_and_grad, **arguments)
    assert_near(found[0], value)
    assert_near(found[1]._asdict(), gradient._asdict())


def test_results_are_plain_numbers_and_arrays():
    value, gradient = losses["mean"].value_and_grad(**neuron_arguments(3))
    assert type(value) is type(gradient.p["b"]) is type(gradient.p["w"][0]) is float
    assert gradient.x.shape == (3, 2)
    assert gradient.x.dtype == gradient.y.dtype == np.float64
    values, gradient = losses[None].value_and_grad(**neuron_arguments(3))
    assert values.shape == gradient.y.shape == gradient.p["b"].shape == (3,)


def test_no_rows():
    arguments = neuron_arguments(0)
    value, gradient = losses["sum"].value_and_grad(**arguments)
    assert value == 0.0
    assert gradient.p == {"w": [0.0, 0.0], "b": 0.0}
    assert gradient.x.shape == (0, 2)
    assert gradient.y.shape == (0,)
    values, gradient = losses[None].value_and_grad(**arguments)
    assert values.shape == (0,)
    assert gradient.p["b"].shape == (0,)
    with pytest.raises(ValueError, match=r"^neuron: the mean of no rows: 'x' has shape \(0, 2\)$"):
        loss(**arguments)


def test_nothing_is_compiled_again_for_another_number_of_rows(monkeypatch):
    f = losses["mean"]
    f.value_and_grad(**neuron_arguments(2))
    machine = f.value_and_grad._build().machine
    signatures = list(machine.signatures)
    monkeypatch.setattr(
        jit, "jit", lambda *_, **__: pytest.fail("compiled for another number of rows")
    )
    for count in (3, 500, 7, 1):
        arguments = neuron_arguments(count)
        f.value_and_grad(**arguments)
        f.value_and_grad(**{**arguments, "x": np.asfortranarray(arguments["x"], np.float32)})
    assert machine.signatures == signatures
    assert len(f.arguments.traces) == len(f.value_and_grad._builds) == len(signatures) == 1


def test_rows_of_nan():
    arguments = neuron_arguments(300)
    arguments["x"][250, 1] = np.nan
    value, gradient = losses["mean"].value_and_grad(**arguments)
    assert np.isnan(value)
    assert np.isnan([*gradient.p["w"], gradient.p["b"]]).all()
    assert np.flatnonzero(np.isnan(gradient.y)).tolist() == [250]
    values, gradient = losses[None].value_and_grad(**arguments)
    assert np.flatnonzero(np.isnan(values)).tolist() == [250]
    assert np.flatnonzero(np.isnan(gradient.p["b"])).tolist() == [250]


def as_unaligned(x):
    raw = np.empty(x.nbytes + 1, np.uint8)[1:].view(np.float64).reshape(x.shape)
    raw[...] = x
    assert not raw.flags.aligned
    return raw


def as_read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


class Subclass(np.ndarray):
    pass


KINDS = {
    "float32": lambda x: x.astype(np.float32),
    "float16": lambda x: x.astype(np.float16),
    "long double": lambda x: x.astype(np.longdouble),
    "big-endian": lambda x: x.astype(">f8"),
    "int8": lambda x: (x * 10).astype(np.int8),
    "uint64": lambda x: (abs(x) * 10).astype(np.uint64),
    "big-endian integers": lambda x: (x * 10).astype(">i4"),
    "Fortran order": np.asfortranarray,
    "read-only": as_read_only,
    "every other row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "from the last to the first": lambda x: x[::-1],
    "every other column": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "transposed": lambda x: np.ascontiguousarray(x.T).T,
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
    "unaligned": as_unaligned,
    "a subclass": lambda x: x.view(Subclass),
    "nothing masked": np.ma.masked_array,
    "lists": lambda x: x.tolist(),
    "a tuple of arrays": tuple,
}


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_any_kind(kind):
    arguments = neuron_arguments(5)
    before = {name: np.array(arguments[name]) for name in ("x", "y")}
    given = {name: KINDS[kind](arguments[name]) for name in ("x", "y")}
    expected = {name: np.array(given[name], np.float64) for name in given}
    found = losses["sum"].value_and_grad(arguments["p"], **given)
    check(found, neuron, {"p": arguments["p"], **expected}, ("x", "y"), "sum", EVERY)
    for name, array in before.items():
        assert np.array_equal(arguments[name], array)


def test_a_long_double_beyond_the_range_is_infinite():
    x = np.full((2, 2), np.longdouble("1e400"))
    assert loss({"w": [1.0, 1.0], "b": 0.0}, x, [0.0, 0.0]) == 1.0  # tanh(inf)


def test_arguments_in_any_way():
    p, x, y = neuron_arguments(4).values()
    value = loss(p, x, y)
    assert loss(p, y=y, x=x) == loss(p=p, x=x, y=y) == loss.value(p, x, y) == value
    assert loss.value_and_grad(p, x, y) == (value, loss.grad(p, x, y))


def test_parameters_that_changed_length():
    f = gdc.compile(lambda p, x: sum(a * x for a in p), batched="x", reduce="sum", cache=False)
    assert by_text(f.value_and_grad, [1.0, 2.0], [3.0]) == (9.0, ([3.0, 3.0],))
    assert by_text(f.value_and_grad, [1.0, 2.0, 3.0], [3.0, 1.0]) == (24.0, ([4.0, 4.0, 4.0],))
    assert by_text(f.value_and_grad, [1.0, 2.0], [3.0]) == (9.0, ([3.0, 3.0],))
    assert len(f.arguments.traces) == 2


def test_a_flat_vector():
    p, x, y = neuron_arguments(300).values()
    value, gradient = loss.value_and_grad(p, x, y)
    vector = [0.5, -0.25, 0.125]
    found, slopes = loss.value_and_grad.flat(vector, x=x, y=y)
    assert found == value == loss.value.flat(vector, y=y, x=x)
    assert slopes.tolist() == [*gradient.p["w"], gradient.p["b"]]
    assert loss.value_and_grad.flat(np.float32(vector), x=x[:5], y=y[:5])[1].shape == (3,)


def test_a_flat_vector_of_some_parameters():
    def line(a, b, x):
        return (a * x + b[0] - b[1]) ** 2

    f = gdc.compile(line, batched="x", wrt="b", reduce="sum", cache=False, name="line")
    f.value_and_grad._arguments.read((2.0, [1.0, 3.0], [1.0, 2.0]), {})
    build = f.value_and_grad._build()
    build.run = lambda *given: build.target.function(*given, *build.target.constants)
    value, slopes = f.value_and_grad.flat([1.0, 3.0], a=2.0, x=np.array([1.0, 2.0]))
    assert value == 4.0
    assert slopes.tolist() == [4.0, -4.0]


def test_other_machine_code_calls_it():
    p, x, y = neuron_arguments(500).values()
    expected, gradient = loss.value_and_grad(p, x, y)

    @numba.njit
    def step(value_and_grad, params, x, y, rate):
        value, slopes = value_and_grad(params, (x, y))
        return value, params - rate * slopes

    params = np.array([0.5, -0.25, 0.125])
    value, moved = step(loss.value_and_grad.dispatcher, params, x, y.reshape(-1, 1), 0.5)
    assert value == pytest.approx(expected, rel=1e-12)
    slopes = np.array([*gradient.p["w"], gradient.p["b"]])
    assert moved == pytest.approx(params - 0.5 * slopes, rel=1e-12)


def test_the_text_as_cpython_runs_it():
    p, x, y = neuron_arguments(250).values()
    value, gradient = loss.value_and_grad(p, x, y)
    found, (slopes,) = loss.value_and_grad.python(np.array([0.5, -0.25, 0.125]), x, y)
    assert found == pytest.approx(value, rel=1e-12)
    assert slopes == pytest.approx([*gradient.p["w"], gradient.p["b"]], rel=1e-12)


def test_data_in_machine_code():
    f = gdc.compile(captured, batched="x", reduce="sum", name="captured")
    arguments = PROGRAMS["data"][1](250)
    check(f.value_and_grad(**arguments), captured, arguments, ("x",), "sum", ["p"])
    build = f.value_and_grad._build()
    assert build.target.constants
    at, rows = arguments["p"], arguments["x"]
    value = build.machine(at, rows, *build.target.constants)[0]
    assert f.value_and_grad.python(at, rows)[0] == pytest.approx(value, rel=1e-12)


@pytest.mark.slow
def test_other_machine_code_calls_it_with_data():
    f = gdc.compile(captured, batched="x", reduce="sum", name="captured")
    arguments = PROGRAMS["data"][1](250)
    f.value_and_grad(**arguments)
    build = f.value_and_grad._build()
    at, rows = arguments["p"], arguments["x"]
    value = build.machine(at, rows, *build.target.constants)[0]
    assert f.value_and_grad.njit(at, rows)[0] == value
    assert f.value_and_grad.dispatcher(np.array([at]), (rows[:, None],))[0] == value


def deep(layers, x, y):
    h = list(x)
    for (weights, bias), activation in zip(layers, ACTIVATIONS, strict=True):
        rows = zip(weights, bias, strict=True)
        h = [activation(gdc.dot(list(row), h) + b) for row, b in rows]
    return (sum(h) - y) ** 2


ACTIVATIONS = [
    gdc.tanh, gdc.sigmoid, gdc.softplus, gdc.atan, gdc.relu, gdc.sin, gdc.erf, gdc.asinh, gdc.cos,
    gdc.sinh, gdc.gelu,
]  # fmt: skip
"""Layers of different width and activation share no loops, so the text comes in parts."""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["text", "machine"])
def test_a_larger_network(engine):
    f = gdc.compile(deep, batched=("x", "y"), wrt=["layers", "x"])
    widths = (4, 5, 7, 6, 8, 5, 6, 3, 7, 4, 6, 5)
    arguments = {"layers": layers(*widths), "x": numbers(40, 245, 4), "y": numbers(41, 245)}
    if engine == "text":
        found = by_text(f.value_and_grad, **arguments)
    else:
        found = f.value_and_grad(**arguments)
    assert "def deep_value_and_grad_2(" in f.source
    check(found, deep, arguments, ("x", "y"), "mean", ["layers", "x"])


@pytest.mark.slow
def test_machine_code_in_parts(monkeypatch):
    monkeypatch.setattr(nest_functions, "MAX_LINES", 6)
    monkeypatch.setattr(nest_functions, "LINES_OF_A_PART", 4)
    arguments = neuron_arguments(245)
    f = gdc.compile(neuron, batched=("x", "y"), cache=False)
    found = f.value_and_grad(**arguments)
    assert "def neuron_value_and_grad_2(" in f.source
    check(found, neuron, arguments, ("x", "y"), "mean")


@pytest.mark.slow
def test_two_functions_that_differ_only_in_what_is_batched():
    # Everything else about their programs is equal, even the labels.
    found = []
    for shared, batched in ((1, 2), (2, 1)):
        leaves = [Value(1.0, label=label) for label in "abc"]
        root = leaves[0] * leaves[1] - leaves[2]
        inputs = {"p": leaves[:shared], "x": leaves[shared:]}
        f = gdc.compile(root, inputs, batched="x", wrt=["p", "x"], name="differ")
        x = np.arange(3.0 * batched).reshape(3, batched)
        found.append(f.value_and_grad([2.0, 3.0][:shared], x))
    assert found[0][0] == pytest.approx(2.0 * 2.0 - 3.0)
    assert found[1][0] == pytest.approx(2.0 * 3.0 - 1.0)


def test_two_functions_whose_rows_are_in_different_arrays():
    def product(p, x):
        return p * x["a"][0] * x["a"][1] if set(x) == {"a"} else p * x["a0"] * x["a1"]

    f = gdc.compile(product, batched="x", reduce="sum", name="product")
    x = numbers(50, 3, 2)
    expected = 2.0 * (x[:, 0] * x[:, 1]).sum()
    assert f(2.0, {"a": x}) == pytest.approx(expected, rel=1e-12)
    assert f(2.0, {"a0": x[:, 0], "a1": x[:, 1]}) == pytest.approx(expected, rel=1e-12)


PROCESS = """
import json
import numpy as np
import gradcompile as gdc

def square(p, x):
    return (p * x - 1.0) ** 2

f = gdc.compile(square, batched="x", reduce=None)
value = f.value_and_grad(2.0, np.arange(3.0))[0]
stats = f.value_and_grad._build().machine.stats
print(json.dumps((np.sum(value), sum(stats.cache_hits.values()))))
"""


@pytest.mark.slow
def test_the_next_process_loads_it(run_python, tmp_path):
    code = PROCESS
    first, second = (
        json.loads(run_python(code, GRADCOMPILE_CACHE_DIR=str(tmp_path))) for _ in range(2)
    )
    assert first == [pytest.approx(11.0), 0]
    assert second == [first[0], 1]


# --- graphs --------------------------------------------------------------------------------------


def graph_of_a_neuron():
    w, b = [Value(0.5), Value(-0.25)], Value(0.125)
    x, y = [Value(1.0), Value(2.0)], Value(0.5)
    root = neuron({"w": w, "b": b}, x, y)
    return root, {"x": x, "p": {"w": w, "b": b}, "y": y}


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_a_graph(reduce):
    root, inputs = graph_of_a_neuron()
    f = gdc.compile(root, inputs, batched=("y", "x"), reduce=reduce, wrt=EVERY, cache=False)
    p, x, y = neuron_arguments(5).values()
    value, gradient = by_text(f.value_and_grad, x, p, y)  # in the order of `inputs`
    expected, parts = by_rows(neuron, neuron_arguments(5), ("x", "y"), reduce, EVERY)
    assert_near(value, expected)
    assert gradient._fields == ("x", "p", "y")
    assert_near({name: getattr(gradient, name) for name in EVERY}, parts)
    assert repr(f) == "<CompiledFunction f(x, p, y)>"
    with pytest.raises(
        ValueError,
        match=r"^f: argument 'x': expected rows of which each is an array of shape \(2,\), "
        r"got an array of shape \(3,\)$",
    ):
        f(numbers(0, 5, 3), p, y)
    with pytest.raises(ValueError, match=r"'x': expected rows .* shape \(2,\), got a number$"):
        f(y, p, y)


def test_a_graph_of_lists_of_lists():
    x = [[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]]
    a = Value(2.0)
    root = gdc.tanh(a * x[0][0] * x[1][1] - x[0][1] * x[1][0])
    f = gdc.compile(root, {"a": a, "x": x}, batched="x", wrt="x", cache=False, reduce="sum")
    rows = numbers(60, 3, 2, 2)
    value, gradient = by_text(f.value_and_grad, 0.5, rows)
    determinants = 0.5 * rows[:, 0, 0] * rows[:, 1, 1] - rows[:, 0, 1] * rows[:, 1, 0]
    assert_near(value, np.tanh(determinants).sum())
    assert gradient.x.shape == (3, 2, 2)
    with pytest.raises(ValueError, match="batched: 'x' is a list of length 2, which is no row of"):
        gdc.compile(root, {"a": a, "x": [x[0], x[1][0], x[1][1]][:2]}, batched="x")


# --- verification --------------------------------------------------------------------------------


def replace_source(build, source):
    build.code = replace(build.code, source=source)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_verify(reduce):
    f = gdc.compile(
        lambda p, x, y: gdc.sin(p[0] * x - p[1]) * y,
        batched=("y", "x"), reduce=reduce, wrt=["p", "y"], cache=False, name="wave",
    )  # fmt: skip
    f.value_and_grad._arguments.read(([1.0, 2.0], [1.0], [2.0]), {})
    report = f.verify()
    assert report.ok
    assert [derivative.verdict for derivative in report.derivatives] == ["proved"] * 3
    build = f.value_and_grad._build()
    corrupted = build.source.replace("cos(", "sin(")
    assert corrupted != build.source
    replace_source(build, corrupted)
    report = f.verify()
    assert not report.ok
    assert {x.name for x in report.derivatives if x.verdict == "refuted"} == {"p[0]", "p[1]"}


@pytest.mark.parametrize(
    ("p", "reduce", "right", "wrong"),
    [
        ([1.0], "mean", "divide(p_bar, count)", "pass"),
        (1.0, "mean", "p_bar / count", "p_bar"),
        (1.0, "mean", "value / count", "value"),
        ([1.0], "sum", "] += total", "] = total"),
        (1.0, "sum", "p_bar += total", "p_bar = total"),
        (1.0, "sum", "value += ", "value -= "),
        (1.0, None, "start + i", "i"),
        (1.0, None, "p * x", "x"),
    ],
)
def test_a_wrong_reduction_is_found(p, reduce, right, wrong, monkeypatch):
    # Two rows are compared, which are one block: here each is one.
    emitters = ("emit.nest_functions", "emit.nest_arrays")
    for module in ("ir.nests", *emitters, "roll.nests", "roll.dimensions"):
        monkeypatch.setattr(sys.modules[f"gradcompile.{module}"], "BLOCK_ROWS", nests.RowExtent(1))
    monkeypatch.setattr(blocks, "ROWS_PER_CACHE_LINE", 1)

    def product(p, x):
        return gdc.tanh((p[0] if isinstance(p, list) else p) * x)

    f = gdc.compile(product, batched="x", reduce=reduce, cache=False)
    f.value_and_grad._arguments.read((p, [1.0]), {})
    build = f.value_and_grad._build()
    assert build.differing() == set()
    wrong = build.source.replace(right, wrong)
    assert wrong != build.source
    replace_source(build, wrong)
    assert build.differing()


# --- what there is to look at --------------------------------------------------------------------


def test_looking_at_it():
    x = np.arange(3.0)
    f = gdc.compile(lambda p, x: gdc.log(1 + p * x), batched="x", cache=False, name="look")
    assert "def look_value_and_grad(p, x):" in f.source  # before any call: numbers
    assert "look(p, x): the value and the gradient by p, the mean over the rows of x" in f.source
    g = gdc.compile(lambda p, x: p * x, batched="x", reduce=None, cache=False)
    assert "f(p, x): the value and the gradient by p, for each of the rows of x" in g.source
    assert "log1p" in f.explain()
    assert f.draw().nodes == 4
    assert "<span" in f._repr_html_()
    assert repr(f) == "<CompiledFunction look(p, x)>"
    assert f(1.0, x) == pytest.approx(np.log1p(x).mean(), rel=1e-12)
    assert "double" in f.value.llvm()


def test_the_report():
    loss(**neuron_arguments(2))
    assert "loop nests" in str(loss.report())


def test_before_the_first_call():
    f = gdc.compile(neuron, batched=("x", "y"))
    message = "neuron has not been called yet, so the shapes of its arguments are not known"
    with pytest.raises(gdc.TraceError, match=message):
        _ = f.source
    with pytest.raises(gdc.TraceError, match=message):
        f.value_and_grad.flat([1.0], x=[1.0], y=[2.0])
    assert f._repr_html_() == "<code>&lt;CompiledFunction neuron(p, x, y)&gt;</code>"


# --- bad input -----------------------------------------------------------------------------------

X, Y = numbers(70, 5, 2), numbers(71, 5)

BAD = {
    "row counts": (
        {"y": Y[:3]}, ValueError,
        "neuron: batched arguments need equally many rows: 'x' has 5 (shape (5, 2)), 'y' has 3 "
        "(shape (3,))",
    ),
    "a number": (
        {"y": 1.0}, ValueError,
        "neuron: argument 'y': expected an array whose first axis is that of the rows, "
        "got a number",
    ),
    "none": (
        {"y": None}, TypeError,
        "neuron: argument 'y': expected an array of real numbers, got one of dtype object",
    ),
    "strings": (
        {"y": ["a"] * 5}, TypeError,
        "neuron: argument 'y': expected an array of real numbers, got one of dtype <U1",
    ),
    "objects": (
        {"x": X.astype(object)}, TypeError,
        "neuron: argument 'x': expected an array of real numbers, got one of dtype object",
    ),
    "Values": (
        {"x": [[Value(1.0), Value(2.0)]], "y": [1.0]}, TypeError,
        "neuron: argument 'x': expected an array of real numbers, got one of dtype object",
    ),
    "complex": (
        {"x": X.astype(complex)}, TypeError,
        "neuron: argument 'x': expected an array of real numbers, got one of dtype complex128",
    ),
    "dates": (
        {"y": np.zeros(5, "M8[s]")}, TypeError,
        "neuron: argument 'y': expected an array of real numbers, got one of dtype datetime64[s]",
    ),
    "a table of columns": (
        {"y": np.zeros(5, [("a", float)])}, TypeError,
        "neuron: argument 'y': expected an array of real numbers, got one of dtype "
        "[('a', '<f8')]",
    ),
    "rows of different lengths": (
        {"x": [[1.0, 2.0], [1.0]]}, ValueError,
        "neuron: argument 'x': expected an array, got rows of different lengths",
    ),
    "masked": (
        {"x": np.ma.masked_array(X, X > 0)}, ValueError,
        "neuron: argument 'x': expected numbers everywhere, got masked elements; "
        "fill them with nan",
    ),
    "an empty dict": (
        {"y": {}}, ValueError,
        "neuron: argument 'y': expected arrays, got a dict without any",
    ),
    "a Value as a parameter": (
        {"p": {"w": [Value(1.0), 2.0], "b": 0.0}}, TypeError,
        "neuron: argument 'p': expected numbers, got Values; a batched function cannot be a part "
        "of a graph",
    ),
    "no rows": (
        {"x": X[:0], "y": Y[:0]}, ValueError,
        "neuron: the mean of no rows: 'x' has shape (0, 2)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_rows(kind):
    given, error, message = BAD[kind]
    arguments = {"p": {"w": [1.0, 2.0], "b": 0.0}, "x": X, "y": Y, **given}
    for kernel in (loss.value, loss.grad, loss.value_and_grad):
        with pytest.raises(error) as caught:
            kernel(**arguments)
        assert str(caught.value) == message


def test_rows_without_a_number():
    f = gdc.compile(lambda p, x: p, batched="x")
    with pytest.raises(ValueError, match=r"^f: no number is in a row of the arguments 'x'$"):
        f(1.0, np.zeros((3, 0)))


def test_a_missing_axis_is_told():
    f = gdc.compile(lambda p, x: p * x[0] * x[1], batched="x", name="two")
    with pytest.raises(TypeError) as caught:
        f(1.0, [1.0, 2.0])
    assert caught.value.__notes__ == [
        "two was traced for one row, in which 'p' is a number, 'x' is a number"
    ]
    with pytest.raises(TypeError, match=r"neuron returns an array of shape \(1,\); use jacobian"):
        gdc.compile(neuron, batched=("x", "y")).grad({"w": [1.0, 2.0], "b": 0.0}, X, Y[:, None])


def test_bad_calls():
    p = {"w": [1.0, 2.0], "b": 0.0}
    loss(p, X, Y)
    with pytest.raises(TypeError, match=r"^neuron\(p, x, y\): missing a required argument: 'y'"):
        loss(p, X)
    with pytest.raises(TypeError, match=r"^neuron\(p, x, y\): too many positional arguments"):
        loss(p, X, Y, 1.0)
    losses["mean"](p, X, Y)
    flat = loss.value_and_grad.flat
    with pytest.raises(
        TypeError, match=r"^flat: expected the arguments \['x', 'y'\], got \['x'\]$"
    ):
        flat([1.0, 2.0, 0.0], x=X)
    with pytest.raises(TypeError, match=r"^flat: expected .* \['x', 'y'\], got \['x', 'y', 'z'\]$"):
        flat([1.0, 2.0, 0.0], x=X, y=Y, z=1.0)
    with pytest.raises(ValueError, match=r"^flat: expected a vector of shape \(3,\), got \(2,\)$"):
        flat(np.ones(2), x=X, y=Y)
    with pytest.raises(ValueError, match=r"'x': expected rows of which each is an array of shape"):
        flat([1.0, 2.0, 0.0], x=X[:, :1], y=Y)
    with pytest.raises(ValueError, match=r"^neuron: batched arguments need equally many rows"):
        flat([1.0, 2.0, 0.0], x=X[:1], y=Y)
    with pytest.raises(
        ValueError, match=r"^flat: neuron is differentiated by its rows, \['p', 'x'"
    ):
        losses["mean"].value_and_grad.flat([1.0, 2.0, 0.0], x=X, y=Y)
    with pytest.raises(TypeError, match="check_grad: neuron is batched; check the function of one"):
        check_grad(loss, p, X, Y)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batched": 5}, TypeError, "batched: expected names of arguments, got int 5"),
        ({"batched": ("z",)}, ValueError,
         "batched: 'z' is not an argument; the arguments are ['p', 'x', 'y']"),
        ({"batched": (0,)}, ValueError,
         "batched: 0 is not an argument; the arguments are ['p', 'x', 'y']"),
        ({"batched": "x", "reduce": "max"}, ValueError,
         "reduce: expected \"mean\", \"sum\" or None, got 'max'"),
        ({"batched": "x", "roll": False}, ValueError,
         "batched: the rows are a loop, so roll=False is not possible"),
        ({"batched": "x", "check_domain": True}, ValueError,
         "batched: check_domain=True is for a function without batched arguments"),
        ({"batched": "x", "wrt": "q"}, ValueError,
         "wrt: 'q' is not an argument; the arguments are ['p', 'x', 'y']"),
    ],
)  # fmt: skip
def test_bad_options(options, error, message):
    with pytest.raises(error) as caught:
        gdc.compile(neuron, **options)
    assert str(caught.value) == message


def test_any_number_of_arguments():
    with pytest.raises(ValueError, match="'x' stands for any number of arguments; name"):
        gdc.compile(lambda p, *x: p * x[0], batched="x")
    f = gdc.compile(lambda p, **x: p * x["a"] * x["b"], batched="x", reduce="sum", cache=False)
    assert by_text(f.value_and_grad, 2.0, a=[1.0, 2.0], b=[3.0, 4.0]) == (22.0, (11.0,))


def test_names_given_twice_and_as_decorator():
    @gdc.compile(batched=["y", "x", "x"], reduce="sum", cache=False)
    def product(x, y):
        return x * y * y

    value, gradient = by_text(product.value_and_grad, [1.0, 2.0], [3.0, 4.0])
    assert gradient._fields == ("x", "y")
    assert value == 41.0
    assert gradient.y.tolist() == [6.0, 16.0]


# --- threads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_rows_over_threads(reduce, threads, monkeypatch):
    monkeypatch.setattr(batch_threads, "MIN_ROWS_OF_A_THREAD", 10)
    options = {"batched": ("x", "y"), "reduce": reduce, "wrt": EVERY, "name": "neuron"}
    arguments = neuron_arguments(100)
    expected, gradient = losses[reduce].value_and_grad(**arguments)
    parallel = gdc.compile(neuron, parallel=threads, **options)
    value, slopes = parallel.value_and_grad(**arguments)
    assert_near(value, expected)
    assert_near(slopes.p, gradient.p)
    assert_near(slopes.x, gradient.x)
    again, _ = parallel.value_and_grad(**arguments)
    assert np.array_equal(again, value)
    if reduce == "mean":
        assert_near(parallel(**arguments), expected)
        assert_near(parallel.grad(**arguments).x, gradient.x)


def test_each_thread_has_its_rows():
    started = []

    def work(start, stop):
        started.append(threading.current_thread().name)
        return start, stop

    assert spread(work, 1000, 3, least=100) == [(0, 333), (333, 666), (666, 1000)]
    assert len(set(started)) > 1
    assert spread(work, 150, 3, least=100) == [(0, 150)]


def test_an_error_in_a_thread_is_raised():
    def work(start, stop):
        if start:
            raise ValueError("of the second")

    with pytest.raises(ValueError, match="of the second"):
        spread(work, 100, 2, least=1)


@pytest.mark.parametrize("parallel", [-1, "two", 2.0, None])
def test_threads_are_a_number(parallel):
    with pytest.raises(ValueError, match=r"parallel: expected a bool or how many threads, got"):
        gdc.compile(neuron, batched=("x", "y"), parallel=parallel)


def test_threads_need_rows():
    with pytest.raises(ValueError, match="parallel: rows are spread over threads, so it needs"):
        gdc.compile(lambda x: x * x, parallel=True)


FORK = """
import os, signal, warnings
import numpy as np
import gradcompile as gdc
f = gdc.compile(lambda p, x: p * x, batched="x", reduce="sum", parallel=2, cache=False)
x = np.ones(5000)
assert f(2.0, x) == 10000.0
warnings.simplefilter("ignore")  # from Python 3.12 on, fork warns where there are threads
child = os.fork()
if not child:
    signal.alarm(30)
    os._exit(f(2.0, x) != 10000.0)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_threads_after_a_fork(run_python):
    # A forked process has no threads but its own; waiting for others would last for ever.
    assert run_python(FORK) == "0\n"


# --- what cancels in each row --------------------------------------------------------------------

ENGINES = ["text", "machine"]


@pytest.mark.parametrize(
    ("function", "data", "expected"),
    [
        (lambda b, x, y: x - y + b, "near", 0.25),
        (lambda b, x, y: (x - y) * (b + 1.0), "near", 0.25),
        (lambda b, x, y: 1e306 * (b + 1.0) - x, "large", 0.0),
    ],
)
@pytest.mark.parametrize("engine", slow_but(["text"], ENGINES))
def test_differences_within_a_row_are_taken_before_the_sum(function, data, expected, engine):
    rows = np.arange(1000.0)
    x, y = {
        "near": (1.7e15 + rows + 0.25, 1.7e15 + rows),
        "large": (np.full(1000, 1e306), np.full(1000, 1e306)),
    }[data]
    f = gdc.compile(function, batched=("x", "y"), reduce="mean")
    found = f(0.0, x, y) if engine == "machine" else by_text(f.value, 0.0, x, y)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("engine", slow_but(["text"], ENGINES))
def test_gradients_that_cancel_in_each_row(engine):
    y = 1.7e15 + np.arange(1000.0)
    f = gdc.compile(lambda b, x, y: b * x - b * y + gdc.sin(b), batched=("x", "y"))
    found = f.grad(0.0, y + 0.25, y) if engine == "machine" else by_text(f.grad, 0.0, y + 0.25, y)
    assert found.b == pytest.approx(1.25, rel=1e-12)


def _in_a_dict(p, x, y):
    return (gdc.tanh(gdc.dot(p["w"], x) + p["b"]) - y) ** 2


def _part_of_a_matrix(p, x, y):
    return gdc.dot(p.ravel()[1:3], x) ** 2 - y * gdc.sum(p.ravel()[2:5])


@pytest.mark.parametrize("engine", slow_but(["text"], ENGINES))
@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (_in_a_dict, {"w": [0.5, -0.25], "b": 0.1}),
        (_part_of_a_matrix, np.arange(6.0).reshape(2, 3)),
    ],
)
def test_gradients_for_each_row_that_are_written_in_parts_sum_up_to_the_total(
    function, parameters, engine
):
    run = by_text if engine == "text" else lambda kernel, *args: kernel(*args)
    each = gdc.compile(function, batched=("x", "y"), reduce=None)
    total = gdc.compile(function, batched=("x", "y"), reduce="sum")
    for count in (0, 1, 500):
        rows = np.random.default_rng(count).normal(size=(count, 2))
        apart = run(each.grad, parameters, rows, rows[:, 0]).p
        added = run(total.grad, parameters, rows, rows[:, 0]).p
        if isinstance(apart, dict):
            apart = np.column_stack([*apart["w"], apart["b"]])
            added = [*added["w"], added["b"]]
        assert len(apart) == count
        np.testing.assert_allclose(apart.sum(axis=0), added, rtol=1e-10, atol=1e-10)


# --- the same rows, held in different ways -------------------------------------------------------


def forms(p, c):
    """Formulas that say the same of each of four numbers of a row, which loops would gather."""
    return {
        "a square of a sum": (p[0] * c[0] + p[1] * c[1] + p[2] * c[2] + p[3] * c[3]) ** 2,
        "a sum of squares": gdc.sum([(x - q) ** 2 for x, q in zip(c, p, strict=True)]),
        "a softmax": gdc.logsumexp([q * x for x, q in zip(c, p, strict=True)]),
        "layers": gdc.tanh(gdc.dot(p, c)) * gdc.sum([gdc.tanh(x) for x in c]),
    }


HELD = {
    "a matrix": (lambda X: X, lambda x: list(x)),
    "four vectors": (
        lambda X: dict(zip("abcd", X.T, strict=True)),
        lambda x: [x["a"], x["b"], x["c"], x["d"]],
    ),
    "two matrices": (
        lambda X: {"a": X[:, :2], "b": X[:, 2:]},
        lambda x: [*x["a"], *x["b"]],
    ),
    "a matrix and vectors": (
        lambda X: {"a": X[:, 0], "b": X[:, 1:3], "c": X[:, 3]},
        lambda x: [x["a"], *x["b"], x["c"]],
    ),
}


@pytest.mark.parametrize("engine", slow_but(["text"], ENGINES))
@pytest.mark.parametrize("held", list(HELD)[1:])
@pytest.mark.parametrize("form", forms([1.0] * 4, [1.0] * 4))
def test_rows_of_several_arrays_are_those_of_one(form, held, engine):
    run = by_text if engine == "text" else lambda kernel, *args: kernel(*args)
    X = np.random.default_rng(0).normal(size=(30, 4))
    p = np.array([0.5, -1.0, 0.25, 2.0])

    def found(held, wrt):
        hold, columns = HELD[held]
        f = gdc.compile(lambda p, x: forms(p, columns(x))[form], batched="x", reduce="sum", wrt=wrt)
        value, slopes = run(f.value_and_grad, p, hold(X))
        if wrt == "p":
            return value, slopes.p
        parts = slopes.x.values() if isinstance(slopes.x, dict) else [slopes.x]
        return value, np.column_stack(list(parts))

    for wrt in ("p", "x"):
        value, slopes = found(held, wrt)
        expected, expected_slopes = found("a matrix", wrt)
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(slopes, expected_slopes, rtol=1e-12, atol=1e-12)
