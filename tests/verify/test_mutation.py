"""A fault put into the reverse sweep of emitted code is found by reading that code.

A few functions are compiled, and their source is changed in one place: a sign, an operand, a
missing contribution, a constant, a function, a condition, two entries of the gradient. If the
results change at any of many points, `verify_source` has to refute the text; and what it refutes
has to be wrong.
"""

import ast
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, ieee
from gradcompile.emit.reader import REVERSE
from gradcompile.ops.syntax import ExpressionError
from gradcompile.verify import statements
from gradcompile.verify.adjoints import verify_source
from tests.helpers.faults import REGIONS, changes, differ
from tests.helpers.flat import flat
from tests.helpers.slow import slow_but


def shared(t, y):
    return t * t * y + gdc.sin(t) / (t * t + 1) + t


FUNCTIONS = {
    "tanh and sigmoid": lambda x, y, z: gdc.tanh(x * y + z) * gdc.sigmoid(x - z) + gdc.exp(-y * y),
    "quotient": lambda x, y, z: gdc.log(x * x + y * y + 1) * gdc.sin(z) / (z * z + 2),
    "roots": lambda x, y: gdc.sqrt(x * x + 1) * gdc.cbrt(y) + gdc.hypot(x, y),
    "where": lambda x, y, z: gdc.where(x > y, x * z, y * z * z) + gdc.relu(z - x),
    "maximum and clip": lambda x, y: gdc.maximum(x * y, x + 1) * gdc.clip(y, -1, 1) + abs(x - y),
    "powers": lambda x, y: x**3 * y**2 - 2 * x / y + (x * x + 1) ** 1.5 + y**-1,
    "erf and softplus": lambda x, y, z: (x**3 + gdc.erf(y)) * gdc.softplus(z),
    "angles": lambda x, y: gdc.atan2(x, y * y + 1) * gdc.cos(y) + gdc.asinh(x * y),
    "gamma": lambda x, y: gdc.lgamma(x * x + 1) * gdc.expm1(y) + gdc.log1p(x * x),
    "shared": lambda x, y: shared(x * y + x, y),
    "logsumexp": lambda x, y, z: gdc.log(gdc.exp(x) + gdc.exp(2 * y) + gdc.exp(z * x)),
    "neuron": lambda w0, w1, x0, x1, b: gdc.tanh(w0 * x0 + w1 * x1 + b),
    "leaky": lambda x, y: gdc.leaky_relu(x - y) * gdc.elu(x * y) + gdc.gelu(y),
    "long": lambda *x: sum((a - 0.5 * b) * a for a, b in itertools.pairwise(x)),
}  # fmt: skip


@dataclass(frozen=True)
class Text:
    """The source of a kernel, and what it computes."""

    name: str
    source: str

    @cached_property
    def lines(self) -> list[str]:
        return self.source.splitlines()

    @cached_property
    def first(self) -> int:
        """The line at which the reverse sweep begins."""
        return next(k for k, line in enumerate(self.lines) if line.strip().startswith(REVERSE)) + 1

    def results(self, points: np.ndarray) -> np.ndarray:
        """The value and the gradient at every point."""
        function = self._function(self.source)
        with np.errstate(all="ignore"):
            return np.array([flat(run(function, at)) for at in points])

    def adjoints(self, points: np.ndarray) -> list[dict[str, float]]:
        """What each name of the reverse sweep is at every point."""
        kept = self.lines[: -1 if self.lines[-1].lstrip().startswith("return") else None]
        function = self._function("\n".join([*kept, "    return locals()"]))
        with np.errstate(all="ignore"):
            found = [run(function, at) for at in points]
        return [{n: float(x) for n, x in names.items() if np.ndim(x) == 0} for names in found]

    @staticmethod
    def _function(source: str) -> Callable:
        # A fault may call functions that the text does not import.
        names: dict = {name: getattr(ieee, name) for name in ieee.FUNCTIONS}
        exec(source, names)
        return next(x for n, x in names.items() if n.endswith("value_and_grad"))


