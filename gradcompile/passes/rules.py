"""The rules of simplify, as data: named identities that relate several operations.

Each is two expressions over the same variables, as Python text over the op table; a variable named
`k` stands for a constant. Tests prove every one with sympy, and measure those of `STABILITY`
against numbers of many digits.
"""

from dataclasses import dataclass
from functools import cached_property
from math import inf, nan
from typing import Any

from gradcompile.ir.program import Const
from gradcompile.ops import table
from gradcompile.ops.op import Op
from gradcompile.ops.operators import Operators
from gradcompile.ops.syntax import evaluate, free_names, parse

CONSTANTS = {"inf": inf, "nan": nan}


@dataclass(frozen=True)
class Rule:
    """`pattern` becomes `replacement`.

    Attributes:
        pattern: what to look for.
        replacement: what to compute instead.
        reason: why that is better.
        gain: for each variable, the range in which the result is more accurate; None for rules
            that keep the result as it is.
    """

    pattern: str
    replacement: str
    reason: str
    gain: tuple[tuple[float, float], ...] | None = None

    @cached_property
    def note(self) -> str:
        """The rule as `Program.notes` tell of it."""
        return f"{self.pattern} → {self.replacement} ({self.reason})"

    @cached_property
    def variables(self) -> list[str]:
        """The variables, in order of appearance in the pattern."""
        return free_names(parse(self.pattern))

    @cached_property
    def tree(self) -> "Pattern":
        """The pattern as operations over variables and numbers."""
        tree = self._read(self.pattern)
        assert isinstance(tree, Pattern)
        return tree

    @cached_property
    def needs_constant(self) -> bool:
        """Tell whether one operand of the root must be a constant, whichever."""
        return any(isinstance(x, Variable) and x.name == "k" for x in self.tree.operands)

    @cached_property
    def result(self) -> Any:
        """The replacement: a `Pattern`, a `Variable` or a number."""
        return self._read(self.replacement)

    def _read(self, text: str) -> Any:
        variables = {name: Variable(name) for name in self.variables}
        return evaluate(parse(text), {**CONSTANTS, **variables}, table.TABLE)


MAX_FACTOR = 1e150
"""The largest constant that a variable `k` stands for, so that products with it stay finite."""


