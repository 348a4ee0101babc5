"""The demo `neuron`: from Values to machine code.

The neuron is that of the lecture "The spelled-out intro to neural networks and backpropagation":
its graph, the code made from it, the numbers, the proofs, the times and the picture.
"""

import time
from timeit import Timer

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gradcompile import api
from gradcompile.compiler.function import CompiledFunction
from gradcompile.compiler.kernel import Kernel
from gradcompile.demos.telling import (
    compiled_anew,
    duration,
    heading,
    medians,
    save_drawing,
    table_of,
)
from gradcompile.graph.value import Value
from gradcompile.ops.table import tanh
from gradcompile.show.terminal import print_code, print_derivative

NEURON = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432}
"""The lecture's inputs."""

NEURON_CODE = """\
n = x1 * w1 + x2 * w2 + b
o = tanh(n)
"""
"""The lecture's neuron, as `eager_neuron` computes it."""

TIMED = (
    ("eager Values", "forward, then o.backward()", "eager(*numbers)"),
    ("emitted text in CPython", "numbers in, a tuple out", "python(*numbers)"),
    ("machine code", "numbers in, a namedtuple out", "machine(*numbers)"),
    ("machine code", "numbers in, a tuple out, by .njit", "njit(*numbers)"),
)
"""The ways to get value and gradient that are timed: what runs, from what to what, statement."""

CALLS = "In machine code the call itself takes most of this: larger functions gain more."
"""A remark on the times."""


def eager_neuron(x1: float, x2: float, w1: float, w2: float, b: float) -> tuple[Value, list[Value]]:
    """Go forward and backward on Values: the output, and the inputs with their gradients."""
    inputs = [Value(x1, "x1"), Value(x2, "x2"), Value(w1, "w1"), Value(w2, "w2"), Value(b, "b")]
    n = inputs[0] * inputs[2] + inputs[1] * inputs[3] + inputs[4]
    n.label = "n"
    o: Value = tanh(n)
    o.label = "o"
    o.backward()
    return o, inputs


def neuron(out: Console, output: str | None = None) -> None:
    """Show the neuron, from Values to machine code.

    Args:
        out: where to tell it.
        output: the file of the picture; without it, one in the current directory, or in a
            temporary one where that cannot be written to.

    Raises:
        OSError: `output` cannot be written.
        ValueError: `output` has a suffix that is no picture's.
    """
    o, inputs = eager_neuron(**NEURON)
    picture = save_drawing(o, output, "neuron.svg")

    heading(out, "The neuron", "an expression graph, built from Values as in the lecture")
    print_code(out, NEURON_CODE, "python")

    started = time.perf_counter()
    function: CompiledFunction = api.compile(o, inputs=inputs, name="neuron")
    kernel = function.value_and_grad
    source = kernel.source
    emitted = time.perf_counter() - started
    heading(out, "Its code", "one text, to read, to run, to compile and to verify")
    print_code(out, source, "python")

    with out.status("numba compiles the text ..."):
        compiled = compiled_anew(kernel)
    heading(out, "Value and gradient", "as in the lecture, and from machine code")
    out.print(_numbers(kernel, o, inputs))

    heading(out, "Verified", "the text run on sympy's symbols, against sympy.diff")
    with out.status("sympy checks the text ..."):
        report = function.verify()
    for derivative in report:
        print_derivative(out, derivative)

    heading(out, "One call", "for the value and all five derivatives")
    out.print(_times(_timed(kernel)))
    out.print()
    out.print(f"Before: {duration(emitted)} to emit, {compiled}.", style="dim")
    out.print(CALLS, style="dim")

    heading(out, "Its picture", "the graph with the numbers above in it")
    out.print(Text(str(picture)), soft_wrap=True)


def _numbers(kernel: Kernel, o: Value, inputs: list[Value]) -> Table:
    value, gradient = kernel(*[x.data for x in inputs])
    table = table_of("", ">at", ">eager Values", ">machine code")
    table.add_row("o", "", repr(o.data), repr(value))
    for x in inputs:
        slope = getattr(gradient, x.label)
        table.add_row(f"do/d{x.label}", repr(x.data), repr(x.grad), repr(slope))
    return table


def _timed(kernel: Kernel) -> list[float]:
    """Measure the seconds that one run of each statement in `TIMED` takes."""
    names = {
        "eager": eager_neuron,
        "python": kernel.python,
        "machine": kernel,
        "njit": kernel.njit,
        "numbers": tuple(NEURON.values()),
    }
    return medians([Timer(statement, globals=names) for *_, statement in TIMED])


def _times(seconds: list[float]) -> Table:
    table = table_of("", "", ">time", ">faster")
    for (what, how, _), time_ in zip(TIMED, seconds, strict=True):
        table.add_row(what, how, duration(time_), f"{seconds[0] / time_:.0f}×")
    return table
