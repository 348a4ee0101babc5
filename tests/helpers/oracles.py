"""What the op table is checked against: hand-written mpmath functions, and sympy.

The functions here return what is wrong as text, so that a test can also hand them a wrong row and
require that they notice. A row without an oracle is a wrong row.
"""

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import sympy

from gradcompile.autodiff.reverse import reverse
from gradcompile.ir.program import Const, Instruction, Program, Var, verify_program
from gradcompile.ops.op import CONDITIONS, Op
from gradcompile.ops.operators import Operators
from gradcompile.ops.syntax import evaluate, parse
from gradcompile.ops.table import CONSTANTS, stop_gradient
from gradcompile.passes import run_passes
from gradcompile.verify import symbols as symbolic
from gradcompile.verify.digits import algebra

DIGITS = 50

Point = tuple[float, ...]

# --- what every operation means, independently of the table ----------------------------------


def _log1p_exp(x: Any) -> Any:
    return mpmath.log1p(mpmath.exp(x)) if x < 0 else x + mpmath.log1p(mpmath.exp(-x))


def _truth(condition: Any) -> Any:
    return mpmath.mpf(1 if condition else 0)


def _fmod(a: Any, b: Any) -> Any:
    return mpmath.sign(a) * mpmath.fmod(abs(a), abs(b))


MEANING: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda x: -x,
    "copy": lambda x: x,
    "pow": mpmath.power,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "remainder": lambda a, b: a - b * mpmath.floor(a / b),
    "floor_divide": lambda a, b: mpmath.floor(a / b),
    "xlogy": lambda a, b: a * mpmath.log(b),
    "xlog1py": lambda a, b: a * mpmath.log1p(b),
    "entr": lambda x: -x * mpmath.log(x),
    "logit": lambda x: mpmath.log(x) - mpmath.log1p(-x),
    "sinc": mpmath.sincpi,
    "sinc_slope": lambda x: (mpmath.cospi(x) - mpmath.sincpi(x)) / x,
    "erfcx": lambda x: mpmath.exp(x * x) * mpmath.erfc(x),
    "ndtr": mpmath.ncdf,
    "log_ndtr": lambda x: mpmath.log(mpmath.ncdf(x)),
    "ndtri": lambda x: mpmath.sqrt(2) * mpmath.erfinv(2 * x - 1),
    "betaln": lambda a, b: mpmath.log(mpmath.beta(a, b)),
    "log_sigmoid": lambda x: -_log1p_exp(-x),
    "trunc": lambda x: mpmath.sign(x) * mpmath.floor(abs(x)),
    "rint": mpmath.nint,
    "heaviside": lambda x, half: _truth(x > 0) if x != 0 else half,
    "exp2": lambda x: mpmath.power(2, x),
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "log10": lambda x: mpmath.log(x) / mpmath.log(10),
    "logaddexp": lambda a, b: b + _log1p_exp(a - b),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": _log1p_exp,
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * mpmath.ncdf(x),
    "leaky_relu": lambda x, *slope: x if x > 0 else (slope[0] if slope else 0.01) * x,
    "elu": lambda x, *scale: x if x > 0 else (scale[0] if scale else 1) * mpmath.expm1(x),
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "abs": abs,
    "sign": mpmath.sign,
    "maximum": max,
    "minimum": min,
    "clip": lambda x, low, high: min(max(x, low), high),
    "copysign": lambda a, b: -abs(a) if b < 0 else abs(a),
    "fmod": _fmod,
    "polygamma": mpmath.psi,
    "stop_gradient": lambda x: x,
    "lgamma": lambda x: mpmath.loggamma(x).real,
    "where": lambda c, a, b: a if c else b,
    "greater": lambda a, b: _truth(a > b),
    "greater_equal": lambda a, b: _truth(a >= b),
    "less": lambda a, b: _truth(a < b),
    "less_equal": lambda a, b: _truth(a <= b),
    "equal": lambda a, b: _truth(a == b),
    "not_equal": lambda a, b: _truth(a != b),
    "logical_and": lambda c, d: _truth(c and d),
    "logical_or": lambda c, d: _truth(c or d),
    "logical_not": lambda c: _truth(not c),
}
"""The operations that mpmath does not have under the same name."""


COUNTS = {("polygamma", "n")}
"""Operands that are whole numbers: there is no derivative by them."""

BY_DEFINITION = {"stop_gradient"}
"""Operations whose slope is not the derivative, and meant not to be."""


