"""A slope that is right on one branch of a function is refuted; one that is right is not.

Where most points lie, asin(sin(x)) is x, and acos(cos(1 / x)) is 1 / x far from 0. The texts here
are written down, not compiled, so that each can claim what it likes.
"""

import pytest

from gradcompile.verify import statements
from gradcompile.verify.adjoints import verify_source
from tests.helpers.slow import slow_but

TEXT = """
def f(x):
    value = {}
    # reverse sweep
    x_bar = {}
    return value, (x_bar,)
"""

WRONG = [
    ("asin(sin(x))", "1.0"),
    ("acos(cos(x))", "1.0"),
    ("atan(tan(x))", "2.0"),
    ("log(exp(x))", "exp(x)"),
    ("sqrt(x * x)", "1.0"),
    ("sqrt(x * x)", "-1.0"),
    ("acosh(cosh(x))", "1.0"),
    ("cbrt(x * x * x)", "sign(x)"),
    ("asin(sin(0.01 * x))", "0.01"),
    ("acos(cos(1.0 / x))", "-1.0 / (x * x)"),
    ("floor(x) * x", "0.0"),
    ("(x - 3.0 * floor(x / 3.0)) ** 2.0", "2.0 * x"),
    ("fmod(x, 5.0) ** 2.0", "2.0 * x"),
    ("atan2(sin(x), cos(x)) ** 2.0", "2.0 * x"),
    ("asin(sin(x)) + hypot(x, 1.0)", "1.0 + x / hypot(x, 1.0)"),
]

RIGHT = [
    ("asin(sin(x))", "cos(x) / sqrt(1.0 - sin(x) * sin(x))"),
    ("atan(tan(x))", "1.0"),
    ("log(exp(x))", "1.0"),
    ("sqrt(x * x)", "sign(x)"),
    ("sqrt(x * x)", "x / sqrt(x * x)"),
    ("acosh(cosh(x))", "sign(x)"),
    ("cbrt(x * x * x)", "1.0"),
    ("floor(x) * x", "floor(x)"),
    ("fmod(x, 5.0)", "1.0"),
    ("atan2(sin(x), cos(x))", "1.0"),
    # Where functions vanish, saturate or explode.
    ("softplus(x)", "sigmoid(x)"),
    ("logaddexp(x, 0.0)", "sigmoid(x)"),
    ("log(1.0 - tanh(x))", "-1.0 - tanh(x)"),
    ("1.0 - tanh(x)", "tanh(x) * tanh(x) - 1.0"),
    ("erf(x)", "1.1283791670955126 * exp(-x * x)"),
    ("exp(exp(exp(x)))", "exp(x) * exp(exp(x)) * exp(exp(exp(x)))"),
    ("hypot(x, 1.0) - x", "x / hypot(x, 1.0) - 1.0"),
    ("expm1(x) * exp(-x)", "exp(-x)"),
]


@pytest.mark.parametrize("asked", slow_but([True], [True, False]), ids=["with sympy", "by numbers"])
@pytest.mark.parametrize(("expression", "slope"), WRONG)
def test_a_slope_of_one_branch_is_refuted(expression, slope, asked, monkeypatch):
    if not asked:
        monkeypatch.setattr(statements, "MAX_STATEMENTS_FOR_SYMPY", 0)
    assert not verify_source(TEXT.format(expression, slope)).ok


@pytest.mark.parametrize(("expression", "slope"), RIGHT)
def test_a_slope_of_all_branches_is_not(expression, slope, monkeypatch):
    monkeypatch.setattr(statements, "MAX_STATEMENTS_FOR_SYMPY", 0)
    report = verify_source(TEXT.format(expression, slope))
    assert report.ok, report


OF_TWO = """
def f(x, y):
    value = asin(sin(0.01 * x)) + exp(exp(y)) * log(y)
    # reverse sweep
    x_bar = {}
    y_bar = exp(y) * exp(exp(y)) * log(y) + exp(exp(y)) / y
    return value, (x_bar, y_bar)
"""


@pytest.mark.parametrize("asked", [True, False], ids=["with sympy", "by numbers"])
def test_a_branch_is_seen_beside_an_input_that_bears_no_large_numbers(asked, monkeypatch):
    if not asked:  # as in a long text
        monkeypatch.setattr(statements, "MAX_STATEMENTS_FOR_SYMPY", 0)
    root = "sqrt(1.0 - sin(0.01 * x) * sin(0.01 * x))"
    assert verify_source(OF_TWO.format(f"0.01 * cos(0.01 * x) / {root}")).ok
    assert not verify_source(OF_TWO.format("0.01")).ok


WITHOUT_END = """
def f(x):
    v1 = x <= 0.0
    v2 = 1.5 * log(x) - 1.2 * x
    value = -inf if v1 else v2
    # reverse sweep
    v2_bar = 0.0 if v1 else 1.0
    x_bar = (0.0 if v1 else v2_bar * 1.5 / x) - {} * v2_bar
    return value, (x_bar,)
"""


@pytest.mark.parametrize("asked", [True, False], ids=["with sympy", "by numbers"])
def test_one_branch_may_be_infinite(asked, monkeypatch):
    if not asked:
        monkeypatch.setattr(statements, "MAX_STATEMENTS_FOR_SYMPY", 0)
    report = verify_source(WITHOUT_END.format("1.2"))
    assert report.ok, report
    assert not verify_source(WITHOUT_END.format("1.3")).ok
