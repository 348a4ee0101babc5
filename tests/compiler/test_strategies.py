"""Which text a kernel gets: small programs have loops where these say the same in half as much."""

import itertools

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.emit.nest_arrays import MAX_SCRATCH


def affine(w, x, b):
    h = w @ x + b
    return (h * h).sum()


def layer(w, x, b):
    return gdc.tanh(w @ x + b).sum()


def neuron(x1, x2, w1, w2, b):
    return gdc.tanh(x1 * w1 + x2 * w2 + b)


def rosenbrock(x):
    return sum(100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in itertools.pairwise(x))


def looked_up(x):
    """Pairs that no stride leads to."""
    pairs = [(0, 5), (3, 1), (7, 2), (4, 6), (9, 8), (1, 11), (10, 2), (5, 7)]
    return sum(gdc.sin(x[i]) * x[j] * x[j] for i, j in pairs)


def cases():
    matrix, three, four = np.full((4, 3), 0.25), np.linspace(0.1, 0.3, 3), np.linspace(0.1, 0.4, 4)
    yield affine, (matrix, three, four), True
    yield layer, (matrix, three, four), True
    yield rosenbrock, (np.linspace(-1.0, 1.0, 30),), True
    yield rosenbrock, (np.linspace(-1.0, 1.0, 4),), False
    yield neuron, (1.0, 2.0, 3.0, 4.0, 5.0), False
    yield looked_up, (np.linspace(-1.0, 1.0, 12),), False


def text(function, args, **options):
    kernel = gdc.compile(function, cache=False, **options).value_and_grad
    kernel._arguments.read(args, {})
    return kernel.source


@pytest.mark.parametrize(
    ("function", "args", "loops"),
    [pytest.param(*case, id=f"{case[0].__name__}-{np.size(case[1][0])}") for case in cases()],
)
def test_small_programs_have_loops_where_these_say_it_shorter(function, args, loops):
    source = text(function, args)
    assert ("    for " in source) == loops
    assert source == text(function, args, roll=loops)
    if loops:
        assert 1.4 * source.count("\n") < text(function, args, roll=False).count("\n")


@pytest.mark.parametrize("rows", [MAX_SCRATCH // 2 // 64, MAX_SCRATCH // 64 + 1])
def test_what_stays_inside_is_scratch_memory_where_it_is_small(rows):
    source = text(lambda x: gdc.tanh(gdc.tanh(x) * x).sum(), (np.full((rows, 64), 0.5),), roll=True)
    assert ("scratch(" in source) == (rows * 64 * 2 <= MAX_SCRATCH)
    assert "x_bar = empty(" in source  # it is returned
