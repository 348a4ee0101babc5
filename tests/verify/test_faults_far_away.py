"""Faults that show far from 1 alone: every text with one is refuted, at all sizes of its inputs.

Each slope is right where most numbers lie, or on one side of a place, or between two branches.
"""

import pytest

from gradcompile.verify import statements
from gradcompile.verify.adjoints import verify_source

TEXT = """
def f(x):
    value = {}
    # reverse sweep
    x_bar = {}
    return value, (x_bar,)
"""

KINDS = [
    # periodic functions and their inverses: right on one branch
    ("{s} * asin(sin(x / {s}))", "1.0"),
    ("{s} * asin(cos(x / {s}))", "-1.0"),
    ("{s} * acos(cos(x / {s}))", "1.0"),
    ("{s} * acos(sin(x / {s}))", "-1.0"),
    ("atan2(sin(x / {s}), cos(x / {s})) ** 2.0", "2.0 * x / {s} / {s}"),
    ("x * atan(tan(x / {s}))", "2.0 * x / {s}"),
    # remainders and steps: right before the first
    ("fmod(x, {s}) ** 2.0", "2.0 * x"),
    ("(x - {s} * floor(x / {s})) ** 2.0", "2.0 * x"),
    ("floor(x / {s}) * x", "0.0"),
    ("ceil(x / {s}) * x", "1.0"),
    ("floor(x / {s} + 0.5) * x", "0.0"),
    ("abs(x - {s} * floor(x / {s} + 0.5))", "1.0"),
    # places where the sign changes: right on one side
    ("sqrt((x - {s}) * (x - {s}))", "-1.0"),
    ("sqrt((x + {s}) * (x + {s}))", "1.0"),
    ("abs(x - {s})", "-1.0"),
    ("(x + {s}) * abs(x + {s})", "2.0 * (x + {s})"),
    ("sign(x - {s}) * x", "-1.0"),
    ("hypot(x - {s}, 0.0)", "-1.0"),
    ("1.0 / (abs(x - {s}) + 1.0)", "1.0 / (1.0 + {s} - x) ** 2.0"),
    # conditions: right on one side of a threshold
    ("x if x > {s} else 0.0", "0.0"),
    ("x if x < {s} else {s}", "1.0"),
    ("x * x if x > -{s} else x", "2.0 * x"),
    ("(x * x if x < {s} else x) if x > -{s} else x", "2.0 * x"),
    # saturating functions, whose slope is written by cases: right before they saturate
    ("tanh(x)", "1.0 - tanh(x) * tanh(x) if x < {s} else 1.0"),
    ("tanh(x)", "1.0 - tanh(x) * tanh(x) if x > -{s} else -1.0"),
    ("log1p(exp(x)) if x < {s} else x", "exp(x) / (1.0 + exp(x)) if x < {s} else 0.0"),
    ("1.0 / (1.0 + x * x)", "-2.0 * x / (1.0 + x * x) ** 2.0 if x < {s} else 1.0"),
]
"""Formulas and wrong slopes, for every scale."""

SCALES = [0.003, 0.2, 3.0, 7.0, 37.0, 400.0, 5000.0]

FAULTS = [(value.format(s=s), slope.format(s=s)) for value, slope in KINDS for s in SCALES]


@pytest.fixture(autouse=True)
def _by_numbers(monkeypatch):
    """Leave sympy out, as for a long text: what is compared are numbers at points."""
    monkeypatch.setattr(statements, "MAX_STATEMENTS_FOR_SYMPY", 0)


def is_confirmed(value, slope):
    return verify_source(TEXT.format(value, slope)).ok


def test_there_are_more_than_a_hundred():
    assert len(set(FAULTS)) > 100


@pytest.mark.parametrize("kind", KINDS, ids=" | ".join)
def test_a_fault_far_away_is_refuted(kind):
    value, slope = kind
    texts = [(value.format(s=s), slope.format(s=s)) for s in SCALES]
    assert [text for text in texts if is_confirmed(*text)] == []


RIGHT = [
    ("{s} * asin(sin(x / {s}))", "cos(x / {s}) / sqrt(1.0 - sin(x / {s}) * sin(x / {s}))"),
    ("fmod(x, {s}) ** 2.0", "2.0 * fmod(x, {s})"),
    ("floor(x / {s}) * x", "floor(x / {s})"),
    ("sqrt((x - {s}) * (x - {s}))", "sign(x - {s})"),
    ("abs(x - {s})", "sign(x - {s})"),
    ("x if x > {s} else 0.0", "1.0 if x > {s} else 0.0"),
    ("tanh(x / {s})", "(1.0 - tanh(x / {s}) * tanh(x / {s})) / {s}"),
    ("log1p(exp(x / {s}))", "exp(x / {s}) / (1.0 + exp(x / {s})) / {s}"),
    ("exp(x / {s}) * log(x)", "exp(x / {s}) * (log(x) / {s} + 1.0 / x)"),
]


@pytest.mark.parametrize("kind", RIGHT, ids=" | ".join)
def test_what_is_right_everywhere_is_not(kind):
    value, slope = kind
    texts = [(value.format(s=s), slope.format(s=s)) for s in SCALES]
    assert [text for text in texts if not is_confirmed(*text)] == []
