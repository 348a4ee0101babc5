"""Random programs over the whole op table, and random points to run them at.

A `Recipe` is a program as data: it builds an expression graph, prints itself as Python to
reproduce a failure, and shrinks. Everything is drawn from one `random.Random`, so a seed names a
program; hypothesis draws them through `recipes()`.
"""

import math
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from gradcompile import Value
from gradcompile.graph.lower import lower
from gradcompile.ir.program import Instruction, Operand, Program, Var
from gradcompile.ops.table import TABLE
from tests.helpers.oracles import COUNTS

INPUTS = 3

Given = int | float
"""An operand of a step: the place of a value (inputs first), or a constant."""

CONSTANTS = (0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0, 10.0, 0.1, 1e-3, 1e3, 1.7e308, 5e-324)
RARE = (math.inf, -math.inf, math.nan)

SPECIAL = (
    0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, 1.5, 1e-8, -1e-17, 20.0, -40.0, 355.0, 709.0,
    -746.0, 1e16, -1e16, 1e154, -1e154, 1e300, 1.7976931348623157e308, -1.7976931348623157e308,
    2.2250738585072014e-308, -1e-310, 5e-324, -5e-324, math.inf, -math.inf, math.nan,
)  # fmt: skip
"""Inputs on which engines like to differ: kinks, ties, tiny, huge, zeros, infinities, nan."""

LABELS = ("", "", "", "", "t", "n", "x0_bar", "value", "v1")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises `TimeoutError` in what takes longer, so that an endless loop is a finding."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(frozen=True)
class Step:
    """One operation of a recipe."""

    op: str
    operands: tuple[Given, ...]
    label: str = ""


@dataclass(frozen=True)
class Recipe:
    """A program as data: steps over `INPUTS` inputs; the last step is the result."""

    steps: tuple[Step, ...]

    def graph(self, at: Sequence[float]) -> tuple[Value, list[Value]]:
        """The expression graph at a point: its root, and its inputs."""
        inputs = [Value(x, f"x{index}") for index, x in enumerate(at)]
        return self.of(inputs), inputs

    def of(self, inputs: Sequence[Value]) -> Value:
        """The result for inputs that are given, traced ones too."""
        values = list(inputs)
        for step in self.steps:
            given = [values[x] if type(x) is int else x for x in step.operands]
            if not any(isinstance(x, Value) for x in given):
                # A leaf that is no input lowers to a constant: work for the pass that folds.
                given[0] = Value(given[0])
            value = TABLE[step.op](*given)
            value.label = step.label
            values.append(value)
        return values[-1]

    def program(self) -> Program:
        """The linear IR of it, unoptimised."""
        root, inputs = self.graph((1.0,) * INPUTS)
        return lower([root], inputs, [x.label for x in inputs], "f").program

    def pruned(self) -> "Recipe":
        """Without the steps that the last one does not need."""
        last = INPUTS + len(self.steps) - 1
        needed = {last}
        for place in range(last, INPUTS - 1, -1):
            if place in needed:
                operands = self.steps[place - INPUTS].operands
                needed.update(x for x in operands if type(x) is int)
        kept = [place for place in range(INPUTS, last + 1) if place in needed]
        places = {old: new for new, old in enumerate([*range(INPUTS), *kept])}
        steps = [
            replace(step, operands=tuple(places[x] if type(x) is int else x for x in step.operands))
            for step in (self.steps[place - INPUTS] for place in kept)
        ]
        return Recipe(tuple(steps))

    def __str__(self) -> str:
        """Python that builds it, to paste."""

        def text(operand: Given) -> str:
            if type(operand) is not int:
                return repr(operand) if math.isfinite(operand) else f'float("{operand}")'
            return f"x{operand}" if operand < INPUTS else f"s{operand - INPUTS}"

        names = ", ".join(f"x{index}" for index in range(INPUTS))
        lines = [f"def f({names}):"]
        for index, step in enumerate(self.steps):
            call = f"gdc.{step.op}({', '.join(map(text, step.operands))})"
            label = f"; s{index}.label = {step.label!r}" if step.label else ""
            lines.append(f"    s{index} = {call}{label}")
        return "\n".join([*lines, f"    return s{len(self.steps) - 1}"])


# --- drawing ---------------------------------------------------------------------------------


def random_recipe(rng: random.Random, steps: int = 7) -> Recipe:
    """A program of up to `steps` operations, plus what joins the results that nothing reads."""
    drawn: list[Step] = []
    values = list(inputs := _tame_point(rng))
    hub = INPUTS if rng.random() < 0.2 else None  # a value that much else reads
    for _ in range(rng.randint(1, steps)):
        # Most programs should mean something at an ordinary point, or all of them end in nan.
        for _ in range(4):
            step = _random_step(rng, len(values), hub)
            result = _evaluate(step, values)
            if math.isfinite(result) and abs(result) < 1e6:
                break
        drawn.append(step)
        values.append(result)
    read = {x for step in drawn for x in step.operands if type(x) is int}
    loose = [k for k in range(INPUTS, len(values)) if k not in read]
    while len(loose) > 1:
        join = rng.choice(("add", "mul", "maximum", "sub"))
        a, b = loose.pop(), loose.pop()
        drawn.append(Step(join, (a, b)))
        loose.append(len(inputs) + len(drawn) - 1)
    return Recipe(tuple(drawn)).pruned()


