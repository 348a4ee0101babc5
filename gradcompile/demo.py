"""The demos of the command line: each tells a story on a terminal.

`neuron` is that of the lecture "The spelled-out intro to neural networks and backpropagation": its
graph, the code made from it, the numbers, the proofs, the times and the picture. `moons` is what
the lecture ends with: a network learns to tell two moons apart.
"""

import inspect
import statistics
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from timeit import Timer
from typing import Any, Literal

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gradcompile import compiler, ops, plot, two_moons
from gradcompile.compiler import CompiledFunction
from gradcompile.kernel import Kernel
from gradcompile.terminal import print_code, print_derivative
from gradcompile.two_moons import Array, Training
from gradcompile.value import Value, topological

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


# --- the two moons -----------------------------------------------------------------------------

SHOWN_STEPS = (0, 1, 9, 40, 99)
"""The steps of the lecture's table."""

EAGER_STEPS = 2
"""How many steps are made with Values, which take long."""


def moons(out: Console, output: str | None = None) -> None:
    """The two moons, from one loss over all of them to a trained network.

    Args:
        out: where to tell it.
        output: the file of the picture; without it, one in the current directory, or in a
            temporary one where that cannot be written to.

    Raises:
        OSError: `output` cannot be written.
        ValueError: `output` has a suffix that is no plot's, or there is no matplotlib for it.
    """
    if output is not None:
        _check_plot(output)
    X, y = two_moons.points()
    model = two_moons.network()
    start = model.flat

    root = two_moons.loss(model, X, y)
    counts = f"{len(X)} points, {len(start)} parameters, {len(topological(root)):,} nodes"
    _heading(out, "Two moons", f"one graph for the loss: {counts}")
    print_code(out, inspect.getsource(two_moons.loss), "python")

    started = time.perf_counter()
    steps = _bar(range(EAGER_STEPS), "eager Values")
    values = two_moons.train(two_moons.eager(model, X, y), start, steps)
    eager = (time.perf_counter() - started) / EAGER_STEPS

    kernel, compiled = _compiled(root, model.parameters())
    _heading(out, "Its code", "the loops found again; this is the forward sweep")
    _print_forward(out, kernel.source)

    steps = _bar(range(two_moons.STEPS), "machine code")
    machine = two_moons.train(kernel.flat, start, steps)
    _heading(out, "Training", "the loss of all points, step by step")
    out.print(_losses(values, machine, X, y))

    _heading(out, "One step", "for the loss and all its derivatives")
    out.print(_step_times(eager, kernel, start))
    out.print()
    out.print(compiled, style="dim")
    out.print(_training_time(eager, kernel, start), style="dim")

    _heading(out, "Its picture", "where the network draws the line")
    _plot(out, machine, X, y, output)


def _compiled(root: Value, params: list[Value]) -> tuple[Kernel, str]:
    """The kernel of a loss with its machine code; a sentence about what that took."""
    started = time.perf_counter()
    function: CompiledFunction = compiler.compile(
        root, inputs={"params": params}, name="loss", progress=sys.stderr.isatty()
    )
    kernel = function.value_and_grad
    kernel.source  # noqa: B018  (emitted on first use)
    emitted = time.perf_counter() - started
    return kernel, f"Before: {_duration(emitted)} to emit, {_compile(kernel)}."


def _print_forward(out: Console, source: str) -> None:
    """The forward sweep of a long text."""
    lines = source.splitlines()
    first, last = lines.index("    # forward sweep"), lines.index("    # reverse sweep")
    print_code(out, textwrap.dedent("\n".join(lines[first:last])), "python")
    out.print(f"# ... {last - first} of {len(lines)} lines", style="dim")


def _bar(steps: range, says: str) -> Any:
    """The steps, with a progress bar on a terminal that goes when they are done."""
    from tqdm import tqdm  # loads on first use

    return tqdm(steps, says, leave=False, disable=None)


def _losses(values: Training, machine: Training, X: Array, y: Array) -> Table:
    table = _table(">step", "eager Values", "machine code", ">accuracy")
    for step in SHOWN_STEPS:
        by_values = repr(values.losses[step]) if step < EAGER_STEPS else ""
        right = two_moons.accuracy(two_moons.scores(machine.params[step], X), y)
        table.add_row(str(step), by_values, repr(machine.losses[step]), f"{right:.0%}")
    return table


def _step_times(eager: float, kernel: Kernel, start: Array) -> Table:
    names = {"flat": kernel.flat, "dispatcher": kernel.dispatcher, "start": start}
    by_flat, by_dispatcher = _medians(
        [Timer(f"{name}(start)", globals=names) for name in ("flat", "dispatcher")]
    )
    table = _table("", "", ">time", ">faster")
    for what, how, seconds in (
        ("eager Values", "a new graph, then backward()", eager),
        ("machine code", "flat arrays, by .flat", by_flat),
        ("machine code", "flat arrays, by .dispatcher", by_dispatcher),
    ):
        table.add_row(what, how, _duration(seconds), f"{eager / seconds:,.0f}×")
    return table


def _training_time(eager: float, kernel: Kernel, start: Array) -> str:
    started = time.perf_counter()
    steps = len(two_moons.train(kernel.flat, start).losses)
    seconds = time.perf_counter() - started
    by_values = _duration(eager * steps)
    return f"All {steps} steps: {_duration(seconds)}; with Values they would take {by_values}."


def _check_plot(output: str) -> None:
    try:
        plot.check(output)
    except ModuleNotFoundError as error:
        raise ValueError(str(error)) from None


def _plot(out: Console, machine: Training, X: Array, y: Array, output: str | None) -> None:
    """Draw where the trained network draws the line; say where, or why not."""
    if not plot.available():
        out.print(f"No picture of the decision boundary, as {plot.MISSING}", markup=False)
        return

    trained = machine.params[-1]
    right = two_moons.accuracy(two_moons.scores(trained, X), y)
    title = f"Two moons: accuracy {right:.0%} after {len(machine.losses)} steps"

    def save(path: Path) -> Path:
        return plot.decision_boundary(
            lambda points: two_moons.scores(trained, points), X, y, path, title
        )

    with out.status("matplotlib draws ..."):
        picture = _saved(save, output, "moons.png")
    out.print(Text(str(picture)), soft_wrap=True)


DEMOS: Mapping[str, Callable[[Console, str | None], None]] = {"neuron": neuron, "moons": moons}
"""The demos by name."""


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

    return _saved(draw(target).save, output, default)


def _saved(save: Callable[[Path], Path], output: str | None, default: str) -> Path:
    """Save as `output`; without it, in the current directory, or in a temporary one. Where."""
    if output is not None:
        return save(Path(output))
    try:
        return save(Path.cwd() / default)
    except OSError:
        return save(Path(tempfile.mkdtemp(prefix="gradcompile-")) / default)
