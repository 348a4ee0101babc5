"""A packed program, and what is made of it: constants that are data, the key of a structure."""

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, nn
from gradcompile.compiler import code
from gradcompile.graph.lower import lower
from gradcompile.ir.packed import NO_OPERAND, index_values, pack
from gradcompile.ir.program import verify_program
from gradcompile.passes.capture import capture


def lowered(function, count=2):
    inputs = [Value(1.0) for _ in range(count)]
    names = [f"x{k}" for k in range(count)]
    return lower([function(*inputs)], inputs, names, "f")


def choice(a, b):
    return gdc.where(a, b * 2.0, 3.0) + a


def test_inputs_come_first_then_results_then_constants():
    packed = lowered(choice).instructions
    assert [op.name for op in packed.operations] == ["mul", "where", "add"]
    assert packed.opcodes.tolist() == [0, 1, 2]
    assert packed.operands.tolist() == [[1, 5, NO_OPERAND], [0, 2, 6], [3, 0, NO_OPERAND]]
    assert packed.outputs.tolist() == [4]
    assert packed.constants == [2.0, 3.0]
    assert (packed.inputs, packed.first_constant, packed.operand_count) == (2, 5, 7)


def test_a_program_is_packed_as_the_graph_was_lowered():
    expected, program = lowered(choice).instructions, lowered(choice).program
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
    reordered = lowered(lambda a, b: a - b * 2.0).with_inputs([1, 0])
    assert str(verify_program(reordered.program)) == (
        "program   f\ninputs    x1, x0\n%3      = mul x1, 2.0\n%4      = sub x0, %3\nreturn %4"
    )


# --- data ------------------------------------------------------------------------------------


def data_of(function, count=2):
    return list(capture(lowered(function, count))[0].data)


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
    captured, _ = capture(lowered(lambda a, b: gdc.tanh(a * 2.0) + gdc.tanh(b * 3.0) * 4.0))
    program = verify_program(captured.program)
    assert (captured.given, program.given) == (2, 2)
    assert program.data == (2.0, 3.0)
    (first, second) = program.inputs[2:]
    assert [i.operands[1] for i in program.instructions if i.op.name == "mul"][:2] == [
        first,
        second,
    ]
    assert "4.0" in str(program)


# --- keys ------------------------------------------------------------------------------------


def key_of(function, count=2, settings=""):
    return code.key(capture(lowered(function, count))[0], settings)


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
    x, y = Value(1.0), Value(2.0)
    returned = ([x], [y], [x, y], [Value(3.0)], [Value(4.0)])
    keys = {code.key(lower(roots, [x, y], ["x", "y"], "f"), "") for roots in returned}
    assert len(keys) == len(returned)


def test_how_often_a_constant_was_made_is_no_part_of_the_key():
    two = Value(2.0)
    assert key_of(lambda a, b: a / two - two / b) == key_of(lambda a, b: a / 2.0 - 2.0 / b)


def test_known_code_is_found_without_instructions():
    def build(factor):
        xs = [Value(0.1 * k) for k in range(20)]
        root = sum((x * (factor + 0.3 * k)).tanh() for k, x in enumerate(xs))
        return gdc.compile(root, inputs={"x": xs}, roll=True).value_and_grad._build()

    first, second = build(1.0), build(2.0)
    assert first.source == second.source
    assert "program" in vars(first.strategy.lowered)
    assert "program" not in vars(second.strategy.lowered)
    assert "program" not in vars(second.request.traced.lowered)


def test_a_batched_function_of_known_code_is_called_without_instructions(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADCOMPILE_CACHE_DIR", str(tmp_path))
    model = nn.MLP(3, [6, 1])

    def loss(params, x, y):
        return (model.with_parameters(params)(list(x)) - y) ** 2

    x, y = np.ones((5, 3)), np.zeros(5)
    for is_known in (False, True):
        kernel = gdc.compile(loss, batched=("x", "y")).value_and_grad
        kernel(model.flat, x, y)
        kernel.flat(model.flat, x=x, y=y)
        kernel.flat(model.flat, x=x, y=y)
        build = kernel._build()
        made = "program" in {**vars(build.strategy.lowered), **vars(build.request.traced.lowered)}
        assert made != is_known
