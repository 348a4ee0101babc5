"""Runs one program through every engine and explains what differs.

Five engines: the eager graph, the interpreter, emitted Python, machine code, and exact numbers.
Where the same operations run in the same order, results must be equal bit for bit. Passes may
change the sign of a zero and may round better; with a rule between them, two results may differ

- by rounding: 1e-12 relative;
- by the sign of a zero: then both agree once zeros have no sign;
- by what the problem's condition makes of one ulp: then random changes of one ulp in every
  operation of either program spread their results as far;
- because a rule is nearer to the exact result;
- in a gradient, where the value itself is no finite number, where both overflow on the way, or
  where 0 * inf is nan: a rule may leave out what has no influence, and with it the nan; and behind
  a closed gate a compiled product with an infinite input is nan, where eager code does not go.

Whatever none of these explains is a `Difference`.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import mpmath
import numpy as np

from gradcompile.autodiff.reverse import reverse
from gradcompile.emit.straight import emit
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import Const, Program, Var, verify_program
from gradcompile.ir.signature import Signature, flat_signature
from gradcompile.ops.op import CONDITIONS
from gradcompile.passes import dce, run_passes
from tests.helpers.flat import by_number, flat, of_flat
from tests.helpers.oracles import BY_DEFINITION, NUMBERS, exact_slope, is_finite_real
from tests.helpers.programs import (
    INPUTS,
    Recipe,
    deadline,
    merged,
    random_points,
    random_recipe,
    shrink,
)

TOLERANCE = 1e-12

Point = tuple[float, ...]


@dataclass(frozen=True)
class Difference:
    """Two engines that disagree about a program at a point."""

    kind: str
    recipe: Recipe
    at: Point
    detail: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.at}: {self.detail}\n{self.recipe}"


@dataclass
class Tally:
    """What a run of comparisons found."""

    compared: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = Counter(difference.kind for difference in self.differences)
        return (
            f"compared {dict(self.compared)}\nexplained {dict(self.explained)}\n"
            f"different {dict(kinds)}"
        )

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.compared + other.compared,
            self.explained + other.explained,
            self.differences + other.differences,
        )


# --- engines ---------------------------------------------------------------------------------


def python(
    program: Program, signature: Signature | None = None
) -> Callable[[Sequence[float]], list[float]]:
    """The emitted text of a program as CPython runs it."""
    signature = signature or flat_signature(program)
    return of_flat(emitted(program, signature), signature)


def emitted(program: Program, signature: Signature | None = None) -> Callable[..., Any]:
    """The function that the emitted text defines: of flat arrays, if no signature is given."""
    return executed(emit(program, signature or flat_signature(program), "f"))


def executed(source: str) -> Callable[..., Any]:
    """The function `f` of a text."""
    names: dict[str, Any] = {}
    exec(compile(source, "<emitted>", "exec"), names)
    function: Callable[..., Any] = names["f"]
    return function


def machine(
    programs: Sequence[Program], translated: bool = True
) -> Callable[[Sequence[Point]], list[list[float]]]:
    """The machine code of many programs, compiled as one kernel; gives each one's results.

    The text reaches numba as LLVM text, or else as Python.
    """
    from gradcompile.jit import jit

    program = merged(programs)
    signature = flat_signature(program)
    source = emit(program, signature, "f")
    known = source if translated else ""
    dispatcher = jit(executed(source), signature, source=known, use_cache=False)
    sizes = [len(list(program.flat_outputs)) for program in programs]

    def run(points: Sequence[Point]) -> list[list[float]]:
        results = iter(flat(dispatcher(np.array([x for at in points for x in at], np.float64))))
        return [[next(results) for _ in range(size)] for size in sizes]

    return run


def eager(recipe: Recipe, at: Point) -> tuple[float, list[float]]:
    """The value and the gradient of the graph."""
    root, inputs = recipe.graph(at)
    root.backward()
    return root.data, [x.grad for x in inputs]


# --- comparing -------------------------------------------------------------------------------


def same(a: Sequence[float], b: Sequence[float]) -> bool:
    """Equal bit for bit; nan equals nan."""
    return [Const(x) for x in a] == [Const(x) for x in b]


def near(a: float, b: float) -> bool:
    """Equal to 1e-12 relative; the sign of zero does not count."""
    if a == b or (math.isnan(a) and math.isnan(b)):
        return True
    if not (math.isfinite(a) and math.isfinite(b)):
        return False
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b))


def all_near(a: Sequence[float], b: Sequence[float]) -> bool:
    return len(a) == len(b) and all(map(near, a, b))


def run_with(
    program: Program, at: Sequence[float], change: Callable[[str, tuple[float, ...], float], float]
) -> list[float]:
    """The interpreter, with a change to each result."""
    values: dict[Var, float] = {
        var: change("input", (x,), x) for var, x in zip(program.inputs, at, strict=True)
    }

    def read(operand: Any) -> float:
        if isinstance(operand, Const):
            return change("const", (operand.value,), operand.value)
        return values[operand]

    for result, op, operands, _ in program.instructions:
        numbers = tuple(map(read, operands))
        values[result] = change(op.name, numbers, op.evaluate(*numbers))
    return [read(operand) for operand in program.flat_outputs]


def unsigned_zeros(name: str, operands: tuple[float, ...], result: float) -> float:
    return result + 0.0


ULPS = {"digamma": 16, "polygamma": 16, "lgamma": 16}
"""How far a result may be off, where that is more than about two units in the last place."""


class Jitter:
    """Changes each result by about one ulp; the same operation on the same operands alike."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.factors: dict[tuple[Any, ...], float] = {}

    def __call__(self, name: str, operands: tuple[float, ...], result: float) -> float:
        if name in ("const", "copy", "neg") or result == 0.0:
            return result + 0.0
        key = (name, *sorted(operands)) if name in ("add", "mul") else (name, *operands)
        if key not in self.factors:
            ulps = self.rng.uniform(-1.0, 1.0) * ULPS.get(name, 2)
            self.factors[key] = 1.0 + ulps * 2.0**-52
        return result * self.factors[key]


