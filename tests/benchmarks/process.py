"""What a benchmark measures in a process of its own, printed as one line of JSON.

Run by `rolling.py`: `python -m tests.benchmarks.process '{"job": "build", "work": "moons"}'`.
"""

import gc
import json
import math
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

import gradcompile as gdc
from gradcompile import Value
from gradcompile.graph.value import topological
from gradcompile.ir.interpret import interpret
from gradcompile.ir.nests import Apply, Assign, Expression, Loop, Step
from gradcompile.ir.program import Program
from gradcompile.roll import roll
from tests.benchmarks.timing import Candidate, by_turns, calls_in, ratio
from tests.benchmarks.works import WORKS, Work, moons, moons_data
from tests.helpers.blocks import Blocks
from tests.helpers.engines import Jitter, run_with
from tests.helpers.flat import python_of

Found = dict[str, Any]

SPAN = 0.001
"""Seconds of calls in a row: short beside the time slices that others get."""


# --- from a graph to a callable ------------------------------------------------------------------


def build(work: str, size: int | None = None, check: bool = False) -> Found:
    """How long it takes from a finished graph to its gradient by machine code.

    Args:
        work: what is compiled.
        size: of the work, if not as it is by default.
        check: compare with the backward pass of the graph, and with the interpreter.
    """
    made = _make(work, size)
    loss = made.loss()
    x = made.flat
    clock = Clock()
    import numba  # noqa: F401  (whoever compiles first waits for it)

    imported = clock.read()
    function = compiled(made, loss)
    kernel = function.value_and_grad
    result = kernel.flat(x)
    found = {
        **clock.read(),
        "import": imported,
        "peak": peak(),
        **inside(function),
    }
    found["nodes"] = len(topological(loss))
    if check:
        loss.backward()
        by_graph = (loss.data, made.gradient)
        found["from eager"] = difference(result, by_graph)
        found["from interpreter"] = difference(result, interpret(kernel.program, x))
    return found


class Clock:
    """Seconds since it was made: those that passed, and those that this process computed.

    Where more processes run than there are cores, the first measure the others.
    """

    def __init__(self) -> None:
        self.start = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """The seconds."""
        passed, computed = self.start
        return {
            "seconds": time.perf_counter() - passed,
            "computed": time.process_time() - computed,
        }


def _make(work: str, size: int | None) -> Work:
    return WORKS[work]() if size is None else WORKS[work](size)


def compiled(work: Work, loss: Value) -> Any:
    """The function of the parameters."""
    return gdc.compile(loss, inputs={"params": work.parameters}, name="loss")


def inside(function: Any) -> Found:
    """What the compiler says of a build: its text, its nests, where the time went."""
    report = function.report()
    machine = function.value_and_grad._build().machine
    return {
        "lines": report.lines,
        "rolled": report.rolled,
        "stages": report.seconds,
        "from cache": sum(machine.stats.cache_hits.values()) > 0,
    }


def peak() -> float:
    """The most memory that this process ever had, in bytes; nan where nothing tells.

    On Linux a process starts with the peak of the one that started it, which is small here.
    """
    try:
        import resource
    except ImportError:  # there is none on Windows
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def difference(found: Any, expected: Any) -> float:
    """Return the largest relative difference of two values and of two gradients.

    Numbers below a thousandth of the largest one count as that: their terms may cancel.
    """
    pairs = zip(found, expected, strict=True)
    return max(_difference(np.atleast_1d(a), np.atleast_1d(b)) for a, b in pairs)


SMALL = 1e-3
"""Smaller parts of the largest number are not compared by their own size."""


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return math.inf
    a, b = a[finite], b[finite]
    largest = np.abs(b).max(initial=0.0) or 1.0
    return float((np.abs(a - b) / np.maximum(np.abs(b), SMALL * largest)).max(initial=0.0))


# --- one step ------------------------------------------------------------------------------------


