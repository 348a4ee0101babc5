"""The demos of the command line: each tells a story on a terminal.

`neuron` is that of the lecture "The spelled-out intro to neural networks and backpropagation": its
graph, the code made from it, the numbers, the proofs, the times and the picture.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from timeit import Timer
from typing import Literal

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gradcompile import compiler, ops
from gradcompile.compiler import CompiledFunction
from gradcompile.kernel import Kernel
from gradcompile.terminal import print_code, print_derivative
from gradcompile.value import Value

ROUNDS = 9
"""How often each way of calling is timed, in turn with the others; the median counts."""

ROUND_SECONDS = 0.02
"""How long one way of calling is repeated in one round."""

# --- the neuron --------------------------------------------------------------------------------

NEURON = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432}
"""The lecture's inputs."""

NEURON_CODE = """\
n = x1 * w1 + x2 * w2 + b
o = tanh(n)
"""
"""The lecture's neuron, as `eager_neuron` computes it."""

TIMED = (
    ("eager Values", "forward, then o.backward()", "eager(*numbers)"),
    ("emitted text in CPython", "flat arrays in and out", "python(flat)"),
    ("machine code", "numbers in, a namedtuple out", "machine(*numbers)"),
    ("machine code", "flat arrays, by .dispatcher", "dispatcher(flat)"),
)
"""The ways to get value and gradient that are timed: what runs, from what to what, statement."""


CALLS = "In machine code the call itself takes most of this: larger functions gain more."
"""What to make of the times."""


def eager_neuron(x1: float, x2: float, w1: float, w2: float, b: float) -> tuple[Value, list[Value]]:
    """Forward and backward on Values: the output, and the inputs with their gradients."""
    inputs = [Value(x1, "x1"), Value(x2, "x2"), Value(w1, "w1"), Value(w2, "w2"), Value(b, "b")]
    n = inputs[0] * inputs[2] + inputs[1] * inputs[3] + inputs[4]
    n.label = "n"
    o: Value = ops.tanh(n)
    o.label = "o"
    o.backward()
    return o, inputs


def neuron(out: Console, output: str | None = None) -> None:
    """The neuron, from Values to machine code.

    Args:
        out: where to tell it.
        output: the file of the picture; without it, one in the current directory, or in a
            temporary one where that cannot be written to.

    Raises:
        OSError: `output` cannot be written.
        ValueError: `output` has a suffix that is no picture's.
    """
    o, inputs = eager_neuron(**NEURON)
    picture = _save(o, output, "neuron.svg")

    _heading(out, "The neuron", "an expression graph, built from Values as in the lecture")
    print_code(out, NEURON_CODE, "python")

    started = time.perf_counter()
    function: CompiledFunction = compiler.compile(o, inputs=inputs, name="neuron")
    kernel = function.value_and_grad
    source = kernel.source
    emitted = time.perf_counter() - started
    _heading(out, "Its code", "one text, to read, to run, to compile and to verify")
    print_code(out, source, "python")

    with out.status("numba compiles the text ..."):
        compiled = _compile(kernel)
    _heading(out, "Value and gradient", "as in the lecture, and from machine code")
    out.print(_numbers(kernel, o, inputs))

    _heading(out, "Verified", "the text run on sympy's symbols, against sympy.diff")
    with out.status("sympy checks the text ..."):
        report = function.verify()
    for derivative in report:
        print_derivative(out, derivative)

    _heading(out, "One call", "for the value and all five derivatives")
    out.print(_times(_timed(kernel)))
    out.print()
    out.print(f"Before: {_duration(emitted)} to emit, {compiled}.", style="dim")
    out.print(CALLS, style="dim")

    _heading(out, "Its picture", "the graph with the numbers above in it")
    out.print(Text(str(picture)), soft_wrap=True)


DEMOS: Mapping[str, Callable[[Console, str | None], None]] = {"neuron": neuron}
"""The demos by name."""


def _numbers(kernel: Kernel, o: Value, inputs: list[Value]) -> Table:
    value, gradient = kernel(*[x.data for x in inputs])
    table = _table("", ">at", ">eager Values", ">machine code")
    table.add_row("o", "", repr(o.data), repr(value))
    for x in inputs:
        slope = getattr(gradient, x.label)
        table.add_row(f"do/d{x.label}", repr(x.data), repr(x.grad), repr(slope))
    return table


def _compile(kernel: Kernel) -> str:
    """Build the machine code; a sentence about what that took."""
    started = time.perf_counter()
    import gradcompile.jit  # noqa: F401  (numba, which it imports, is timed apart)

    imported = time.perf_counter()
    stats = kernel.dispatcher.stats
    built = time.perf_counter()
    how = "load machine code" if stats.cache_hits else "compile"
    return (
        f"{_duration(imported - started)} to import numba, {_duration(built - imported)} to {how}"
    )


def _timed(kernel: Kernel) -> list[float]:
    """The seconds that one run of each statement in `TIMED` takes."""
    names = {
        "eager": eager_neuron,
        "python": kernel.python,
        "machine": kernel,
        "dispatcher": kernel.dispatcher,
        "numbers": tuple(NEURON.values()),
        "flat": np.array(list(NEURON.values())),
    }
    return _medians([Timer(statement, globals=names) for *_, statement in TIMED])


def _times(seconds: list[float]) -> Table:
    table = _table("", "", ">time", ">faster")
    for (what, how, _), time_ in zip(TIMED, seconds, strict=True):
        table.add_row(what, how, _duration(time_), f"{seconds[0] / time_:.0f}×")
    return table


# --- what demos share --------------------------------------------------------------------------


def _heading(out: Console, title: str, says: str) -> None:
    out.print()
    out.print(Text.assemble((title, "bold cyan"), "  ", (says, "dim")))
    out.print()


def _table(*columns: str) -> Table:
    """A table with these columns; one that begins with > is of numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column[:1] == ">" else "left"
        table.add_column(column.removeprefix(">"), justify=justify, no_wrap=True)
    return table


def _medians(timers: list[Timer]) -> list[float]:
    """The median time of each, measured in turns: what slows the machine down hits all alike."""
    counts = [max(1, int(ROUND_SECONDS * 100 / timer.timeit(100))) for timer in timers]
    rounds = [
        [timer.timeit(count) / count for timer, count in zip(timers, counts, strict=True)]
        for _ in range(ROUNDS)
    ]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def _duration(seconds: float) -> str:
    """A time with three digits, in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size / 10:
            return f"{seconds / size:.2f} {unit}"
    number = seconds * 1e6
    return f"{number:.{2 if number < 10 else 1}f} µs"


def _save(target: Value, output: str | None, default: str) -> Path:
    """Draw and save `target`; where."""
    from gradcompile.drawing import draw  # graphviz loads on first use

    picture = draw(target)
    if output is not None:
        return picture.save(output)
    try:
        return picture.save(Path.cwd() / default)
    except OSError:
        return picture.save(Path(tempfile.mkdtemp(prefix="gradcompile-")) / default)