def spread(program: Program, at: Point, component: int) -> float:
    """How far small changes of every result move an output; inf where one of them is not finite."""
    runs = [run_with(program, at, Jitter(seed))[component] for seed in range(8)]
    return max(runs) - min(runs) if all(map(math.isfinite, runs)) else math.inf


def no_zero_times_infinity(name: str, operands: tuple[float, ...], result: float) -> float:
    if name == "mul" and 0.0 in operands:
        return 0.0
    return result


def explain(
    programs: tuple[Program, Program], at: Point, component: int, a: float, b: float
) -> str | None:
    """Why two programs for the same thing give different numbers; None if nothing explains it.

    Args:
        programs: as written, and after passes.
        at: the point.
        component: the output that differs.
        a: what the first gives.
        b: what the second gives.
    """
    if near(a, b):
        return "rounding"
    unsigned = [run_with(p, at, unsigned_zeros)[component] for p in programs]
    if near(*unsigned):
        return "sign of zero"
    if math.isfinite(a) and math.isfinite(b):
        if max(spread(p, at, component) for p in programs) >= abs(a - b) / 4:
            return "condition"
    elif any(
        near(run_with(p, at, Jitter(seed))[component], other)
        for p, other in zip(programs, (b, a), strict=True)
        for seed in range(8)
    ):
        return "condition"
    truth = exact_output(programs[0], at, component)
    if truth is None or not math.isfinite(b):
        return None
    errors = [abs(mpmath.mpf(x) - truth) if math.isfinite(x) else mpmath.inf for x in (a, b)]
    return "nearer to the exact result" if errors[1] <= errors[0] else None


# --- exact numbers ---------------------------------------------------------------------------


class NotExact(Exception):  # noqa: N818
    """There is no exact number to compare with."""


MODERATE = 1500
"""Numbers of more decimal digits than this before the point, or zeros behind it, are huge."""

