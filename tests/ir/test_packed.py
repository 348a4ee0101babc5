"""Programs packed into arrays of integers: from graphs, from programs, and back."""

from dataclasses import replace

import gradcompile as gdc
from gradcompile import Value
from gradcompile.graph.lower import lower
from gradcompile.ir.packed import NO_OPERAND, index_values, pack
from gradcompile.ir.program import verify_program
from gradcompile.passes.capture import capture
from tests.helpers.lowering import packed_program_of


def choice(a, b):
    return gdc.where(a, b * 2.0, 3.0) + a


def test_inputs_come_first_then_results_then_constants():
    packed = packed_program_of(choice).instructions
    assert [op.name for op in packed.operations] == ["mul", "where", "add"]
    assert packed.opcodes.tolist() == [0, 1, 2]
    assert packed.operands.tolist() == [[1, 5, NO_OPERAND], [0, 2, 6], [3, 0, NO_OPERAND]]
    assert packed.outputs.tolist() == [4]
    assert packed.constants == [2.0, 3.0]
    assert (packed.inputs, packed.first_constant, packed.operand_count) == (2, 5, 7)


def test_a_program_is_packed_as_the_graph_was_lowered():
    expected, program = packed_program_of(choice).instructions, packed_program_of(choice).program
    packed = pack(program, index_values(program))
    assert packed.operations == expected.operations
    assert packed.opcodes.tolist() == expected.opcodes.tolist()
    assert packed.operands.tolist() == expected.operands.tolist()
    assert packed.outputs.tolist() == expected.outputs.tolist()
    assert packed.constants == expected.constants


def test_a_program_without_instructions():
    x = Value(1.0)
    identity = lower([x], [x], ["x"], "f")
    assert identity.instructions.operands.shape == (0, 0)
    assert identity.instructions.outputs.tolist() == [0]
    captured, kinds = capture(identity)
    assert (captured.data, kinds) == ((), 0)
    assert str(captured.program) == "program   f\ninputs    x\nreturn x"
    program = identity.program
    assert pack(program, index_values(program)).outputs.tolist() == [0]


def test_inputs_in_another_order():
    reordered = packed_program_of(lambda a, b: a - b * 2.0).with_inputs([1, 0])
    assert str(verify_program(reordered.program)) == (
        "program   f\ninputs    x1, x0\n%3      = mul x1, 2.0\n%4      = sub x0, %3\nreturn %4"
    )


def test_what_is_given_comes_before_the_numbers_of_a_row_and_the_data():
    packed = packed_program_of(choice, 2)
    assert packed.given == 2
    assert replace(packed, rows=1).given == 1
    assert replace(packed, data=(2.0,)).given == 1
