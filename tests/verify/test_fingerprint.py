"""Fingerprints: equal for what computes the same, different for anything else."""

import numpy as np
import pytest

from gradcompile.verify.fingerprint import MODULUS, Fingerprint, apply, fingerprints

INPUTS = np.array([Fingerprint(3**50 + 7**k) for k in range(1, 5)], object)


def of(expression, *tables, lines=()):
    """The fingerprint of a text that returns an expression of four inputs."""
    body = "".join(f"    {line}\n" for line in lines)
    text = f"def f(inputs, *tables):\n    x, y, z, w = inputs\n{body}    return {expression}\n"
    ((result,),) = fingerprints(text, "f", INPUTS, *tables)
    return result


SAME = [
    ("x + y + z", "z + (y + x)"),
    ("x * (y * z)", "z * x * y"),
    ("x * (y + z)", "x * y + x * z"),
    ("x - y", "-(y - x)"),
    ("x - -y", "x + y"),
    ("x / y * z", "z * (x / y)"),
    ("(0.1 + x) + 0.2", "x + (0.2 + 0.1)"),
    ("x + 0.0", "x"),
    ("maximum(x, y)", "maximum(y, x)"),
    ("hypot(x, y) + z", "z + hypot(y, x)"),
    ("x if y == z else w", "x if z == y else w"),
    ("sin(x + y)", "sin(y + x)"),
    ("float64(x > y)", "x > y"),
    ("x if y < z < w else 0.0", "x if y < z and z < w else 0.0"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_computes_the_same_is_equal(one, other):
    assert of(one) == of(other)
    assert hash(of(one)) == hash(of(other))


DIFFERENT = {
    "the order of operands": [
        ("x - y", "y - x"), ("x / y", "y / x"), ("x ** y", "y ** x"), ("2.0 ** y", "y ** 2.0"),
        ("atan2(x, y)", "atan2(y, x)"), ("fmod(x, y)", "fmod(y, x)"), ("x < y", "y < x"),
        ("x if y else z", "z if y else x"), ("copysign(x, y)", "copysign(y, x)"),
    ],
    "a constant": [
        ("2.0 * x", "3.0 * x"), ("x + 0.1", "x + 0.1000000000000001"), ("x + 1.0", "x"),
        ("x ** 2.0", "x ** 3.0"), ("inf + x", "x"), ("inf * x", "nan * x"),
        ("leaky_relu(x, 0.01)", "leaky_relu(x, 0.02)"), ("x / 3.0", "x / 5.0"),
    ],
    "a sign": [
        ("x + y", "x - y"), ("x * y", "-x * y"), ("sin(-x)", "-sin(x)"), ("1.0 - x", "x - 1.0"),
        ("x + 2.0", "x - 2.0"), ("inf", "-inf"),
    ],
    "the sign of zero": [
        ("copysign(x, 0.0)", "copysign(x, -0.0)"), ("atan2(y, -0.0)", "atan2(y, 0.0)"),
        ("1.0 / 0.0", "1.0 / -0.0"), ("x ** 0.0", "x ** -0.0"),
    ],
    "an index": [("inputs[0] * y", "inputs[1] * y"), ("inputs[2]", "inputs[3]")],
    "a missing term": [
        ("x + y + z", "x + y"), ("x * y * z", "x * y"), ("x + x", "x"), ("x * x", "x"),
        ("hypot(x, y)", "hypot(x, x)"),
    ],
    "an operation": [
        ("sin(x)", "cos(x)"), ("x > y", "x >= y"), ("x == y", "x != y"), ("exp(x)", "x"),
        ("maximum(x, y)", "minimum(x, y)"), ("x and y", "x or y"), ("not x", "x"),
        ("x ** 2.0", "x * x"), ("abs(x)", "x"), ("max(x, 0.0)", "relu(x)"),
    ],
    "what is not the same for all numbers": [
        ("exp(x + y)", "exp(x) * exp(y)"), ("log(x * y)", "log(x) + log(y)"), ("x / x", "1.0"),
        ("sin(x) * sin(x)", "1.0 - cos(x) * cos(x)"), ("1.0 / (1.0 / x)", "x"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("one", "other"), [pair for pairs in DIFFERENT.values() for pair in pairs])
def test_every_difference_is_seen(one, other):
    assert of(one) != of(other)


def test_a_sum_that_starts_with_negative_zero_is_the_sum():
    # Strict sums start so, that the first term keeps its sign.
    assert of("total + x", lines=["total = -0.0", "total = total + y"]) == of("x + y")


def test_a_zero_of_a_table_has_its_sign():
    assert of("copysign(x, tables[0][0])", np.array([-0.0])) == of("copysign(x, -0.0)")
    assert of("copysign(x, tables[0][0])", np.array([0.0])) == of("copysign(x, 0.0)")


def test_loops_are_the_statements_they_repeat():
    rolled = of(
        "total",
        np.array([2, 0, 1]),
        lines=["total = 0.0", "for k in range(3):", "    total += sin(inputs[tables[0][k]]) * k"],
    )
    assert rolled == of("sin(x) * 1.0 + sin(y) * 2.0")
    assert rolled != of("sin(x) * 2.0 + sin(y) * 1.0")


def test_each_result_and_each_element_has_its_own():
    text = "def f(inputs):\n    g = empty(2)\n    g[1] = inputs[0]\n    return inputs[1], g\n"
    ((value,), (unset, entry)) = fingerprints(text, "f", INPUTS)
    assert (value, entry) == (INPUTS[1], INPUTS[0])
    assert unset == apply("empty")  # what was not written is no number of the inputs


def test_fingerprints_are_remainders():
    assert Fingerprint(MODULUS + 5) == Fingerprint(5)
    assert Fingerprint(5) != 5
    third = Fingerprint(1) / 3.0
    assert third + third + third == Fingerprint(1)
