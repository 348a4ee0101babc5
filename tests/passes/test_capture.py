"""Capture: which constants are data, and that they become the last inputs."""

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.ir.program import verify_program
from gradcompile.passes.capture import capture
from tests.helpers.lowering import packed_program_of


def data_of(function, count=2):
    return list(capture(packed_program_of(function, count))[0].data)


def test_constants_are_data_where_formulas_that_look_alike_differ_in_them():
    assert data_of(lambda a, b: gdc.tanh(a * 2.0) + gdc.tanh(b * 3.0)) == [2.0, 3.0]
    assert data_of(lambda a, b: gdc.tanh(a * 2.0) + gdc.tanh(b * 2.0)) == []
    assert data_of(lambda a, b: gdc.tanh(a * 2.0) + gdc.tanh(b / 3.0)) == []


@pytest.mark.parametrize(
    ("one", "other", "vary"),
    [(0.0, -0.0, True), (np.nan, np.nan, False), (np.nan, -np.nan, False), (np.nan, 1.0, True)],
)
def test_constants_vary_as_numbers_of_a_program_differ(one, other, vary):
    assert bool(data_of(lambda a, b: a * one + b * other)) == vary


def test_operands_are_looked_at_three_levels_deep():
    def branch(x, c, deep):
        for k in range(4):
            x = gdc.sin(x) if k == 3 - deep else gdc.exp(x)
        return x * c

    def differ(one, other):
        return bool(data_of(lambda a, b: branch(a, 2.0, one) - branch(b, 3.0, other)))

    # Levels below the product: 0 is its operand, which is looked at itself.
    assert [differ(k, k) for k in range(4)] == [True] * 4
    assert [differ(k, 3) for k in range(4)] == [False, False, False, True]


def test_which_operand_a_constant_is_counts():
    assert data_of(lambda a, b: (a - 2.0) * (3.0 - b)) == []
    assert data_of(lambda a, b: (a - 2.0) * (b - 3.0)) == [2.0, 3.0]


def test_no_exponent_is_data():
    assert data_of(lambda a, b: a**2.5 + b**3.5) == []


def test_an_object_that_is_read_twice_is_one_number():
    number, equal = float("2.5"), float("2.5")
    found = data_of(lambda a, b, c, d: a * number * (b * 3.5) * (c * number) * (d * equal), 4)
    assert found == [2.5, 3.5, 2.5]


def test_data_are_the_last_inputs():
    captured, _ = capture(
        packed_program_of(lambda a, b: gdc.tanh(a * 2.0) + gdc.tanh(b * 3.0) * 4.0)
    )
    program = verify_program(captured.program)
    assert (captured.given, program.given) == (2, 2)
    assert program.data == (2.0, 3.0)
    (first, second) = program.inputs[2:]
    assert [i.operands[1] for i in program.instructions if i.op.name == "mul"][:2] == [
        first,
        second,
    ]
    assert "4.0" in str(program)
