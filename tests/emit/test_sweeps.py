"""Texts of derivatives other than gradients: tangents, entries of Jacobians, second derivatives."""

from dataclasses import replace

from gradcompile.autodiff.forward import forward
from gradcompile.autodiff.jacobian import jacobian
from gradcompile.autodiff.reverse import reverse
from gradcompile.emit.straight import emit
from gradcompile.ir.program import TANGENT, Const, Instruction, Program, Var
from gradcompile.ir.signature import Bundle, Signature
from gradcompile.ir.sweeps import sweeps_of
from gradcompile.ops import table
from gradcompile.passes import run_passes


def neuron():
    x, w, b, weighted, n, y = (Var(name) for name in ("x", "w", "b", "", "n", ""))
    steps = (
        Instruction(weighted, table.mul, (x, w)),
        Instruction(n, table.add, (weighted, b)),
        Instruction(y, table.tanh, (n,)),
    )
    return Program("neuron", (x, w, b), steps, (y,))


def lines(program, *results, gradient=()):
    """The lines of a function of numbers between its first line and its last."""
    program = run_passes(program)

    def bundles(names):
        return tuple(Bundle(name, None, k) for k, name in enumerate(names))

    names = [var.full_name for var in program.inputs]
    signature = Signature(bundles(names), bundles(results), bundles(gradient) or None)
    text = emit(program, signature, "f")
    return [line.strip() for line in text.split("def f(")[1].splitlines()[1:-1]]


def test_tangents_read_as_a_derivation():
    program = neuron()
    dots = tuple(Var(primal=x, suffix=TANGENT) for x in program.inputs)
    program = replace(program, inputs=(*program.inputs, *dots))
    assert lines(forward(program, range(3), dots), "value", "value_dot") == [
        "n = x * w + b",
        "value = tanh(n)",
        "# tangents",
        "n_dot = x_dot * w + w_dot * x + b_dot      # n = x * w + b",
        "value_dot = n_dot * (1.0 - value * value)  # value = tanh(n)",
    ]


def test_entries_of_a_jacobian_stand_under_the_statement_that_they_differentiate():
    program = jacobian(neuron(), range(3), mode="forward", keep_value=True)
    assert lines(program, "value", "by_x", "by_w", "by_b") == [
        "n = x * w + b",
        "value = tanh(n)",
        "# derivatives",
        "# value = tanh(n)",
        "by_b = 1.0 - value * value",
        "value_by_x = w * by_b",
        "value_by_w = x * by_b",
    ]


def test_by_rows_the_entries_have_the_same_names():
    program = jacobian(neuron(), range(3), mode="reverse", keep_value=True)
    text = lines(program, "value", "by_x", "by_w", "by_b")
    assert text[2] == "# derivatives"
    assert [line.split(" =")[0] for line in text[-2:]] == ["value_by_x", "value_by_w"]


def test_second_derivatives_stand_behind_the_reverse_sweep_and_quote_it():
    gradient = run_passes(reverse(neuron(), range(3), again=True))
    tangent = forward(gradient, [0], [Const(1.0)])
    text = lines(
        replace(tangent, outputs=tuple(tangent.flat_outputs)),
        "value",
        gradient=("x_bar", "w_bar", "b_bar", "value_dot", "xx", "wx", "bx"),
    )
    reverse_sweep = text.index("# reverse sweep, from value_bar = 1.0")
    tangents = text.index("# tangents")
    assert reverse_sweep < tangents
    assert any(line.startswith("n_bar = ") for line in text[reverse_sweep:tangents])
    assert any(line.startswith("n_bar_dot = ") for line in text[tangents:])
    assert any("# n_bar = " in line for line in text[tangents:])


def test_a_value_that_is_no_derivative_belongs_where_the_next_derivative_does():
    x, forward_value, step, bar, second, by_x = (Var() for _ in range(6))
    bar.primal = x
    by_x.primal, by_x.suffix = bar, "_by_x"
    values = [(forward_value, None), (step, x), (bar, x), (second, bar), (by_x, bar)]
    found = sweeps_of(values)
    assert [found[var].title for var, _ in values] == [
        "", "reverse sweep", "reverse sweep", "derivatives", "derivatives",
    ]  # fmt: skip
