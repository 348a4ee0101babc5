"""Random programs whose gates block something hostile, and what their gradients must be.

A program is drawn together with the point at which it runs. There its clean values, and the slopes
of what computes them, are of moderate size. Its hostile values come from poles, logarithms of 0 and
of negative numbers, overflow, and inf and nan among the constants; gates block some of them, and
nothing else reads them. The gradient must be that of the program in which every blocked operand is
cut off: replaced by the number that it is.

Only `where` is given products that overflow: the other gates take sums and products of finite
numbers for finite (docs/decisions/0007-gates.md).
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcompile import compile as compiled
from gradcompile.autodiff.reverse import reverse
from gradcompile.ir.builder import Builder
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import Const, Operand, Program, verify_program
from gradcompile.ops.table import TABLE, add
from gradcompile.passes import run_passes
from tests.helpers.engines import Difference, Point, Subject, Tally, eager, explain, machine, python
from tests.helpers.flat import flat, of_flat, signature_of
from tests.helpers.programs import INPUTS, Given, Recipe, Step, deadline

LARGEST_VALUE, LARGEST_SLOPE = 100.0, 10.0
"""What counts as moderate, so that rounding explains nothing large."""

POLES = ("log", "log2", "log10", "reciprocal", "sqrt", "rsqrt", "cbrt", "lgamma", "digamma")
ENDS = {"log1p": -1.0, "atanh": 1.0, "asin": -1.0, "acos": 1.0, "acosh": 1.0}
"""Functions with a pole at 0, and with the end of their domain elsewhere."""

OVERFLOWING = ("exp", "exp2", "expm1", "sinh", "cosh")
PRODUCTS = ("add", "sub", "mul", "square")
INFINITE = (math.inf, -math.inf, math.nan)
NOT_CLEAN = {"floor", "ceil", "fmod", "polygamma", "where"}
GATES = (
    "where", "maximum", "minimum", "relu", "clip", "clip's bound", "leaky_relu", "elu", "heaviside",
    "xlogy",
)  # fmt: skip


@dataclass(frozen=True)
class Blocked:
    """A program and its point; `cuts` are the steps whose operand is blocked there, and which."""

    recipe: Recipe
    at: Point
    cuts: tuple[tuple[int, int, float], ...]

    @property
    def cut(self) -> Recipe:
        """The program with every blocked operand replaced by its number."""
        steps = list(self.recipe.steps)
        for place, index, number in self.cuts:
            operands = list(steps[place].operands)
            operands[index] = number
            steps[place] = replace(steps[place], operands=tuple(operands))
        return Recipe(tuple(steps))


@dataclass
class _Draft:
    """A program while it is drawn."""

    rng: random.Random
    at: Point
    values: list[float]
    clean: list[int] = field(default_factory=lambda: list(range(INPUTS)))
    hostile: list[int] = field(default_factory=list)
    overflown: set[int] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)
    cuts: list[tuple[int, int, float]] = field(default_factory=list)

    def number(self, operand: Given) -> float:
        return self.values[operand] if type(operand) is int else operand

    def numbers(self, operands: Sequence[Given]) -> list[float]:
        return [self.number(x) for x in operands]

    def add(self, op: str, *operands: Given) -> int:
        """Append a step; give its place."""
        result = TABLE[op].evaluate(*self.numbers(operands))
        self.steps.append(Step(op, operands))
        self.values.append(result)
        place = len(self.values) - 1
        finite = all(map(math.isfinite, self.numbers(operands)))
        overflows = op in PRODUCTS and finite and not math.isfinite(result)
        if overflows or not self.overflown.isdisjoint(operands):
            self.overflown.add(place)
        return place

    def some_clean(self) -> int:
        return self.rng.choice(self.clean)

    def zero(self) -> int:
        """A value that is 0 here."""
        place = self.some_clean()
        if self.values[place] == 0.0:
            return place
        return self.add("sub", place, self.values[place])

    # --- steps ---------------------------------------------------------------------------------

    def draw_clean(self) -> None:
        """Append a step that is smooth and moderate here."""
        for _ in range(20):
            op = TABLE[self.rng.choice(list(TABLE))]
            operands = [self.some_clean() for _ in op.operand_names]
            numbers = self.numbers(operands)
            if op.name in NOT_CLEAN or not any(op.partials):
                continue
            result = op.evaluate(*numbers)
            slopes = [op.slope(k, result, numbers) for k in range(op.arity)]
            is_smooth = math.isfinite(result) and op.contains(*numbers)
            if is_smooth and abs(result) < LARGEST_VALUE and _moderate(slopes):
                self.clean.append(self.add(op.name, *operands))
                return

    def draw_hostile(self) -> None:
        """Append what is inf or nan here, or has such a slope, or reads something that has."""
        rng = self.rng
        kind = rng.choice(("pole", "end", "power", "overflow", "constant", "product", "chain"))
        if kind == "pole":
            place = self.add(rng.choice(POLES), self.zero())
        elif kind == "end":
            op, end = rng.choice(list(ENDS.items()))
            place = self.add(op, self.add("add", self.zero(), rng.choice((end, 2.0 * end))))
        elif kind == "power":
            place = self.add("pow", self.zero(), rng.choice((-1.0, 0.5, -2.0, 0.3)))
        elif kind == "overflow":
            scaled = self.add("mul", self.some_clean(), rng.choice((1e5, -1e5, 1e300)))
            place = self.add(rng.choice(OVERFLOWING), scaled)
        elif kind == "constant":
            op = rng.choice(("add", "sub", "mul", "div", "pow"))
            place = self.add(op, self.some_clean(), rng.choice(INFINITE))
        elif kind == "product":
            large = self.add("mul", self.some_clean(), 1e200)
            place = self.add("mul", self.add("square", large), self.some_clean())
        else:
            place = self.draw_chain()
        self.hostile.append(place)

    def draw_chain(self) -> int:
        """Append any operation on something hostile, and anything."""
        op = TABLE[self.rng.choice(list(TABLE))]
        pool = self.hostile or self.clean
        operands = [self.rng.choice((*self.clean, self.rng.choice(pool))) for _ in op.partials]
        operands[self.rng.randrange(op.arity)] = self.rng.choice(pool)
        return self.add(op.name, *operands)

    def draw_gate(self) -> None:
        """Append a gate that blocks something hostile."""
        hostile = self.rng.choice(self.hostile)
        gate = self.rng.choice(GATES)
        x = self.values[hostile]
        if math.isnan(x) or hostile in self.overflown:
            gate = "where"
        live = self.some_clean()
        y = self.values[live]
        step: tuple[Given, ...] | None = None
        if gate == "where":
            a, b = self.some_clean(), self.rng.choice((0.5, self.some_clean()))
            condition = self.add(self.rng.choice(("greater", "less_equal")), a, b)
            holds = self.values[condition] != 0.0
            step = (condition, live, hostile) if holds else (condition, hostile, live)
        elif (gate, True) in (("maximum", x < y), ("minimum", x > y)):
            step = self.rng.choice(((live, hostile), (hostile, live)))
        elif gate == "relu" and x <= 0.0:
            step = (hostile,)
        elif gate == "clip" and x < 50.0:
            low = max(0.0, x + 1.0)
            step = (hostile, low, low + 1.0)
        elif gate == "clip":
            step = (hostile, 1.0, 2.0)
        elif gate == "clip's bound" and x < y:
            step = (live, hostile, y + 1.0)
        elif gate == "clip's bound" and x > y:
            step = (live, y - 1.0, hostile)
        elif (gate in ("leaky_relu", "elu") and y > 0.0) or (gate == "heaviside" and y != 0.0):
            step = (live, hostile)
        elif gate == "xlogy" and x >= 0.0:
            step = (0.0, hostile)
        if step is not None:
            place = self.add(gate.removesuffix("'s bound"), *step)
            index = next(k for k, y in enumerate(step) if type(y) is int and y == hostile)
            self.cuts.append((place - INPUTS, index, x))
            self.clean.append(place)


def _moderate(slopes: Sequence[float]) -> bool:
    return all(abs(x) < LARGEST_SLOPE for x in slopes)


def blocked_program(rng: random.Random, steps: int = 8) -> Blocked:
    """Draw a program with at least one gate that blocks something hostile, and its point."""
    at = tuple(rng.choice((0.0, 1.0, -1.0, 2.0, 0.5, -0.3, 3.0)) for _ in range(INPUTS))
    draft = _Draft(rng, at, list(at))
    draft.draw_hostile()
    while len(draft.steps) < steps or not draft.cuts:
        draw = rng.choice((draft.draw_clean, draft.draw_hostile, draft.draw_gate, draft.draw_gate))
        with deadline(5):
            draw()
    total = draft.clean[-1]
    for place, _, _ in draft.cuts:
        total = draft.add(rng.choice(("add", "sub", "mul")), total, INPUTS + place)
    return Blocked(Recipe(tuple(draft.steps)), at, tuple(draft.cuts))


ROWS = 4
"""How many rows, or terms of a sum that is rolled, are alike."""


# --- comparing -------------------------------------------------------------------------------


class Gated:
    """A program with blocked operands, what is made of it, and its gradient without them."""

    def __init__(self, blocked: Blocked) -> None:
        self.blocked = blocked
        self.subject = Subject(blocked.recipe)
        self.cut = Subject(blocked.cut).raw_gradient
        value, gradient = eager(blocked.cut, blocked.at)
        self.right = [value, *gradient]
        self.second = _second(self.subject.gradient)
        self.second_of_cut = _second(self.cut)

    def compare(self, tally: Tally) -> None:
        """Every engine but machine code and loops."""
        at, subject = self.blocked.at, self.subject
        value, gradient = eager(self.blocked.recipe, at)
        self.check("eager", [value, *gradient], tally)
        self.check("interpreter, as written", flat(interpret(subject.raw_gradient, at)), tally)
        self.check("interpreter", flat(interpret(subject.gradient, at)), tally)
        self.check("emitted", python(subject.gradient)(at), tally)
        right = flat(interpret(self.second_of_cut, at))
        if all(map(math.isfinite, right)):
            programs = (self.second_of_cut, self.second)
            found = flat(interpret(self.second, at))
            self.check("second order", found, tally, right, programs)

    def compare_rows(self, tally: Tally) -> None:
        """The text for rows of a batch, and that for a function of many rows at once."""
        recipe, at = self.blocked.recipe, np.array(self.blocked.at)

        def of_row(p: Any, r: Any) -> Any:
            return recipe.of([x * r for x in p])

        def of_rows(p: Any, rows: Any) -> Any:
            return sum(of_row(p, r) for r in rows) / ROWS

        rows = np.ones(ROWS)
        batched = compiled(of_row, wrt="p", batched="r", reduce="mean", cache=False)
        rolled = compiled(of_rows, wrt="p", roll=True, cache=False)
        for kind, function in (("batched", batched), ("rolled", rolled)):
            kernel = function.value_and_grad
            kernel._arguments.read((at, rows), {})  # traces; calling would make machine code
            signature = signature_of(kernel)
            if kind == "batched":
                self.check(kind, of_flat(kernel.python, signature)(at, rows), tally)
            else:
                found = of_flat(kernel.python, signature)([*at, *rows])
                self.check(kind, found, tally)

    def check(
        self,
        kind: str,
        found: Sequence[float],
        tally: Tally,
        right: Sequence[float] = (),
        programs: tuple[Program, Program] | None = None,
    ) -> None:
        """Compare value and gradient with those of the program whose blocked operands are cut."""
        tally.compared[kind] += 1
        programs = programs or (self.cut, self.subject.gradient)
        for k, (a, b) in enumerate(zip(right or self.right, found, strict=True)):
            if a != b and explain(programs, self.blocked.at, k, a, b) is None:
                detail = f"output {k}: {b}, cut {a}"
                where = self.blocked
                tally.differences.append(Difference(kind, where.recipe, where.at, detail))
                return


def _second(first: Program) -> Program:
    """The sum of a gradient, and its gradient."""
    terms = list(first.flat_outputs)[1:]
    builder = Builder(list(first.instructions))
    total: Operand = Const(0.0)
    for term in terms:
        total = builder.apply(add, (total, term))
    summed = replace(first, instructions=tuple(builder.instructions), outputs=(total,))
    return run_passes(reverse(run_passes(summed), range(INPUTS)), verify_program)


def compare_machine(group: Sequence[Gated], tally: Tally) -> None:
    """Machine code, many programs to a kernel."""
    run = machine([gated.subject.gradient for gated in group])
    for gated, found in zip(group, run([gated.blocked.at for gated in group]), strict=True):
        gated.check("machine code", found, tally)


BATCH = 20
"""Programs to a kernel of machine code."""


def fuzz_gates(
    seed: int, programs: Iterable[int], rows_each: int = 10, use_machine: bool = True
) -> Tally:
    """Compare the programs of a seed by number, so that each can be had again alone.

    Args:
        seed: of all programs.
        programs: their numbers.
        rows_each: one program of so many is also compiled for rows and as a loop.
        use_machine: compile them to machine code, too.
    """
    tally = Tally()
    group: list[Gated] = []
    for number in programs:
        blocked = blocked_program(random.Random(f"gates {seed} {number}"))
        before = len(tally.differences)
        try:
            with deadline(20):
                gated = Gated(blocked)
                gated.compare(tally)
                if number % rows_each == 0:
                    gated.compare_rows(tally)
        except Exception as error:
            kind = type(error).__name__
            tally.differences.append(Difference(kind, blocked.recipe, blocked.at, str(error)))
        else:
            group.append(gated)
        for k, difference in enumerate(tally.differences[before:], start=before):
            detail = f"{difference.detail} (program {number})"
            tally.differences[k] = replace(difference, detail=detail)
        if use_machine and len(group) == BATCH:
            compare_machine(group, tally)
            group.clear()
    if use_machine and group:
        compare_machine(group, tally)
    return tally