def meaning(op: Op) -> Callable[..., Any] | None:
    """The operation on mpmath numbers, as a person wrote it down; None if nobody has."""
    return MEANING.get(op.name) or getattr(mpmath, op.name, None)


# --- the table's own lambdas and texts over sympy and mpmath ----------------------------------


@dataclass(frozen=True)
class Algebra:
    """Functions by the table's names, and what makes a number."""

    functions: Mapping[str, Callable[..., Any]]
    number: Callable[[float], Any]

    def function(self, op: Op) -> Callable[..., Any]:
        """What a row says over this algebra; raises if that cannot be said."""
        if op.name in self.functions:
            return self.functions[op.name]
        tree = parse(op.sympy or op.expression)
        return lambda *operands: evaluate(
            tree, dict(zip(op.operand_names, operands, strict=True)), self.functions, self.number
        )

    def partial(self, op: Op, index: int, y: Any, operands: Sequence[Any]) -> Any:
        """A row's partial over this algebra."""
        partial = op.partials[index]
        if partial is None:
            return self.number(0.0)
        slope = partial(Lifted(self, y), *[Lifted(self, x) for x in operands])
        return slope.content if isinstance(slope, Lifted) else self.number(float(slope))

    def run(
        self, program: Program, inputs: Sequence[Any], frozen: dict[Var, Any] | None = None
    ) -> list[Any]:
        """Every output of a program over this algebra.

        What is in `frozen` keeps its value; what `stop_gradient` gives is put there.
        """
        values: dict[Var, Any] = dict(zip(program.inputs, inputs, strict=True))

        def read(operand: Any) -> Any:
            return self.number(operand.value) if isinstance(operand, Const) else values[operand]

        for result, op, operands, _ in program.instructions:
            if op is stop_gradient and frozen is not None:
                values[result] = frozen.setdefault(result, read(operands[0]))
            else:
                values[result] = self.function(op)(*map(read, operands))
        return [read(operand) for operand in program.flat_outputs]


class Lifted(Operators):
    """A member of an algebra, on which the table's lambdas compute."""

    __slots__ = ("algebra", "content")

    def __init__(self, algebra: Algebra, content: Any) -> None:
        self.algebra = algebra
        self.content = content

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> "Lifted":
        contents = [
            x.content if isinstance(x, Lifted) else self.algebra.number(op.as_float(x))
            for x in operands
        ]
        return Lifted(self.algebra, self.algebra.function(op)(*contents))


def _with_negatives(number: Callable[[float], Any]) -> Callable[[float], Any]:
    # In text the minus of a constant stands before it; a lambda has the number as a whole.
    return lambda x: -number(-x) if -x in CONSTANTS else number(x)


SYMBOLS = Algebra(symbolic.SYMBOLS, _with_negatives(symbolic.exact))
_FUNCTIONS, _PRECISE = algebra(mpmath.mp)
NUMBERS = Algebra(_FUNCTIONS, _with_negatives(_PRECISE))

# --- points ----------------------------------------------------------------------------------

_RANGES = ((-2.0, 2.0), (0.1, 3.0), (-0.9, 0.9), (1.0, 20.0), (-20.0, 20.0))


def sample(op: Op, rng: random.Random) -> tuple[float, ...] | None:
    """A random point of the domain; None if a thousand tries do not find one."""
    for _ in range(1000):
        low, high = rng.choice(_RANGES)
        whole = rng.random() < 0.2  # some operands are counts
        point = tuple(
            rng.choice((0.0, 1.0, -2.5))
            if name in CONDITIONS
            else float(round(rng.uniform(low, high), 0 if whole else 17))
            for name in op.operand_names
        )
        if op.contains(*point):
            return point
    return None


def samples(op: Op, count: int, seed: int = 0) -> list[tuple[float, ...]]:
    """Random points of the domain, the same ones every time; none if the domain seems empty."""
    rng = random.Random(f"{op.name} {seed}")
    return [point for point in (sample(op, rng) for _ in range(count)) if point is not None]


# --- the checks ------------------------------------------------------------------------------


def close(a: Any, b: Any, digits: int) -> bool:
    """Do two mpmath numbers agree to so many digits, relative to the larger or to 1e-3?"""
    if a == b:
        return True
    if not (mpmath.isfinite(a) and mpmath.isfinite(b)):
        return bool(mpmath.isnan(a) and mpmath.isnan(b))
    scale = max(abs(a), abs(b), mpmath.mpf(1e-3))
    return bool(abs(a - b) <= scale * mpmath.mpf(10) ** -digits)


