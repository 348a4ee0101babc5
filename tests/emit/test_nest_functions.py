"""Functions made of loops over rows: golden texts of what a batch compiles to."""

import math
from pathlib import Path

import numpy as np
import pytest

import gradcompile as gdc

GOLDEN = Path(__file__).parents[1] / "golden" / "batched"


def layer(weights, biases, row, target):
    """Two neurons, and how far their sum is from a target."""
    outputs = [gdc.dot(w, row).tanh() + b for w, b in zip(weights, biases, strict=True)]
    return (sum(outputs) - target) ** 2


def slope(weights, row):
    """A value whose gradient for the row is one for each row."""
    return (gdc.dot(weights, row) * row[0]).sin()


def total(weights, row):
    """Terms that are too many for one line, and none like another."""
    a, b, c, d = row
    terms = gdc.sin(a * b), gdc.cos(b * c), gdc.tanh(c * d), gdc.exp(d * a)
    return sum(w * term for w, term in zip(weights, terms, strict=True))


def growth(rate, row):
    """A value that its own slope reads."""
    return gdc.exp(rate * row)


WEIGHTS = [[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]]

CASES = {
    "mean": (
        gdc.compile(layer, batched=["row", "target"], reduce="mean", cache=False),
        (WEIGHTS, [0.7, -0.8], [[1.0, 2.0, 3.0]], [0.5]),
    ),
    "strict_mean": (
        gdc.compile(layer, batched=["row", "target"], reduce="mean", cache=False, strict=True),
        (WEIGHTS, [0.7, -0.8], [[1.0, 2.0, 3.0]], [0.5]),
    ),
    "totals_and_rows": (
        gdc.compile(slope, batched="row", wrt=["weights", "row"], reduce="sum", cache=False),
        (WEIGHTS[0], [[1.0, 2.0, 3.0]]),
    ),
    "different_terms": (
        gdc.compile(total, batched="row", reduce="sum", cache=False),
        ([1.0, 2.0, 3.0, 4.0], [[1.0, 2.0, 3.0, 4.0]]),
    ),
    "own_slope": (
        gdc.compile(growth, batched="row", reduce="sum", cache=False),
        (0.5, [1.0]),
    ),
    "of_rows": (
        gdc.compile(slope, batched=["row"], wrt=["row"], reduce=None, cache=False),
        (WEIGHTS[0], [[1.0, 2.0, 3.0]]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_batch_reads_as_the_golden_text(case, request):
    function, arguments = CASES[case]
    kernel = function.value_and_grad
    source = kernel._build(kernel._arguments.read(arguments, {}).traced).source
    path = GOLDEN / f"{case}.py"
    if request.config.getoption("--update-golden"):
        path.write_text(source, encoding="utf-8")
    assert source == path.read_text(encoding="utf-8")


def test_there_is_no_golden_text_without_a_case():
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)


# --- the width of lines --------------------------------------------------------------------------


def attention(q, k, v):
    weights = gdc.softmax(q @ k.T / 2.0, axis=1)
    out = weights @ v
    return (out * out).sum()


def deep(x):
    """A sum over five dimensions, of terms that take a line each."""
    y = x * x + gdc.sin(x) * 0.5 - gdc.cos(x) * 0.25 + gdc.exp(-x * x) * 0.125
    total = (y[:, :, None] * y[:, None, :] * y[None, :, :]) * (y[:, :, None] + y[:, None, :])
    return (total * total).sum()


def many_features(w, x):
    return gdc.tanh((w * x).sum() + w[0] * x[1] * x[2] * x[3] * x[4] + w[1] * x[5] * x[6] * x[7])


@pytest.mark.parametrize(
    ("function", "shapes", "options"),
    [
        (attention, [(6, 4)] * 3, {}),
        (deep, [(5, 5)], {"roll": True}),
        (many_features, [(8,), (3, 8)], {"batched": "x"}),
    ],
    ids=["attention", "deep", "many_features"],
)
def test_no_line_is_wider_than_90_columns(function, shapes, options):
    kernel = gdc.compile(function, cache=False, **options).value_and_grad
    arrays = [np.linspace(0.1, 0.9, math.prod(shape)).reshape(shape) for shape in shapes]
    kernel._arguments.read(tuple(arrays), {})
    lines = kernel.source.splitlines()
    assert len(lines) > 30
    assert max(map(len, lines)) < 90
    compile(kernel.source, function.__name__, "exec")
