"""The grammar of the linear IR: what its verifier refuses, and how a program is printed."""

import math
from dataclasses import replace

import pytest

from gradcompile.autodiff.reverse import reverse
from gradcompile.ir.program import (
    Const,
    Instruction,
    Program,
    ProgramError,
    Var,
    print_program,
    verify_program,
)
from gradcompile.ops import table
from gradcompile.passes import run_passes
from tests.helpers.lowering import program_of

# --- the verifier ----------------------------------------------------------------------------


X, Y = Var("x"), Var("y")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        pytest.param(
            Program("f", (X,), (Instruction(Y, table.add, (X, Var("z"))),), (Y,)),
            "instruction 0 (add): z is read before it is assigned",
            id="unknown operand",
        ),
        pytest.param(
            Program("f", (X,), (Instruction(Y, table.neg, (Y,)),), (Y,)),
            "y is read before it is assigned",
            id="itself",
        ),
        pytest.param(
            Program("f", (X, X), (), (X,)), "an input: x is assigned twice", id="input twice"
        ),
        pytest.param(
            Program("f", (X,), (Instruction(X, table.neg, (X,)),), (X,)),
            "instruction 0 (neg): x is assigned twice",
            id="assigned twice",
        ),
        pytest.param(
            Program("f", (X,), (Instruction(Y, table.add, (X,)),), (Y,)),
            "instruction 0 (add) has 1 operands, add takes 2",
            id="arity",
        ),
        pytest.param(
            Program("f", (X,), (), (Y,)),
            "the return: y is read before it is assigned",
            id="unknown output",
        ),
        pytest.param(
            Program("f", (X,), (), (X, (Y,))),
            "the return: y is read before it is assigned",
            id="unknown output in an array",
        ),
        pytest.param(
            Program("f", (X,), (Instruction(Y, table.add, (X, Const(1))),), (Y,)),
            "constant 1 is no float",
            id="integer constant",
        ),
    ],
)
def test_the_verifier_refuses(program, message):
    with pytest.raises(ProgramError) as error:
        verify_program(program)
    assert message in str(error.value)


def test_the_verifier_returns_a_sound_program():
    program = program_of(lambda x: x.exp() + 1.0, "x")
    assert verify_program(program) is program


# --- the printer -----------------------------------------------------------------------------


def neuron():
    def f(x1, x2, w1, w2, b):
        n = x1 * w1 + x2 * w2 + b
        n.label = "n"
        o = n.tanh()
        o.label = "o"
        return o

    return program_of(f, "x1", "x2", "w1", "w2", "b")


def test_the_printed_program_as_lowered():
    assert (
        str(neuron())
        == """\
program   f
inputs    x1, x2, w1, w2, b
%6      = mul x1, w1
%7      = mul x2, w2
%8      = add %6, %7
n       = add %8, b
o       = tanh n
return o"""
    )


def test_the_printed_program_with_its_gradient():
    program = run_passes(reverse(run_passes(neuron()), range(5)))
    assert (
        str(program)
        == """\
program   f
inputs    x1, x2, w1, w2, b
%6      = mul x1, w1
%7      = mul x2, w2
%8      = add %6, %7
n       = add %8, b
o       = tanh n
%11     = square o  ; d o
n_bar   = sub 1.0, %11  ; d o
b_bar   = copy n_bar  ; d n
x2_bar  = mul n_bar, w2  ; d %7
w2_bar  = mul n_bar, x2  ; d %7
x1_bar  = mul n_bar, w1  ; d %6
w1_bar  = mul n_bar, x1  ; d %6
return o, [x1_bar, x2_bar, w1_bar, w2_bar, b_bar]"""
    )


def test_rows_and_data_have_lines_of_their_own():
    x, row, y = Var("x"), Var("row"), Var()
    add = Instruction(y, table.add, (x, row))
    assert (
        str(Program("f", (x, row, Var(), Var("c")), (add,), (y,), data=(2.5, -0.0), rows=1))
        == """\
program   f
inputs    x
rows      row
data      %3 = 2.5, c = -0.0
%5      = add x, row
return %5"""
    )


def test_the_printer_tells_names_apart():
    def f(x, y):
        a, b = x + y, x - y
        a.label = b.label = "n"
        return a * b / -math.inf

    assert (
        print_program(program_of(f, "x", "y"))
        == """\
program   f
inputs    x, y
n       = add x, y
n.4     = sub x, y
%5      = mul n, n.4
%6      = div %5, -inf
return %6"""
    )


def test_an_adjoint_is_named_after_its_primal_and_a_label_that_reads_like_one_is_quoted():
    program = reverse(program_of(lambda x, y: (x * y).sin(), "x", "x_bar"), [0])
    assert (
        str(program)
        == """\
program   f
inputs    x, "x_bar"
%3      = mul x, "x_bar"
%4      = sin %3
%5      = cos %3  ; d %4
%3_bar  = mul 1.0, %5  ; d %4
x_bar   = mul %3_bar, "x_bar"  ; d %3
return %4, [x_bar]"""
    )


@pytest.mark.parametrize(
    ("label", "printed"),
    [
        ("w[0]", "w[0]"),
        ("layer.w", "layer.w"),
        ("λ", "λ"),
        ("rows", "rows"),
        ("n.4", '"n.4"'),
        ("%2", '"%2"'),
        ("inf", '"inf"'),
        ("nan", '"nan"'),
        ("1.0", '"1.0"'),
        ("-x", '"-x"'),
        ("a, b", '"a, b"'),
        ('say "a"', '"say \\"a\\""'),
        ("two\nlines", '"two\\nlines"'),
        ("\u202ex", '"\\u202ex"'),
    ],
)
def test_a_label_that_would_read_as_something_else_is_quoted(label, printed):
    assert (
        str(program_of(lambda x: x, label)) == f"program   f\ninputs    {printed}\nreturn {printed}"
    )


@pytest.mark.parametrize("field", [{"notes": ("a rule",)}, {"settled": 1}, {"bound": {Var(): "t"}}])
def test_programs_are_equal_whatever_is_noted_of_them(field):
    program = Program("f", (), (), ())
    assert replace(program, **field) == program
    assert replace(program, data=(1.0,)) != program