def _random_step(rng: random.Random, count: int, hub: int | None = None) -> Step:
    op = TABLE[rng.choice(list(TABLE))]

    def operand() -> Given:
        if rng.random() < 0.15:
            return rng.choice(RARE) if rng.random() < 0.03 else rng.choice(CONSTANTS)
        if hub is not None and hub < count and rng.random() < 0.6:
            return hub
        # Recent values make deep programs, old ones wide fan-out.
        return count - 1 - int(min(rng.expovariate(0.5), count - 1))

    operands = [
        float(rng.randint(0, 3)) if (op.name, name) in COUNTS else operand()
        for name in op.operand_names
    ]
    if len(operands) > 1 and rng.random() < 0.1:
        operands[-1] = operands[0]
    return Step(op.name, tuple(operands), rng.choice(LABELS))


def _evaluate(step: Step, values: Sequence[float]) -> float:
    try:
        with deadline(2):
            operands = [values[x] if type(x) is int else x for x in step.operands]
            return TABLE[step.op].evaluate(*operands)
    except Exception:
        return math.nan  # the program is worth a look


def _tame_point(rng: random.Random) -> tuple[float, ...]:
    low, high = rng.choice(((-2.0, 2.0), (0.1, 2.0), (-0.9, 0.9), (0.5, 5.0)))
    return tuple(rng.uniform(low, high) for _ in range(INPUTS))


def _special_point(rng: random.Random) -> tuple[float, ...]:
    point = [
        rng.choice(SPECIAL) if rng.random() < 0.6 else float(rng.randint(-3, 3))
        for _ in range(INPUTS)
    ]
    if rng.random() < 0.3:
        point[-1] = point[0]  # a tie
    return tuple(point)


def random_points(rng: random.Random, tame: int = 2, special: int = 2) -> list[tuple[float, ...]]:
    """Points to run a program at: some ordinary ones, some of special numbers."""
    ordinary = [_tame_point(rng) for _ in range(tame)]
    return ordinary + [_special_point(rng) for _ in range(special)]


def recipes(steps: int = 7) -> st.SearchStrategy[Recipe]:
    """A hypothesis strategy for recipes."""
    return st.randoms(use_true_random=False).map(lambda rng: random_recipe(rng, steps))


def points() -> st.SearchStrategy[tuple[float, ...]]:
    """A hypothesis strategy for points: any floats, the special ones often."""
    number = st.sampled_from(SPECIAL) | st.floats(-4.0, 4.0) | st.floats()
    return st.tuples(*[number] * INPUTS)


# --- shrinking -------------------------------------------------------------------------------


def _simpler(recipe: Recipe) -> Iterator[Recipe]:
    steps = recipe.steps
    for end in range(1, len(steps)):
        yield Recipe(steps[:end]).pruned()
    for k, step in enumerate(steps):
        for substitute in dict.fromkeys(step.operands):
            yield Recipe(_without(steps, k, substitute)).pruned()
    for k, step in enumerate(steps):
        if step.label:
            yield Recipe((*steps[:k], replace(step, label=""), *steps[k + 1 :]))
        for place, operand in enumerate(step.operands):
            simpler = (1.0, 0.0) if type(operand) is not int else (0, 1.0)
            for number in simpler:
                if type(number) is not type(operand) or number != operand:
                    operands = (*step.operands[:place], number, *step.operands[place + 1 :])
                    if type(operand) is int or number in (1.0,) or operand not in (0.0, 1.0):
                        changed = replace(step, operands=operands)
                        yield Recipe((*steps[:k], changed, *steps[k + 1 :])).pruned()


def _without(steps: tuple[Step, ...], k: int, substitute: Given) -> tuple[Step, ...]:
    """The steps without number k, whose readers read `substitute` instead."""
    gone = INPUTS + k

    def moved(x: Given) -> Given:
        if type(x) is not int:
            return x
        return substitute if x == gone else x - (x > gone)

    rest = [replace(s, operands=tuple(map(moved, s.operands))) for s in steps[k + 1 :]]
    return (*steps[:k], *rest)


def shrink(
    recipe: Recipe,
    at: tuple[float, ...],
    fails: Callable[[Recipe, tuple[float, ...]], bool],
    tries: int = 400,
) -> tuple[Recipe, tuple[float, ...]]:
    """A smaller program and a simpler point at which it still fails."""
    improved = True
    while improved and tries > 0:
        improved = False
        for candidate in _simpler(recipe):
            tries -= 1
            if candidate.steps and _size(candidate) < _size(recipe) and fails(candidate, at):
                recipe, improved = candidate, True
                break
            if tries <= 0:
                break
    for index in range(INPUTS):
        for number in (0.0, 1.0, 2.0, 0.5):
            simpler = (*at[:index], number, *at[index + 1 :])
            if number != at[index] and fails(recipe, simpler):
                at = simpler
                break
    return recipe, at


def _size(recipe: Recipe) -> tuple[float, ...]:
    operands = [x for step in recipe.steps for x in step.operands]
    return (
        len(recipe.steps),
        sum(bool(step.label) for step in recipe.steps),
        sum(type(x) is int for x in operands),
        sum(x for x in operands if type(x) is int),
        sum(x not in (0.0, 1.0) for x in operands if type(x) is not int),
    )


# --- several programs as one -----------------------------------------------------------------


def merged(programs: Sequence[Program]) -> Program:
    """One program that does the work of many side by side and returns all outputs in one array.

    numba needs a fixed time for each function it compiles; many programs share it this way.
    """
    instructions: list[Instruction] = []
    inputs: list[Var] = []
    outputs: list[Operand] = []
    for program in programs:
        inputs.extend(program.inputs)
        instructions.extend(program.instructions)
        outputs.extend(program.flat_outputs)
    return Program("merged", tuple(inputs), tuple(instructions), (tuple(outputs),))
