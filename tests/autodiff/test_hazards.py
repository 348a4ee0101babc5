"""Hazards: what counts as finite for finite operands is, wherever it is tried."""

import itertools
import math
import random

import pytest

from gradcompile.autodiff.hazards import Hazards, _is_always_tame
from gradcompile.ir.parse import parse_program
from gradcompile.ops.table import TABLE

MODERATE = (0.0, -0.0, 5e-324, -1e-300, 1e-8, 0.1, 1 / 3, 0.25, 4.0, 10.0, 1e3, -1e3, 1e16, 1e99)


def operands(op):
    """Combinations of numbers that the analysis does not try, and random ones."""
    rng = random.Random(op.name)
    few = MODERATE if op.arity < 3 else MODERATE[::3]
    yield from itertools.product(few, repeat=op.arity)
    for _ in range(500):
        yield tuple(rng.choice((1.0, 10.0, 1e4)) * rng.gauss(0.0, 1.0) for _ in range(op.arity))
        yield tuple(float(rng.randint(-9, 9)) for _ in range(op.arity))


@pytest.mark.parametrize("op", TABLE.values(), ids=lambda op: op.name)
def test_what_counts_as_finite_is(op):
    tame = [k for k in range(op.arity) if op.partials[k] and _is_always_tame(op, k)]
    value_is_tame = _is_always_tame(op, None)
    for at in operands(op):
        result = op.evaluate(*at)
        assert math.isfinite(result) or not value_is_tame, at
        for index in tame:
            assert math.isfinite(op.slope(index, result, at)), (index, at)


TAME = """add sub mul neg square sigmoid tanh sin cos atan softplus silu gelu relu leaky_relu abs
erf maximum minimum clip where logaddexp hypot"""


@pytest.mark.parametrize("name", TAME.split())
def test_what_networks_are_made_of_is_no_hazard(name):
    op = TABLE[name]
    assert _is_always_tame(op, None)
    assert all(_is_always_tame(op, k) for k in range(op.arity) if op.partials[k])


@pytest.mark.parametrize(
    ("statement", "is_hazard"),
    [
        ("mul x, y", False),
        ("mul x, 3.0", False),
        ("mul x, inf", True),
        ("add x, nan", False),
        ("div x, 3.0", False),
        ("div x, 0.0", True),
        ("div x, y", True),
        ("pow x, 3.0", False),
        ("pow x, 0.5", True),
        ("log x", True),
        ("exp x", True),
        ("stop_gradient x", False),
        ("relu x", False),
    ],
)
def test_a_hazard_is_a_slope_that_may_be_infinite(statement, is_hazard):
    program = parse_program(f"program   f\ninputs    x, y\n%3        = {statement}\nreturn %3")
    hazards = Hazards(program, {*program.inputs, program.instructions[0].result})
    assert (program.instructions[0].result in hazards.behind) == is_hazard