def wrong_values(op: Op, count: int = 20) -> list[str]:
    """Where the row's result differs from what the operation means: as text, and in floats."""

    def check(function: Callable[..., Any], point: Point) -> Iterator[str]:
        at = [mpmath.mpf(x) for x in point]
        exact = mpmath.mpmathify(function(*at))
        text = mpmath.mpmathify(NUMBERS.function(op)(*at))
        if not close(exact, text, DIGITS - 5):
            yield f"the text says {text}, not {exact}"
        if not close(exact, mpmath.mpf(op.evaluate(*point)), 13):
            yield f"{op.evaluate(*point)!r}, not {exact}"

    return _at_points(op, count, check)


def wrong_partials(op: Op, count: int = 5) -> list[str]:
    """Where a partial differs from mpmath's derivative of what the operation means."""

    def check(function: Callable[..., Any], point: Point) -> Iterator[str]:
        at = [mpmath.mpf(x) for x in point]
        y = NUMBERS.function(op)(*at)
        for index, name in _differentiable(op):
            exact = _derivative(function, at, [index])
            given = mpmath.mpmathify(NUMBERS.partial(op, index, y, at))
            if not close(exact, given, DIGITS - 10):
                yield f"by {name} {given}, not {exact}"

    return _at_points(op, count, check)


def wrong_second_derivatives(op: Op, count: int = 2) -> list[str]:
    """Where reverse mode, applied twice, differs from mpmath's second derivatives."""
    inputs = [Var(name) for name in op.operand_names]
    y = Var("y")
    program = Program(op.name, tuple(inputs), (Instruction(y, op, tuple(inputs)),), (y,))
    by = [index for index, _ in _differentiable(op)]
    raw, optimised = [], []
    for k in range(len(by)):
        first = reverse(program, by, keep_value=False)
        first = replace(first, outputs=(list(first.flat_outputs)[k],))
        raw.append(verify_program(reverse(first, by, keep_value=False)))
        first = run_passes(first, verify_program)
        optimised.append(run_passes(reverse(first, by, keep_value=False), verify_program))

    def check(function: Callable[..., Any], point: Point) -> Iterator[str]:
        at = [mpmath.mpf(x) for x in point]
        # What folds two constants rounds them; everything else is exact.
        for programs, digits in ((raw, DIGITS - 20), (optimised, 14)):
            for i, row in zip(by, programs, strict=True):
                for j, given in zip(by, NUMBERS.run(row, at), strict=True):
                    exact = _derivative(function, at, [i, j])
                    if not close(exact, mpmath.mpmathify(given), digits):
                        names = f"{op.operand_names[i]} and {op.operand_names[j]}"
                        yield f"by {names} {given}, not {exact}"

    return _at_points(op, count, check)


def _at_points(
    op: Op, count: int, check: Callable[[Callable[..., Any], Point], Iterator[str]]
) -> list[str]:
    """What `check` finds at points of the domain; a row that cannot be checked is wrong."""
    function, points = meaning(op), samples(op, count)
    if op.name in BY_DEFINITION:
        return []
    if function is None:
        return [f"{op.name}: no oracle: write its meaning into tests/helpers/oracles.py"]
    if not points:
        return [f"{op.name}: no point found in its domain {op.domain!r}"]
    wrong: list[str] = []
    for point in points:
        try:
            with mpmath.workdps(DIGITS):
                wrong.extend(f"{op.name}{point}: {text}" for text in check(function, point))
        except Exception as error:
            wrong.append(f"{op.name}{point}: {type(error).__name__}: {error!s:.100}")
    return wrong


def unproved_partials(op: Op) -> list[str]:
    """The partials that sympy does not prove equal to its own derivative of the row's text."""
    if op.name in BY_DEFINITION:
        return []
    try:
        return [
            f"{op.name}: by {name}: {SYMBOLS.function(op)(*_symbols(op).values())} gives {found}"
            for index, name in _differentiable(op)
            if (found := _unproved(op, index)) is not None
        ]
    except Exception as error:
        return [f"{op.name}: no oracle: {type(error).__name__}: {error!s:.100}"]


def _differentiable(op: Op) -> Iterator[tuple[int, str]]:
    for index, name in enumerate(op.operand_names):
        if name not in CONDITIONS and (op.name, name) not in COUNTS:
            yield index, name


def _derivative(function: Callable[..., Any], at: Sequence[Any], by: Sequence[int]) -> Any:
    orders = tuple(by.count(index) for index in range(len(at)))
    return mpmath.mpmathify(mpmath.diff(function, tuple(at), orders)).real


