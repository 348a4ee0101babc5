"""The interpreter: a program on floats, instruction by instruction."""

from dataclasses import replace

import pytest

from gradcompile.ir.interpret import interpret
from tests.helpers.lowering import program_of

PROGRAM = program_of(lambda a, b: a * b + b, "a", "b")


def test_a_program_takes_a_number_for_each_input_but_the_data():
    assert interpret(PROGRAM, [2.0, 3.0]) == [9.0]
    assert interpret(replace(PROGRAM, data=(3.0,)), [2.0]) == [9.0]
    with pytest.raises(ValueError, match="f takes 2 inputs, got 3"):
        interpret(PROGRAM, [2.0, 3.0, 4.0])


def test_an_observer_is_shown_every_instruction():
    shown = []
    interpret(PROGRAM, [2.0, 3.0], lambda x, operands, result: shown.append((operands, result)))
    assert shown == [([2.0, 3.0], 6.0), ([6.0, 3.0], 9.0)]