class Variable(Operators):
    """Stands for any operand; for a constant of moderate size, if its name is k."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def takes(self, operand: object) -> bool:
        """Tell whether it may stand for this operand."""
        if self.name != "k":
            return True
        return isinstance(operand, Const) and abs(operand.value) <= MAX_FACTOR

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> "Pattern":  # type: ignore[override]
        return Pattern(op, operands)


class Pattern(Operators):
    """An operation over patterns, variables and numbers."""

    __slots__ = ("op", "operands")

    def __init__(self, op: Op, operands: tuple[Any, ...]) -> None:
        self.op = op
        self.operands = operands

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> "Pattern":
        return Pattern(op, operands)


# fmt: off
IDENTITIES: tuple[Rule, ...] = (
    Rule("x + 0.0",  "x",         "adding nothing"),
    Rule("x - 0.0",  "x",         "subtracting nothing"),
    Rule("x * 1.0",  "x",         "a factor of one"),
    Rule("x / 1.0",  "x",         "a divisor of one"),
    Rule("x * -1.0", "-x",        "negation says it directly"),
    Rule("x / -1.0", "-x",        "negation says it directly"),
    Rule("-(-x)",    "x",         "two negations cancel"),
    Rule("x + -y",   "x - y",     "subtraction says it directly"),
    Rule("x - -y",   "x + y",     "addition says it directly"),
    Rule("-x * -y",  "x * y",     "two negations cancel"),
    Rule("x * -y",   "-(x * y)",  "the sign outside, where a sum can take it up"),
    Rule("-x / y",   "-(x / y)",  "the sign outside, where a sum can take it up"),
    Rule("x + x",    "2.0 * x",   "exact, and read once"),
    Rule("x * x",    "square(x)", "one operand, whose derivative is 2 * x"),
    Rule("k * (2.0 * x)", "(2.0 * k) * x", "exact, and one product less"),
    Rule("x * (1.0 / y)", "x / y", "one rounding instead of two"),
    Rule("x ** 0.0", "1.0",       "by IEEE-754 also for nan"),
    Rule("x ** 1.0", "x",         "the first power"),
    Rule("x ** 2.0", "square(x)", "exactly rounded, and much faster than a power"),
    Rule("x ** -1.0", "reciprocal(x)", "exactly rounded, and much faster than a power"),
    Rule("where(1.0, x, y)", "x", "the condition holds"),
    Rule("where(0.0, x, y)", "y", "the condition does not hold"),
    Rule("where(c, x, x)", "x",   "both branches agree"),
    Rule("where(logical_not(c), x, y)", "where(c, y, x)", "the same choice"),
    Rule("logical_or(c, logical_not(c))", "1.0", "one of the two holds"),
    Rule("logical_and(c, logical_not(c))", "0.0", "they do not hold both"),
    Rule("logical_or(c, 1.0)", "1.0", "the other holds"),
    Rule("logical_and(c, 0.0)", "0.0", "the other does not hold"),
    Rule("logical_or(logical_or(a, c), logical_not(c))", "1.0", "one of the two holds"),
    Rule("logical_or(logical_or(a, logical_not(c)), c)", "1.0", "one of the two holds"),
    Rule("logical_and(logical_and(a, c), logical_not(c))", "0.0", "they do not hold both"),
    Rule("logical_and(logical_and(a, logical_not(c)), c)", "0.0", "they do not hold both"),
    Rule("logical_or(logical_or(a, c), c)", "logical_or(a, c)", "said already"),
    Rule("logical_and(logical_and(a, c), c)", "logical_and(a, c)", "said already"),
    Rule("logical_or(logical_or(c, c), a)", "logical_or(c, a)", "said already"),
    Rule("logical_or(logical_and(c, c), a)", "logical_or(c, a)", "said already"),
    Rule("logical_and(logical_and(c, c), a)", "logical_and(c, a)", "said already"),
    Rule("logical_and(logical_or(c, c), a)", "logical_and(c, a)", "said already"),
    Rule("where(logical_or(c, c), x, y)", "where(c, x, y)", "said already"),
    Rule("where(logical_and(c, c), x, y)", "where(c, x, y)", "said already"),
    Rule("where(logical_or(logical_and(a, c), c), x, y)", "where(c, x, y)", "said already"),
    Rule("where(logical_and(logical_or(a, c), c), x, y)", "where(c, x, y)", "said already"),
    Rule("where(logical_or(logical_and(a, c), logical_and(a, logical_not(c))), x, y)",
         "where(a, x, y)", "whether c holds or not"),
    Rule("where(c, where(c, x, y), z)", "where(c, x, z)", "chosen already"),
    Rule("where(c, x, where(c, y, z))", "where(c, x, z)", "chosen already"),
    Rule("where(c, where(c, x, y) * z, w)", "where(c, x * z, w)", "chosen already"),
    Rule("where(c, where(c, x, y) / z, w)", "where(c, x / z, w)", "chosen already"),
    Rule("where(c, -where(c, x, y), w)", "where(c, -x, w)", "chosen already"),
    Rule("where(c, w, where(c, x, y) * z)", "where(c, w, y * z)", "chosen already"),
    Rule("where(c, w, where(c, x, y) / z)", "where(c, w, y / z)", "chosen already"),
    Rule("where(c, w, -where(c, x, y))", "where(c, w, -y)", "chosen already"),
    Rule("where(c, x, 0.0) + where(c, y, 0.0)", "where(c, x + y, 0.0)", "the same choice"),
    Rule("where(c, 0.0, x) + where(c, 0.0, y)", "where(c, 0.0, x + y)", "the same choice"),
    Rule("where(c, x, 0.0) + where(c, 0.0, y)", "where(c, x, y)", "the same choice"),
    Rule("where(c, x, 0.0) - where(c, 0.0, y)", "where(c, x, 0.0 - y)", "the same choice"),
    Rule("where(c, 0.0, x) - where(c, y, 0.0)", "where(c, 0.0 - y, x)", "the same choice"),
    Rule("k * where(c, x, 0.0) + where(c, 0.0, y)", "where(c, k * x, y)", "the same choice"),
    Rule("k * where(c, 0.0, x) + where(c, y, 0.0)", "where(c, y, k * x)", "the same choice"),
    Rule("k * where(c, x, 0.0) - where(c, 0.0, y)", "where(c, k * x, 0.0 - y)", "the same choice"),
    Rule("k * where(c, 0.0, x) - where(c, y, 0.0)", "where(c, 0.0 - y, k * x)", "the same choice"),
)
"""Rules that keep the result, up to the sign of zero or a rounding less.