FIT_FOR_HUGE = {
    "add", "sub", "mul", "div", "neg", "copy", "square", "reciprocal", "stop_gradient", "log",
    "log2", "log10", "log1p", "sqrt", "rsqrt", "cbrt", "hypot", "atan", "atan2", "asinh", "acosh",
    "erf", "maximum", "minimum", "clip", "where", "relu", "leaky_relu", "abs", "sign", "copysign",
    "floor", "ceil", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal",
    "logical_and", "logical_or", "logical_not",
}  # fmt: skip
"""Operations that are quick on huge numbers; the exp or sin of one would not fit into memory."""


def is_huge(x: Any) -> bool:
    """Is it so large or so small that only some operations are quick on it?"""
    return bool(x != 0 and abs(mpmath.log10(abs(x))) > MODERATE)


def exact_values(program: Program, at: Point) -> dict[Var, Any]:
    """Every value of a program in 50 digits.

    Raises:
        NotExact: one of them is no finite real number, or cannot be computed from a huge one.
    """
    values: dict[Var, Any] = {}

    def keep(var: Var, x: Any) -> None:
        number = mpmath.mpmathify(x)
        if not is_finite_real(number):
            raise NotExact
        values[var] = number

    for var, x in zip(program.inputs, at, strict=True):
        keep(var, mpmath.mpf(x))
    for result, op, operands, _ in program.instructions:
        numbers = [mpmath.mpf(x.value) if isinstance(x, Const) else values[x] for x in operands]
        if op.name not in FIT_FOR_HUGE and any(map(is_huge, numbers)):
            raise NotExact
        try:
            keep(result, NUMBERS.function(op)(*numbers))
        except (ArithmeticError, ValueError, TypeError) as error:
            raise NotExact from error
    return values


def is_smooth(program: Program, at: Point) -> bool:
    """Is every operation smooth here, and does rounding decide no choice?"""
    exact = exact_values(program, at)
    floats: dict[Var, float] = dict(zip(program.inputs, at, strict=True))
    for result, op, operands, _ in program.instructions:
        numbers = [x.value if isinstance(x, Const) else floats[x] for x in operands]
        floats[result] = op.evaluate(*numbers)
        try:
            inside = op.name in BY_DEFINITION or op.contains(*numbers)
        except (ArithmeticError, ValueError):
            return False
        # The step of the difference quotient has to be small beside everything that is compared.
        if not inside or not all(map(_is_moderate, (*numbers, floats[result]))):
            return False
        if abs(exact[result] - floats[result]) > 1e-9 * (1 + abs(exact[result])):
            return False
        for name, operand in zip(op.operand_names, operands, strict=True):
            if name in CONDITIONS and isinstance(operand, Var):
                # Rounding decides nothing here, and no small step does.
                if bool(exact[operand]) != bool(floats[operand]):
                    return False
                if not bool(floats[operand]) and not _is_piecewise_constant(program, operand):
                    return False
    return True


def _is_moderate(x: float) -> bool:
    return x == 0.0 or 1e-30 < abs(x) < 1e30


def _is_piecewise_constant(program: Program, var: Var) -> bool:
    for result, op, _, _ in program.instructions:
        if result is var:
            return all(partial is None for partial in op.partials)
    return False


def exact_output(program: Program, at: Point, component: int) -> Any:
    """One result of a program in exact arithmetic; None where there is none to compare with."""
    output = list(program.flat_outputs)[component]
    try:
        with mpmath.workdps(50), deadline(5):
            values = exact_values(dce(replace(program, outputs=(output,))), at)
            return mpmath.mpf(output.value) if isinstance(output, Const) else values[output]
    except (NotExact, TimeoutError):
        return None


def is_limit(program: Program, at: Point, component: int, found: float) -> bool:
    """Is it what the exact result tends to, from one side at least?"""
    for side in (1, -1):
        beside = [mpmath.mpf(x) + side * mpmath.mpf(10) ** -40 * max(1, abs(x)) for x in at]
        exact = exact_output(program, tuple(beside), component)
        if exact is not None and abs(exact - found) <= 1e-6 * max(1, abs(found)):
            return True
    return False


