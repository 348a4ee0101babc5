"""Recordings: made once, appended as if the lambda ran again."""

import pytest

from gradcompile.autodiff.partials import record
from gradcompile.ir.builder import Builder, operand_of
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import Const, Program, Var, verify_program
from gradcompile.ops.table import TABLE

PARTIALS = [
    pytest.param(op, partial, id=f"{op.name}-{name}")
    for op in TABLE.values()
    for name, partial in zip(op.operand_names, op.partials, strict=True)
    if partial is not None
]


@pytest.mark.parametrize(("op", "partial"), PARTIALS)
def test_a_recording_appends_what_the_lambda_does(op, partial):
    recording = record(lambda *inputs: (partial(*inputs),), op.arity + 1)
    inputs = tuple(Var(f"x{k}") for k in range(op.arity + 1))
    texts = []
    for is_recorded in (True, False):
        builder = Builder()
        if is_recorded:
            (output,) = recording.append(builder, inputs)
        else:
            output = operand_of(partial(*map(builder.ref, inputs)))
        program = Program("f", inputs, tuple(builder.instructions), (output,))
        texts.append(str(verify_program(program)))
    assert texts[0] == texts[1]


def test_each_use_of_a_recording_has_values_and_constants_of_its_own():
    recording = record(lambda x: (x * 2.0 + 2.0, 3.0), 1)
    builder = Builder()
    x = Var("x")
    first, three = recording.append(builder, (x,))
    second, again = recording.append(builder, (first,))
    assert three == again == Const(3.0)
    program = Program("f", (x,), tuple(builder.instructions), (second,))
    assert interpret(verify_program(program), [1.0]) == [10.0]
    constants = [o for i in program.instructions for o in i.operands if isinstance(o, Const)]
    assert len(set(map(id, [*constants, three, again]))) == 6