Where the operands are not -0, no rule makes -0 of 0: a pole behind would change its sign. So
`0.0 - x` stays, which is 0 at 0 where `-x` is -0.
"""

STABILITY: tuple[Rule, ...] = (
    Rule("log(1.0 + x)", "log1p(x)", "1 + x drops the digits of a small x",
         ((-1e-3, 1e-3),)),
    Rule("log(1.0 - x)", "log1p(-x)", "1 - x drops the digits of a small x",
         ((-1e-3, 1e-3),)),
    Rule("exp(x) - 1.0", "expm1(x)", "exp(x) is near 1 for a small x: its digits cancel",
         ((-1e-3, 1e-3),)),
    Rule("exp(x) + -1.0", "expm1(x)", "exp(x) is near 1 for a small x: its digits cancel",
         ((-1e-3, 1e-3),)),
    Rule("1.0 - exp(x)", "0.0 - expm1(x)", "exp(x) is near 1 for a small x: its digits cancel; "
         "no negation, which gives -0 at 0 and turns poles round",
         ((-1e-3, 1e-3),)),
    Rule("log(exp(x))", "x", "exp(x) overflows from 710 on, and is 0 from -746 down",
         ((-1e3, 1e3),)),
    Rule("exp(log(x))", "where(x >= 0.0, x, nan)", "two roundings less; nan where log has none",
         ((1e-300, 1e300),)),
    Rule("log1p(exp(x))", "softplus(x)", "exp(x) overflows from 710 on",
         ((710.0, 1e4),)),
    Rule("log(exp(x) + exp(y))", "logaddexp(x, y)", "exp(x) overflows from 710 on",
         ((710.0, 1e4), (710.0, 1e4))),
    Rule("1.0 / (1.0 + exp(-x))", "sigmoid(x)", "the same computation, whose slope is y * (1 - y)"),
    Rule("exp(x) / (1.0 + exp(x))", "sigmoid(x)", "exp(x) overflows from 710 on",
         ((710.0, 1e4),)),
    Rule("1.0 - sigmoid(x)", "sigmoid(-x)", "sigmoid(x) is near 1 for a large x: its digits cancel",
         ((20.0, 700.0),)),
    Rule("log(sigmoid(x))", "-softplus(-x)", "sigmoid(x) is 0 from -746 down, and near 1 above 20",
         ((20.0, 700.0),)),
    Rule("expm1(x) / (1.0 + exp(x))", "tanh(0.5 * x)", "inf / inf from 710 on",
         ((710.0, 1e4),)),
    Rule("(0.0 - expm1(x)) / (1.0 + exp(x))", "0.0 - tanh(0.5 * x)", "inf / inf from 710 on",
         ((710.0, 1e4),)),
    Rule("1.0 - square(tanh(x))",
         "where(abs(x) < 1.5, -(square(tanh(x)) - 1.0), reciprocal(square(cosh(x))))",
         "tanh(x) is near 1 for a large x: its digits cancel", ((5.0, 300.0),)),
    Rule("sqrt(square(x) + square(y))", "hypot(x, y)",
         "squares overflow from 1.4e154 on; inf wins over nan", ((1e155, 1e300), (1e155, 1e300))),
    Rule("x ** 0.5", "sqrt(x)", "exactly rounded; nan for -inf, as for all negative numbers"),
    Rule("x ** -0.5", "rsqrt(x)", "a root and a division, much faster than a power"),
)
"""Rules for what users write that lose digits or overflow; they apply to the forward sweep only,
so that the slopes of the op table stay as they are written there."""
# fmt: on