def _symbols(op: Op) -> dict[str, sympy.Symbol]:
    return {
        name: sympy.Symbol(name, integer=True, positive=True)
        if (op.name, name) in COUNTS
        else sympy.Symbol(name, real=True)
        for name in op.operand_names
    }


Chart = dict[str, Any]
"""A part of the domain: each operand as an expression in symbols that are real or positive."""


def _charts(op: Op) -> Iterator[list[Chart]]:
    """Ways to cover the domain: as a whole, by the operands' signs, by their order.

    `abs` is smooth on each side of 0 and `maximum` on each side of a = b; sympy decides what it
    is told by assumptions, and only there are these derivatives claimed.
    """
    names = op.operand_names
    yield [dict(_symbols(op))]
    positive = [sympy.Symbol(f"p_{name}", positive=True) for name in names]
    yield [
        {name: sign * p for name, sign, p in zip(names, signs, positive, strict=True)}
        for signs in itertools.product((1, -1), repeat=len(names))
    ]
    base = sympy.Symbol("base", real=True)
    sums = [base + sum(positive[:k], sympy.Integer(0)) for k in range(len(names))]
    yield [dict(zip(order, sums, strict=True)) for order in itertools.permutations(names)]


def _meets_domain(op: Op, chart: Chart) -> bool:
    rng = random.Random(0)
    for _ in range(40):
        scale = rng.choice((0.5, 3.0, 30.0))
        numbers = {}
        for symbol in sorted(set().union(*(x.free_symbols for x in chart.values())), key=str):
            number = rng.uniform(0.0 if symbol.is_positive else -scale, scale)
            numbers[symbol] = math.ceil(number) if symbol.is_integer else number
        point = [float(chart[name].subs(numbers)) for name in op.operand_names]
        if op.contains(*point):
            return True
    return False


def _number(x: Any) -> Any:
    # sympy's symbols are Booleans, too.
    if isinstance(x, sympy.logic.boolalg.Boolean) and not isinstance(x, sympy.Symbol):
        return sympy.Piecewise((1, x), (0, True))
    return x


def _unproved(op: Op, index: int) -> Any:
    """The difference between a partial and sympy's derivative; None if it is proved zero."""
    symbols = _symbols(op)
    y = _number(SYMBOLS.function(op)(*symbols.values()))
    expected = sympy.diff(y, symbols[op.operand_names[index]])
    given = _number(SYMBOLS.partial(op, index, y, list(symbols.values())))
    # A jump has a derivative in the sense of distributions; beside the jump it is zero.
    expected = sympy.sympify(expected).replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    piecewise = (given - expected).has(sympy.Piecewise)
    whole, *parts = _charts(op)
    for charts in [*parts, whole] if piecewise else [whole, *parts]:
        within = [chart for chart in charts if _meets_domain(op, chart)]
        differences = [
            (given - expected).subs([(symbols[name], x) for name, x in chart.items()])
            for chart in within
        ]
        if charts is not whole and any(x.has(sympy.Piecewise) for x in differences):
            continue  # these parts do not separate the pieces
        if within and all(map(symbolic.is_zero, differences)):
            return None
    return given - expected


# --- programs --------------------------------------------------------------------------------


def exact_slope(program: Program, at: Sequence[float], index: int) -> Any:
    """The derivative of a program with one output: a central difference of many digits."""
    with mpmath.workdps(4 * DIGITS):
        step = mpmath.mpf(10) ** -DIGITS * (abs(at[index]) or 1)
        frozen: dict[Var, Any] = {}
        NUMBERS.run(program, list(map(mpmath.mpf, at)), frozen)
        ends = []
        for end in (step, -step):
            inputs = [mpmath.mpf(x) + (end if k == index else 0) for k, x in enumerate(at)]
            ends.append(NUMBERS.run(program, inputs, frozen)[0])
        return (ends[0] - ends[1]) / (2 * step)


def is_finite_real(x: Any) -> bool:
    """Is it a finite real number of mpmath?"""
    return isinstance(x, mpmath.mpf) and bool(mpmath.isfinite(x))


def ulps(a: float, b: float) -> float:
    """How many units in the last place lie between two floats; 0 if both are nan."""
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    if math.isnan(a) or math.isnan(b) or math.isinf(a) or math.isinf(b):
        return math.inf
    return abs(a - b) / math.ulp(max(abs(a), abs(b)))