def run(function: Callable, at: np.ndarray) -> Any:
    """Call the function of a text: its parameters are numbers, or one array of them."""
    code = function.__code__
    is_array = code.co_varnames[: code.co_argcount] == ("inputs",)
    return function(at) if is_array else function(*at)


def text_of(name: str) -> Text:
    function = FUNCTIONS[name]
    if name == "long":
        x = [Value(1.0, f"x{k}") for k in range(18)]
        return Text(name, gdc.compile(function(*x), inputs=x, cache=False, roll=False).source)
    return Text(name, gdc.compile(function, cache=False).source)


# --- faults --------------------------------------------------------------------------------------


def faults(text: Text, rng: random.Random) -> Iterator[tuple[str, Text]]:
    """Every single fault, as its kind and the changed text; what is put in is drawn."""
    *_, function = (x for x in ast.parse(text.source).body if isinstance(x, ast.FunctionDef))
    known = [x.arg for x in function.args.args if x.arg != "inputs"]
    for statement in function.body:
        k, end = statement.lineno - 1, statement.end_lineno
        if k >= text.first:
            for kind, changed in changes(statement, known, rng):
                lines = [*text.lines[:k], f"    {ast.unparse(changed)}", *text.lines[end:]]
                yield kind, Text(text.name, "\n".join(lines) + "\n")
        names = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
        known += [n.id for n in names if isinstance(n.ctx, ast.Store) and n.id != "gradient"]


# --- what they change ----------------------------------------------------------------------------