def steps(work: str, size: int | None = None, turns: int = 5, jax: bool = False) -> Found:
    """One step by machine code, beside eager Values, and beside peers where they have the work.

    Args:
        work: the loss.
        size: of the work, if not as it is by default.
        turns: how many times each is measured.
        jax: measure the two moons by jax and by micrograd.
    """
    made = _make(work, size)
    kernel = compiled(made, made.loss()).value_and_grad
    x = made.flat
    kernel.flat(x)
    differences = {"eager": difference(kernel.flat(x), (made.step().data, made.gradient))}
    fast: dict[str, Callable[[], Any]] = {
        "flat": lambda: kernel.flat(x),
        "dispatcher": lambda dispatcher=kernel.dispatcher: dispatcher(x),
    }
    slow: dict[str, Callable[[], Any]] = {"eager": made.step}
    if jax:
        by_jax = moons_by_jax(made, size or 100)
        for name, step in by_jax.items():
            differences[name] = difference(_flat(step()), kernel.flat(x))
        fast.update(by_jax)
        slow["micrograd"] = moons_by_micrograd(size or 100)
    # What was compiled is of no further use to the steps by graphs; their collector need not look.
    gc.collect()
    gc.freeze()
    return {
        "differences": differences,
        "fast": _compare(fast, 20 * turns, time.perf_counter),
        # A step of a second loses the core to others, one of microseconds does not: seconds of a
        # core are fair to both, as neither computes in more than one thread.
        "slow": _compare({"flat": fast["flat"], **slow}, turns, time.process_time),
    }


def _compare(
    functions: dict[str, Callable[[], Any]], turns: int, clock: Callable[[], float]
) -> Found:
    """Seconds a step of each, and how many times those of the first."""
    candidates: dict[str, Candidate] = {
        name: (function, (), calls_in(function, (), SPAN)) for name, function in functions.items()
    }
    found = by_turns(candidates, turns, clock)
    first = found[next(iter(functions))]
    return {
        name: {"seconds": statistics.median(times), "times": ratio(times, first)}
        for name, times in found.items()
    }


def moons_by_jax(work: Work, rows: int) -> dict[str, Callable[[], Any]]:
    """The two moons written with arrays: parameters as arrays by layer, or as one flat array."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its import, which is not ours to judge
        import jax
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    X, y = map(jnp.asarray, moons_data(rows))

    def loss(layers: Any, X: Any, y: Any) -> Any:
        hidden = X
        for W, b in layers[:-1]:
            hidden = jnp.maximum(hidden @ W.T + b, 0.0)
        W, b = layers[-1]
        scores = (hidden @ W.T + b)[:, 0]
        squares = sum(jnp.sum(W * W) + jnp.sum(b * b) for W, b in layers)
        return jnp.mean(jnp.maximum(1.0 - y * scores, 0.0)) + 1e-4 * squares

    by_layers = jax.jit(jax.value_and_grad(loss))
    by_flat = jax.jit(jax.value_and_grad(lambda flat, X, y: loss(_layers(flat), X, y)))
    flat = jnp.asarray(work.flat)
    layers = [tuple(map(jnp.asarray, layer)) for layer in _layers(work.flat)]

    return {
        "jax, arrays by layer": lambda: jax.block_until_ready(by_layers(layers, X, y)),
        "jax, one flat array": lambda: jax.block_until_ready(by_flat(flat, X, y)),
    }


def _layers(flat: Any) -> list[tuple[Any, Any]]:
    """Weights and biases by layer, as `nn.MLP` orders its parameters."""
    layers, start = [], 0
    for inputs, outputs in ((2, 16), (16, 16), (16, 1)):
        end = start + outputs * (inputs + 1)
        rows = flat[start:end].reshape(outputs, inputs + 1)
        layers.append((rows[:, :-1], rows[:, -1]))
        start = end
    return layers


def _flat(found: Any) -> Any:
    """The value, and the slopes in one flat array, in the order of `nn.MLP`."""
    value, slopes = found
    if isinstance(slopes, list):
        rows = [np.column_stack([np.asarray(W), np.asarray(b)]) for W, b in slopes]
        slopes = np.concatenate([row.ravel() for row in rows])
    return float(value), np.asarray(slopes)


def moons_by_micrograd(rows: int) -> Callable[[], Any]:
    """The two moons with micrograd's own classes."""
    from micrograd.engine import Value
    from micrograd.nn import MLP

    return moons(rows, Value, MLP).step


