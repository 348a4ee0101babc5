"""A program in numbers, and what is made of it: constants that are data, the key of a structure."""

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, structure
from gradcompile.ir import Program, Var
from gradcompile.lower import lower
from gradcompile.numbered import NOTHING, numbered
from gradcompile.passes.capture import capture


def program_of(function, count=2):
    inputs = [Value(1.0) for _ in range(count)]
    names = [f"x{k}" for k in range(count)]
    return lower([function(*inputs)], inputs, names, "f")


def test_inputs_come_first_then_results_then_constants():
    numbers = numbered(program_of(lambda a, b: gdc.where(a, b * 2.0, 3.0) + a))
    assert [op.name for op in numbers.operations] == ["mul", "where", "add"]
    assert numbers.codes.tolist() == [0, 1, 2]
    assert numbers.operands.tolist() == [[1, 5, NOTHING], [0, 2, 6], [3, 0, NOTHING]]
    assert [constant.value for constant in numbers.constants] == [2.0, 3.0]
    assert numbers.outputs.tolist() == [4]
    assert sorted(numbers.number_of.values()) == [0, 1, 2, 3, 4]


def test_a_program_without_instructions():
    x = Var("x")
    numbers = numbered(Program("f", (x,), (), (x,)))
    assert numbers.operands.shape == (0, 0)
    assert numbers.outputs.tolist() == [0]
    captured, kinds = capture(Program("f", (x,), (), (x,)))
    assert (captured.data, kinds) == ((), 0)


# --- data ------------------------------------------------------------------------------------


def data_of(function, count=2):
    return list(capture(program_of(function, count))[0].data)


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


# --- keys ------------------------------------------------------------------------------------


def key_of(function, count=2, settings=""):
    return structure.key(capture(program_of(function, count))[0], settings)


def test_programs_that_differ_in_data_alone_have_one_key():
    assert key_of(lambda a, b: a * 2.0 + b * 3.0) == key_of(lambda a, b: a * 5.0 + b * 7.0)


@pytest.mark.parametrize(
    "other",
    [
        lambda a, b: a * 2.0 - b * 3.0,
        lambda a, b: b * 2.0 + a * 3.0,
        lambda a, b: b * 3.0 + a * 2.0,
        lambda a, b: a * 2.0 + b * 2.0,
        lambda a, b: a * 2.0 + b * 3.0 + a,
        lambda a, b: a * 2.0,
        lambda a, b: a,
    ],
)
def test_other_structures_have_other_keys(other):
    assert key_of(lambda a, b: a * 2.0 + b * 3.0) != key_of(other)


def test_constants_labels_and_settings_are_part_of_the_key():
    def labelled(a, b):
        c = a * b
        c.label = "c"
        return c

    keys = [
        key_of(lambda a, b: a * b),
        key_of(labelled),
        key_of(lambda a, b: a * b, settings="strict"),
        key_of(lambda a, b: a * 2.0),
        key_of(lambda a, b: a * 3.0),
        key_of(lambda a, b: a * -0.0),
        key_of(lambda a, b: a * 0.0),
        key_of(lambda a, b: a * b, count=2),
    ]
    assert len(set(keys)) == len(keys) - 1
    assert keys[0] == keys[-1]


def test_what_is_returned_is_part_of_the_key():
    x, y = Var("x"), Var("y")
    programs = [Program("f", (x, y), (), outputs) for outputs in ((x,), (y,), ((x,),), ((x, y),))]
    assert len({structure.key(program, "") for program in programs}) == 4