def random_points(text: Text, count: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    parameters = text.source.partition("value_and_grad(")[2].partition(")")[0]
    names = parameters.split(", ")
    arity = text.source.count("inputs[") if names == ["inputs"] else len(names)
    return np.array([rng.uniform(*REGIONS[k % len(REGIONS)], arity) for k in range(count)])


def points_at_numbers(text: Text, points: np.ndarray) -> np.ndarray:
    """Points that have an input between a number of the text and what a fault makes of it.

    A threshold moved by a thousandth is wrong in a thousandth of its size, which no random point
    meets.
    """
    numbers = {n.value for n in ast.walk(ast.parse(text.source)) if isinstance(n, ast.Constant)}
    found = []
    for number in sorted({abs(n) for n in numbers if isinstance(n, float) and n}):
        for at in (1.0005 * number, -1.0005 * number):
            for index in range(points.shape[1]):
                point = points[len(found) % len(points)].copy()
                point[index] = at
                found.append(point)
    return np.array([*points, *found])


def is_refuted(text: Text) -> bool:
    try:
        return not verify_source(text.source).ok
    except ExpressionError:
        return True


def a_name_is_wrong(right: Text, changed: Text, points: np.ndarray) -> bool:
    """Is an adjoint of the text another number, if only where nothing reads it?"""
    pairs = zip(right.adjoints(points), changed.adjoints(points), strict=True)
    return any(
        differ(np.array(list(a.values())), np.array([b[name] for name in a])) for a, b in pairs
    )


@dataclass
class Score:
    """What became of the faults."""

    refuted: Counter
    harmless: int = 0
    missed: list[str] | None = None
    false_alarms: list[str] | None = None

    def __post_init__(self) -> None:
        self.missed, self.false_alarms = [], []


def is_wrong(right, changed, points):
    """Does a changed text give other results, or none?"""
    try:
        return differ(right, changed.results(points))
    except (NameError, TypeError):  # it reads what is not there yet, or -(a > b)
        return True


def try_faults(count: int, seed: int) -> Score:
    """Draw that many faults over all functions, each function as often as any."""
    rng = random.Random(seed)
    score = Score(Counter())
    for place, name in enumerate(FUNCTIONS):
        share = count // len(FUNCTIONS) + (place < count % len(FUNCTIONS))
        if not share:
            break
        text = text_of(name)
        points = points_at_numbers(text, random_points(text))
        right = text.results(points)
        every = list(faults(text, rng))
        # Faults of each kind as often as of any other, as far as there are some.
        rng.shuffle(every)
        seen: Counter = Counter()
        order = []
        for kind, changed in every:
            order.append((seen[kind], kind, changed))
            seen[kind] += 1
        order.sort(key=lambda item: item[0])
        for _, kind, changed in order[:share]:
            wrong = is_wrong(right, changed, points)
            refuted = is_refuted(changed)
            pairs = itertools.zip_longest(text.lines, changed.lines, fillvalue="")
            new = next((line for old, line in pairs if line != old), "")
            if wrong and refuted:
                score.refuted[kind] += 1
            elif wrong:
                score.missed.append(f"{name}: {kind}: {new}")
            elif refuted and not a_name_is_wrong(text, changed, points):
                score.false_alarms.append(f"{name}: {kind}: {new}")
            else:
                score.harmless += 1
    return score


@pytest.mark.parametrize(
    "name", slow_but(FUNCTIONS.keys() - {"logsumexp", "neuron", "tanh and sigmoid"}, FUNCTIONS)
)
def test_the_text_as_emitted_is_right(name):
    report = verify_source(text_of(name).source)
    assert report.ok
    assert {check.verdict for check in report.statements} <= {"proved", "confirmed"}


@pytest.mark.parametrize(("count", "least"), slow_but([(4, 3)], [(4, 3), (8, 6)]))
def test_faults_in_the_reverse_sweep_are_refuted(count, least):
    score = try_faults(count, seed=1)
    assert score.missed == []
    assert score.false_alarms == []
    assert score.refuted.total() >= least


def test_each_entry_of_a_long_gradient_is_filled_once():
    text = text_of("long").source
    assert "gradient[0] = " in text
    assert is_refuted(Text("", text.replace("gradient[0] = ", "gradient[1] = ", 1)))
    assert is_refuted(Text("", text.replace("gradient[0] = ", "", 1)))
    assert is_refuted(Text("", text.replace("empty(18)", "empty(19)")))


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        (lambda x: gdc.where(x > 30, x * x, x), "2.0 * x", "3.0 * x"),
        (lambda x: gdc.where(x < -1e3, gdc.sin(x), x), "cos(x)", "sin(x)"),
        (lambda x: gdc.where(abs(x) < 1e-3, x * x, x), "2.0 * x", "3.0 * x"),
        (lambda x, y: gdc.where((x > 1.9) & (y < -1.9), x * x * y, x), "2.0 * x", "3.0 * x"),
        (lambda x: gdc.relu(x - 50) * x, "v1 > 0.0", "v1 > 1.0"),
        (lambda x: gdc.maximum(gdc.exp(x), 1e9), "v1 > 1000000000.0", "v1 > 0.0"),
    ],
)
def test_a_fault_in_a_branch_that_is_seldom_taken_is_refuted(function, right, wrong):
    source = gdc.compile(function, cache=False).source
    first, sweep, second = source.partition(REVERSE)
    assert right in second
    assert not is_refuted(Text("", source))
    assert is_refuted(Text("", first + sweep + second.replace(right, wrong)))


def test_a_tie_that_is_none_is_refuted():
    # The maximum equals one of its operands wherever that is the larger one.
    text = text_of("maximum and clip")
    changed = text.source.replace("if v1 == v2 else", "if v3 == v2 else")
    assert changed != text.source
    assert verify_source(text.source).ok
    assert not verify_source(changed).ok


@pytest.mark.slow
def test_hundreds_of_faults_are_refuted():
    score = try_faults(420, seed=2)
    print(f"refuted {score.refuted.total()} of {420 - score.harmless}: {dict(score.refuted)}")
    assert score.missed == []
    assert score.false_alarms == []
    assert score.refuted.total() >= 300
    assert set(score.refuted) == {
        "sign", "operand", "missing contribution", "missing factor", "operation", "constant",
        "function", "condition", "swapped entries",
    }  # fmt: skip


# --- at scale ------------------------------------------------------------------------------------


