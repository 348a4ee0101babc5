"""The printed form of programs, read back exactly; errors name the line and what was expected."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings

from gradcompile import Value, nn
from gradcompile.autodiff.forward import forward
from gradcompile.autodiff.jacobian import jacobian
from gradcompile.autodiff.reverse import reverse
from gradcompile.graph.lower import lower
from gradcompile.ir.parse import ParseError, parse_program
from gradcompile.ir.program import Const, Instruction, Program, Var, verify_program
from gradcompile.ops import table
from gradcompile.passes import run_passes
from gradcompile.passes.capture import capture
from tests.emit.test_straight import HOSTILE
from tests.helpers.programs import INPUTS, recipes
from tests.helpers.slow import slow_but


def shape(program):
    """Everything that is printed of a program, in a form that `==` compares.

    A value stands for itself by its index, with its name and what it is the adjoint of; so two
    programs have one shape only if they are the same but for the identity of their values.
    """
    index_of = {}

    def value(operand):
        if operand is None or isinstance(operand, Const):
            return operand
        if operand not in index_of:
            index_of[operand] = len(index_of)
            suffix = operand.suffix if operand.primal is not None else ""
            return index_of[operand], operand.name, suffix, value(operand.primal)
        return index_of[operand]

    return (
        program.name,
        [value(var) for var in program.inputs],
        [
            (value(i.result), i.op, [value(x) for x in i.operands], value(i.origin))
            for i in program.instructions
        ],
        [
            tuple(map(value, output)) if isinstance(output, tuple) else value(output)
            for output in program.outputs
        ],
        list(map(Const, program.data)),
        program.rows,
    )


def assert_comes_back(program):
    again = parse_program(str(program))
    assert shape(verify_program(again)) == shape(program)
    assert str(again) == str(program)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(recipe=recipes())
def test_any_program_comes_back(recipe):
    program = recipe.program()
    gradient = reverse(run_passes(program), range(INPUTS))
    first = replace(gradient, outputs=gradient.outputs[1][:1])
    second = reverse(first, range(INPUTS))
    hessian = jacobian(gradient, range(INPUTS), mode="forward")
    rows = jacobian(gradient, range(INPUTS), mode="reverse")
    tangent = forward(gradient, [0], [Const(1.0)])
    for each in (program, gradient, second, hessian, rows, tangent):
        assert_comes_back(each)
    for each in map(run_passes, (gradient, second, hessian, rows, tangent)):
        assert_comes_back(each)


@pytest.mark.parametrize("name", ["x_bar", "x_dot", "stand_by_me", "a_by_b_bar", "_by_"])
def test_a_name_that_reads_as_a_derivative_comes_back(name):
    x, y = Var(name), Var("x")
    derivatives = [Var(primal=y, suffix=suffix) for suffix in ("_bar", "_dot", "_by_x")]
    second = [Var(primal=v, suffix="_by_w_0") for v in derivatives]
    assert_comes_back(Program("f", (x, y, *derivatives, *second), (), (x,)))


def test_a_network_comes_back_with_its_rows_and_data():
    model = nn.MLP(2, [3, 1])
    rows = [[0.5, -0.25], [1.5, 2.0], [-0.125, 3.0]]
    loss = sum((model(row) - k) ** 2 for k, row in enumerate(rows))
    names = [f"p{k}" for k in range(len(model.parameters()))]
    captured, _ = capture(lower([loss], model.parameters(), names, "loss"))
    program = captured.program
    assert len(program.data) >= 6
    assert_comes_back(program)
    assert_comes_back(run_passes(reverse(run_passes(program), range(3))))
    assert_comes_back(Program("f", program.inputs, (), program.inputs[:1], rows=2))


@pytest.mark.parametrize(
    "number",
    [math.inf, -math.inf, math.nan, 0.0, -0.0, 1.0, -1e-05, 1e300, 5e-324, -2.5e-310, 0.1, 1e16]
    + [random.Random(k).uniform(-1.0, 1.0) * 10.0 ** (40 * k - 300) for k in range(16)],
)
def test_numbers_come_back_bit_for_bit(number):
    y, c = Var("y"), Var("c")
    add = Instruction(y, table.add, (c, Const(number)))
    assert_comes_back(Program("f", (c,), (add,), (y, (Const(number), y)), data=(number,)))


def test_hostile_labels_come_back():
    leaves = [Value(1.0, label) for label in HOSTILE]
    inner = []
    for label, x in zip(reversed(HOSTILE), leaves, strict=True):
        y = x.sin() * x
        y.label = label
        inner.append(y)
    root = sum(inner[1:], inner[0]).tanh()
    program = lower([root], leaves, HOSTILE, "f").program
    assert_comes_back(program)
    assert_comes_back(run_passes(reverse(program, range(len(leaves)))))


@pytest.mark.parametrize(
    "label", [*HOSTILE, "rows", "data", "return", "program", "_bar", "x_bar_bar"]
)
def test_a_hostile_label_comes_back_as_any_name(label):
    y = Var(label)
    exp = Instruction(y, table.exp, (x := Var(label),), Var(label))
    assert_comes_back(Program(label, (x, Var(label)), (exp,), (y, (), (x, y)), data=(1.0,)))


def test_outputs_may_be_empty():
    assert_comes_back(Program("f", (), (), ((),)))
    assert_comes_back(Program("f", (), (), ()))


def test_space_and_blank_lines_do_not_matter():
    text = "\n program f\n\n  inputs x,y\n\t%3=mul   x ,y;d  x\n return[%3,x] ,%3 \n\n"
    assert str(parse_program(text)) == (
        "program   f\ninputs    x, y\n%3      = mul x, y  ; d x\nreturn [%3, x], %3"
    )


HEAD = "program f\ninputs x\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected `program`, found the end of the text"),
        ("inputs x", "line 1: expected `program`, found `inputs`"),
        ("program\n", "line 1: expected the name of the program, found the end of the line"),
        ("program f inputs x", "line 1: expected the end of the line, found `inputs`"),
        ("program f\nreturn 1.0", "line 2: expected `inputs`, found `return`"),
        ("program f\ninputs x y", "line 2: expected `,` or the end of the line, found `y`"),
        ("program f\ninputs x,, y", "line 2: expected the name of an input, found `,`"),
        ("program f\ninputs x,",
         "line 2: expected the name of an input, found the end of the line"),
        ("program f\ninputs 1.0", "line 2: expected the name of an input, found `1.0`"),
        ("program f\ninputs x, x", "line 2: `x` is assigned twice"),
        ('program f\ninputs "\\q"', 'line 2: `"\\q"` is no text in quotes'),
        ("program f\ninputs x\nrows x", "line 3: `x` is assigned twice"),
        ("program f\ninputs x\ndata y", "line 3: expected `=`, found the end of the line"),
        ("program f\ninputs x\ndata y = x", "line 3: expected a number, found `x`"),
        (HEAD, "line 3: expected an instruction or `return`, found the end of the text"),
        (HEAD + "1.0 = exp x", "line 3: expected an instruction or `return`, found `1.0`"),
        (HEAD + "y exp x", "line 3: expected `=`, found `exp`"),
        (HEAD + "y = xp x", "line 3: expected an operation, found `xp`"),
        (HEAD + "y = __import__ x", "line 3: expected an operation, found `__import__`"),
        (HEAD + "\ny = exp(x)", "line 4: expected operand 1 of exp, found `(`"),
        (HEAD + "y = exp 1x", "line 3: expected operand 1 of exp, found `1`"),
        (HEAD + "y = add x", "line 3: expected operand 2 of add, found the end of the line"),
        (HEAD + "y = exp x, x", "line 3: expected the end of the line, found `,`"),
        (HEAD + "y = exp y", "line 3: `y` is read before it is assigned"),
        (HEAD + "y = exp x_bar", "line 3: `x_bar` is read before it is assigned"),
        (HEAD + "x = exp x", "line 3: `x` is assigned twice"),
        (HEAD + "y = exp x ; x", "line 3: expected `d`, found `x`"),
        (HEAD + "y = exp x ; d 1.0",
         "line 3: expected the value that is differentiated, found `1.0`"),
        (HEAD + "return y", "line 3: `y` is read before it is assigned"),
        (HEAD + "return [x", "line 3: expected `,` or `]`, found the end of the line"),
        (HEAD + "return x]", "line 3: expected `,` or the end of the line, found `]`"),
        (HEAD + "return x\ny = exp x", "line 4: expected the end of the text, found `y`"),
    ],
)  # fmt: skip
def test_what_is_no_program_is_refused(text, message):
    with pytest.raises(ParseError) as error:
        parse_program(text)
    assert str(error.value) == message


@pytest.mark.parametrize("depth", slow_but([4_000], [4_000, 20_000]))
def test_a_name_of_any_depth_is_read(depth):
    name = "x" + "_bar" * depth
    assert parse_program(f"program f\ninputs {name}\nreturn 1.0").inputs[0].primal is not None