# --- programs of repeated random blocks ----------------------------------------------------------


def blocks(count: int, every: int = 50) -> Found:
    """Rolled text beside the unrolled program, for pairs of a regular and another program.

    Args:
        count: how many programs.
        every: for which of them the text is compiled to machine code as well; that takes seconds.
    """
    worst, strictly, sensitive, nodes = 0.0, 0.0, 0, 0
    looped, operations = Counter[bool](), Counter[bool]()
    for number in range(count):
        program = Blocks(number // 2, regular=number % 2 == 0)
        leaves = [Value(x) for x in program.at]
        root = program.root(leaves)
        kernel = rolled(root, leaves, strict=False)
        x = np.array(program.at)
        expected = interpret(kernel.program, x)
        found = difference(python_of(kernel)(x), expected)
        if number % every == 0:
            found = max(found, difference(kernel.flat(x), expected))
        if TOLERANCE < found <= AMPLIFIED * spread(kernel.program, x):
            sensitive += 1
        else:
            worst = max(worst, found)
        strict = rolled(root, leaves, strict=True)
        strictly = max(strictly, difference(python_of(strict)(x), interpret(strict.program, x)))
        nodes += len(topological(root))
        inside, all_ = rolled_operations(kernel.program)
        looped[program.regular] += inside
        operations[program.regular] += all_
    return {
        "difference": worst,
        "strict": strictly,
        "sensitive": sensitive,
        "nodes": nodes,
        "regular": 100 * looped[True] / operations[True],
        "others": 100 * looped[False] / operations[False],
        "compiled": -(-count // every),
    }


TOLERANCE = 1e-12
AMPLIFIED = 4.0
"""How many times what one ulp in every number makes of a result, another order of sums may make."""


def rolled(root: Value, leaves: list[Value], strict: bool) -> Any:
    """The kernel of a program in loops."""
    return gdc.compile(root, {"x": leaves}, name="blocks", roll=True, strict=strict).value_and_grad


def spread(program: Program, x: np.ndarray) -> float:
    """What changes of one ulp in the inputs and in every result make of what is returned."""
    expected = interpret(program, x)
    runs = [run_with(program, [*x, *program.data], Jitter(seed)) for seed in range(8)]
    return max(difference((value, gradient), expected) for value, *gradient in runs)


def rolled_operations(program: Program) -> tuple[int, int]:
    """How many operations one run executes in loops of at least two rounds, and how many at all."""
    inside = outside = 0
    for nest in roll(program).nests:
        for rounds, step in _assignments(nest.steps, 1):
            operations = rounds * (_operations(step.value) + step.adds)
            if rounds > 1:
                inside += operations
            else:
                outside += operations
    return inside, inside + outside


def _assignments(steps: Iterable[Step], rounds: int) -> Iterator[tuple[int, Assign]]:
    for step in steps:
        if isinstance(step, Loop):
            yield from _assignments(step.body, rounds * step.index.extent)
        else:
            yield rounds, step


def _operations(expression: Expression) -> int:
    if not isinstance(expression, Apply):
        return 0
    return 1 + sum(map(_operations, expression.operands))


JOBS = {job.__name__: job for job in (build, steps, blocks)}


def main() -> None:
    """Run the job that the command line describes, and print what it found."""
    given = json.loads(sys.argv[1])
    print(json.dumps(JOBS[given.pop("job")](**given)))


if __name__ == "__main__":
    main()