def large(statements: int) -> Text:
    """A program of about so many statements."""
    rng = random.Random(1)
    inputs = [Value(0.3 * k - 1.0, f"x{k}") for k in range(10)]
    pool = list(inputs)
    while len(pool) < statements:
        a, b = rng.choice(pool[-60:]), rng.choice(pool[-60:])
        pool.append(
            rng.choice(
                (
                    lambda a=a, b=b: a + 0.5 * b,
                    lambda a=a, b=b: gdc.tanh(a) * b,
                    lambda a=a, b=b: gdc.sin(a) - b,
                    lambda a=a, b=b: a / (1.5 + b * b),
                    lambda a=a, b=b: gdc.sigmoid(a) + gdc.softplus(b),
                )
            )()
        )
    total = sum(pool[::20])  # so that adjoints everywhere matter
    return Text("large", gdc.compile(total, inputs=inputs, cache=False).source)


def branching(statements: int) -> Text:
    """A program of about so many statements that choose, with zero adjoints where they did not."""
    rng = random.Random(3)
    inputs = [Value(0.3 * k - 1.0, f"x{k}") for k in range(10)]
    pool = list(inputs)
    while len(pool) < statements:
        a, b = rng.choice(pool[-60:]), rng.choice(pool[-60:])
        pool.append(
            rng.choice(
                (
                    lambda a=a, b=b: gdc.relu(a - b) + 0.5 * b,
                    lambda a=a, b=b: gdc.maximum(a, b) * 0.7,
                    lambda a=a, b=b: gdc.where(a > b, gdc.sin(a), b),
                    lambda a=a, b=b: abs(a) - b,
                    lambda a=a, b=b: gdc.leaky_relu(a) + 0.3 * b,
                    lambda a=a, b=b: gdc.tanh(a) * b,
                )
            )()
        )
    return Text("branching", gdc.compile(sum(pool[::20]), inputs=inputs, cache=False).source)


def refutes_one_fault(text: Text, rng: random.Random) -> bool:
    points = random_points(text, 12)
    right = text.results(points)
    lines = [k for k in range(text.first, len(text.lines) - 1) if " + " in text.lines[k]]
    while True:
        k = rng.choice(lines)
        lines_changed = list(text.lines)
        lines_changed[k] = text.lines[k].split("  #")[0].replace(" + ", " - ", 1)
        changed = Text(text.name, "\n".join(lines_changed) + "\n")
        if differ(right, changed.results(points)):
            return is_refuted(changed)


@pytest.mark.slow
def test_a_fault_in_a_program_of_hundreds_of_statements_is_found():
    text = large(200)
    assert verify_source(text.source).ok
    assert refutes_one_fault(text, random.Random(0))


@pytest.mark.parametrize(
    ("length", "count"),
    [pytest.param(*case, marks=pytest.mark.slow) for case in ((140, 1), (400, 30))],
)
def test_faults_in_branches_of_a_long_program_are_refuted(length, count, monkeypatch):
    monkeypatch.setattr(statements, "MAX_STATEMENTS_FOR_SYMPY", 60)  # so that numbers decide
    text = branching(length)
    assert verify_source(text.source).ok
    points = random_points(text)
    right = text.results(points)
    rng = random.Random(5)
    drawn = list(faults(text, rng))
    rng.shuffle(drawn)
    tried = 0
    for kind, changed in drawn:
        # A name of the forward sweep in another's place may be equal to it wherever one looks.
        if kind in ("condition", "constant", "function", "missing contribution", "sign"):
            if is_wrong(right, changed, points):
                tried += 1
                pairs = itertools.zip_longest(text.lines, changed.lines, fillvalue="")
                new = next((line for old, line in pairs if line != old), "")
                assert is_refuted(changed), f"{kind}: {new}"
            if tried == count:
                return
    raise AssertionError("too few faults")


@pytest.mark.slow
def test_ten_thousand_statements_are_verified_in_a_minute():
    text = large(7_000)
    assert len(text.lines) > 10_000
    start = time.process_time()  # what others do on a shared machine does not count
    report = verify_source(text.source)
    assert time.process_time() - start < 60.0
    assert report.ok
    assert len(report) == 10
    assert len(report.statements) > 4_000
    assert refutes_one_fault(text, random.Random(0))