def exact_gradient(program: Program, at: Point) -> list[Any] | None:
    """The exact gradient where the program is smooth, else None."""
    try:
        with mpmath.workdps(50), deadline(5):
            if not is_smooth(program, at):
                return None
            return [exact_slope(program, at, index) for index in range(len(at))]
    except (NotExact, TimeoutError, ArithmeticError, ValueError, TypeError):
        return None


# --- one program, all engines ------------------------------------------------------------------


class Subject:
    """A random program and everything that is made of it."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.program = verify_program(recipe.program())
        self.optimised = run_passes(self.program, verify_program)
        self.raw_gradient = verify_program(reverse(self.program, range(INPUTS)))
        gradient = verify_program(reverse(self.optimised, range(INPUTS)))
        self.gradient = run_passes(gradient, verify_program)

    def compare(self, points: Sequence[Point], tally: Tally) -> None:
        """Every engine but machine code, at each point."""
        engines = {
            "emitted": (python(self.program), self.program),
            "emitted, optimised": (python(self.optimised), self.optimised),
            "emitted gradient": (python(self.gradient), self.gradient),
            "emitted, numbers": (python(*by_number(self.gradient)), self.gradient),
        }
        for at in points:
            for kind, (run, program) in engines.items():
                with self.caught(kind, at, tally):
                    self.equal(kind, at, run(at), flat(interpret(program, at)), tally)
            with self.caught("eager", at, tally):
                value, gradient = eager(self.recipe, at)
                self.equal("eager", at, [value], flat(interpret(self.program, at)), tally)
                self.explained("optimised", at, [value], tally)
                self.explained("gradient", at, [value, *gradient], tally)
            exact = exact_gradient(self.program, at)
            if exact is not None:
                with self.caught("exact", at, tally):
                    self.exact(at, exact, tally)

    @contextmanager
    def caught(self, kind: str, at: Point, tally: Tally) -> Iterator[None]:
        """An exception, a warning made one, or an endless loop is a difference."""
        try:
            with deadline(5):
                yield
        except Exception as error:
            name = type(error).__name__
            tally.differences.append(Difference(f"{kind}: {name}", self.recipe, at, str(error)))

    def equal(
        self, kind: str, at: Point, found: Sequence[float], expected: Sequence[float], tally: Tally
    ) -> None:
        """Two runs of the same operations: equal bit for bit."""
        tally.compared[kind] += 1
        if not same(found, expected):
            detail = f"{found}, interpreter {expected}"
            tally.differences.append(Difference(kind, self.recipe, at, detail))

    def explained(self, kind: str, at: Point, given: Sequence[float], tally: Tally) -> None:
        """What was computed as written, and the program after its passes: near, or explained."""
        first, second = {
            "optimised": (self.program, self.optimised),
            "gradient": (self.raw_gradient, self.gradient),
        }[kind]
        tally.compared[kind] += 1
        found = flat(interpret(second, at))
        for k, (a, b) in enumerate(zip(given, found, strict=True)):
            if same([a], [b]):
                continue
            reason = explain((first, second), at, k, a, b)
            if reason is None and k > 0:  # a component of the gradient
                if not math.isfinite(given[0]):
                    reason = "no finite value"
                elif not math.isfinite(a) and not math.isfinite(b):
                    reason = "overflow"
                elif near(run_with(first, at, no_zero_times_infinity)[k], b):
                    reason = "zero times infinity"
                elif near(run_with(second, at, no_zero_times_infinity)[k], a):
                    reason = "infinity behind a gate"
                elif not math.isfinite(a) and is_limit(first, at, k, b):
                    reason = "the limit"
            if reason is None:
                detail = f"output {k}: eager {a}, compiled {b}"
                tally.differences.append(Difference(kind, self.recipe, at, detail))
                return
            tally.explained[reason] += 1

    def exact(self, at: Point, exact: Sequence[Any], tally: Tally) -> None:
        """The compiled gradient, and derivatives by high-precision differences."""
        tally.compared["exact"] += 1
        found = flat(interpret(self.gradient, at))[1:]
        for k, (a, b) in enumerate(zip(found, exact, strict=True)):
            if near(a, float(b)):
                continue
            error = abs(a - float(b))
            noise = max(spread(p, at, k + 1) for p in (self.raw_gradient, self.gradient))
            # Beside numbers of moderate size the difference quotient is not exact below 1e-60.
            if error <= 8 * noise or error < 1e-60:
                tally.explained["condition"] += 1
                continue
            detail = f"d/dx{k}: {a}, exactly {float(b)!r}"
            tally.differences.append(Difference("exact", self.recipe, at, detail))
            return


def compare(recipe: Recipe, points: Sequence[Point], tally: Tally) -> Subject | None:
    """Compare a program's engines, all but machine code; None if it does not even compile."""
    try:
        with deadline(10):
            subject = Subject(recipe)
    except Exception as error:
        kind = f"compiling: {type(error).__name__}"
        tally.differences.append(Difference(kind, recipe, tuple(points[0]), str(error)))
        return None
    subject.compare(points, tally)
    return subject


def compare_machine(
    subjects: Sequence[Subject], points: Sequence[Sequence[Point]], tally: Tally
) -> None:
    """Compare machine code with the interpreter: value and gradient, many programs to a kernel."""
    try:
        run = machine([subject.gradient for subject in subjects])
    except Exception as error:
        if len(subjects) > 1:  # find the one that numba does not compile
            for subject, ats in zip(subjects, points, strict=True):
                compare_machine([subject], [ats], tally)
            return
        kind = f"machine code: {type(error).__name__}"
        difference = Difference(kind, subjects[0].recipe, tuple(points[0][0]), str(error))
        tally.differences.append(difference)
        return
    for at in zip(*points, strict=True):
        for subject, point, found in zip(subjects, at, run(at), strict=True):
            with subject.caught("machine code", point, tally):
                expected = flat(interpret(subject.gradient, point))
                subject.equal("machine code", point, found, expected, tally)


# --- many programs ---------------------------------------------------------------------------

BATCH = 20
"""Programs to a kernel: fewer waste numba's time for a function, more are slow for LLVM."""


def fuzz(seed: int, programs: Iterable[int], steps: int = 7, use_machine: bool = True) -> Tally:
    """Compare the programs of a seed by number, so that each can be had again alone."""
    tally = Tally()
    batch: list[tuple[Subject, list[Point]]] = []

    def finish() -> None:
        if batch:
            compare_machine([s for s, _ in batch], [points for _, points in batch], tally)
            batch.clear()

    for number in programs:
        rng = random.Random(f"{seed} {number}")
        recipe = random_recipe(rng, steps)
        points = random_points(rng)
        before = len(tally.differences)
        subject = compare(recipe, points, tally)
        hangs = any("Timeout" in d.kind for d in tally.differences[before:])
        if use_machine and subject is not None and not hangs:  # nothing stops machine code
            batch.append((subject, points))
        if len(batch) == BATCH:
            finish()
    finish()
    return tally


def shrunk(difference: Difference) -> Difference:
    """The same difference in a smaller program."""
    is_machine = difference.kind.startswith("machine")

    def found(recipe: Recipe, at: Point) -> list[Difference]:
        tally = Tally()
        subject = compare(recipe, [at], tally)
        if subject is not None and is_machine:
            compare_machine([subject], [[at]], tally)
        return [d for d in tally.differences if d.kind == difference.kind]

    recipe, at = shrink(
        difference.recipe,
        difference.at,
        lambda recipe, at: bool(found(recipe, at)),
        tries=60 if is_machine else 400,
    )
    again = found(recipe, at)
    return again[0] if again else difference


def report(tally: Tally, most: int = 12) -> str:
    """The tally, and differences that seem to have different causes, as small programs."""
    lines = [str(tally)]
    causes: list[tuple[str, set[str]]] = []
    for difference in sorted(tally.differences, key=lambda d: len(d.recipe.steps)):
        used = {step.op for step in difference.recipe.steps}
        if any(kind == difference.kind and ops <= used for kind, ops in causes):
            continue  # most likely the same cause, in a larger program
        if len(causes) == most:
            break
        small = shrunk(difference)
        causes.append((small.kind, {step.op for step in small.recipe.steps}))
        lines.append(str(small))
    return "\n\n".join(lines)
