"""Emitted source → sympy: every derivative is checked against `sympy.diff`.

The text itself is executed, first on numbers of 60 digits at random points, where one difference
refutes a derivative; then on sympy symbols, where a difference that simplifies to zero proves it.
What sympy cannot decide stays confirmed to the digits in which the numbers agree. sympy's `diff`
knows nothing of the op table, so it is an independent oracle.
"""

import ast
import operator
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mpmath
import sympy

from gradcompile import ops
from gradcompile.reader import KernelText, read_kernel
from gradcompile.syntax import evaluate, parse

DIGITS = 50
"""Digits to which a derivative that is not proved is confirmed."""

POINTS = 3
"""Random points at which every derivative is compared."""

PROVABLE = 120
"""The largest function, in operations of its forward and reverse text, that goes to sympy."""


@dataclass(frozen=True)
class Derivative:
    """The check of one derivative.

    Attributes:
        name: what it is differentiated by.
        verdict: "proved" (the difference from sympy's derivative simplifies to 0), "confirmed"
            (equal at random points) or "refuted" (different at a point).
        detail: the digits that agree, or the point and the two numbers that differ.
    """

    name: str
    verdict: str
    detail: str = ""

    def __str__(self) -> str:
        return f"d/d{self.name}: {self.verdict}{' ' + self.detail if self.detail else ''}"


@dataclass(frozen=True)
class Report:
    """What `verify()` found: one `Derivative` for each input. Prints one line for each."""

    derivatives: list[Derivative] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """No derivative is refuted."""
        return all(derivative.verdict != "refuted" for derivative in self.derivatives)

    def __iter__(self) -> Iterator[Derivative]:
        return iter(self.derivatives)

    def __len__(self) -> int:
        return len(self.derivatives)

    def __str__(self) -> str:
        return "\n".join(map(str, self.derivatives))


def verify_source(
    source: str, names: Sequence[str] | None = None, slots: Sequence[int] | None = None
) -> Report:
    """Check the gradient in the source of a `value_and_grad` kernel.

    Args:
        source: the emitted text.
        names: a name for each component of the gradient.
        slots: for each component, the index of the input it differentiates by.

    Raises:
        ExpressionError: the text is not of the form that `emit` writes.
    """
    text = read_kernel(source)
    slots = text.components() if slots is None else slots
    by_index = {index: name for name, index in text.inputs.items()}
    names = names or [by_index.get(slot, f"inputs[{slot}]") for slot in slots]
    points = list(_points(text))
    provable = sum(_operations(tree) for _, tree in text.statements) <= PROVABLE
    symbols = _Symbolic(text) if provable else None
    checks = zip(names, slots, text.components(), strict=True)
    return Report(
        [
            Derivative(name, *_verdict(points, symbols, component, by_index.get(slot)))
            for name, slot, component in checks
        ]
    )


def _verdict(
    points: list["_Point"], symbols: "_Symbolic | None", component: int, variable: str | None
) -> tuple[str, str]:
    """The verdict on one component of the gradient, and its detail."""
    for point in points:
        given, expected = point.gradient[component], point.slope(variable)
        if _agreeing_digits(given, expected) < DIGITS:
            return "refuted", f"{point}: {_short(given)}, not {_short(expected)}"
    if symbols is not None and symbols.proves(component, variable):
        return "proved", ""
    if not points:
        return "refuted", "no point found at which the function is finite"
    return "confirmed", f"to {DIGITS} digits at {len(points)} points"


def _agreeing_digits(a: Any, b: Any) -> Any:
    scale = max(abs(a), abs(b), mpmath.mpf(1))
    difference = abs(a - b) / scale if a != b else mpmath.mpf(0)
    return mpmath.inf if difference == 0 else -mpmath.log10(difference)


def _short(number: Any) -> str:
    return str(mpmath.nstr(number, 8))


def _operations(tree: ast.expr) -> int:
    kinds = (ast.BinOp, ast.UnaryOp, ast.Call, ast.IfExp, ast.Compare)
    return sum(isinstance(node, kinds) for node in ast.walk(tree))


# --- executing the text over an algebra ------------------------------------------------------


def _lifted(base: dict[str, Callable[..., Any]], number: Callable[[float], Any]) -> Any:
    """The functions of the table over an algebra, from those it has."""
    functions = dict(base)

    def lift(op: ops.Op) -> Callable[..., Any]:
        tree = parse(op.sympy or op.expression)
        return lambda *operands: evaluate(
            tree, dict(zip(op.operand_names, operands, strict=True)), functions, number
        )

    for op in ops.TABLE.values():
        if op.name not in functions:
            functions[op.name] = lift(op)
    return functions


def _run(
    text: KernelText,
    names: dict[str, Any],
    functions: Mapping[str, Any],
    number: Callable[[float], Any],
) -> tuple[Any, dict[int, Any]]:
    """Execute the statements in order; the value and the gradient by index."""
    names = {"inf": number(float("inf")), "nan": number(float("nan")), **names}

    def result(tree: ast.expr) -> Any:
        return evaluate(tree, names, functions, number)

    for name, tree in text.statements:
        names[name] = result(tree)
    assert text.value is not None
    return result(text.value), {i: result(tree) for i, tree in text.gradient.items()}


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv,
    "pow": operator.pow, "neg": operator.neg, "copy": lambda x: x,
}  # fmt: skip


_SHARED = (
    "exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "loggamma",
)  # fmt: skip
"""Functions of the same name and meaning in sympy and mpmath; the table defines the rest by them."""


# --- numbers of many digits ------------------------------------------------------------------


def _precise(x: float) -> Any:
    """A number of the text: what the constant stands for that it is the nearest float to."""
    if x in ops.CONSTANTS:
        return evaluate(parse(ops.CONSTANTS[x]), {"pi": +mpmath.pi}, _NUMBERS, mpmath.mpf)
    return mpmath.mpf(x)


_NUMBERS = _lifted(
    {
        **_ARITHMETIC,
        "greater": operator.gt, "greater_equal": operator.ge,
        "less": operator.lt, "less_equal": operator.le,
        "equal": operator.eq, "not_equal": operator.ne,
        "where": lambda c, a, b: a if c else b,
        "float64": mpmath.mpf, "max": max, "abs": abs, "bool": bool,
        "logical_and": lambda c, d: bool(c and d), "logical_or": lambda c, d: bool(c or d),
        "logical_not": operator.not_, "polygamma": mpmath.psi, "stop_gradient": lambda x: x,
        **{name: getattr(mpmath, name) for name in _SHARED},
    },
    _precise,
)  # fmt: skip

_WORKING_DIGITS = 120
_STEP_DIGITS = 30
_RANGES = ((-2.0, 2.0), (0.1, 2.0), (-0.9, 0.9), (1.0, 20.0))
"""Where to look for points: many functions are defined in one of these only."""


class _Point:
    """A random point, what the text computes there, and the slopes of its forward sweep."""

    def __init__(self, text: KernelText, at: dict[str, Any]) -> None:
        self.text = text
        self.at = at
        self.value, self.gradient = _run(text, at, _NUMBERS, _precise)

    def slope(self, variable: str | None) -> Any:
        """The central difference of the value, exact to about 60 digits."""
        if variable is None:
            return mpmath.mpf(0)
        with mpmath.workdps(_WORKING_DIGITS):
            step = mpmath.mpf(10) ** -_STEP_DIGITS
            above = _run(
                self.text, {**self.at, variable: self.at[variable] + step}, _NUMBERS, mpmath.mpf
            )
            below = _run(
                self.text, {**self.at, variable: self.at[variable] - step}, _NUMBERS, mpmath.mpf
            )
            return (above[0] - below[0]) / (2 * step)

    def __str__(self) -> str:
        return "at " + ", ".join(f"{name}={_short(x)}" for name, x in list(self.at.items())[:6])

    @property
    def sound(self) -> bool:
        """Is everything here a finite real number?"""
        numbers = (self.value, *self.gradient.values())
        return all(isinstance(x, mpmath.mpf) and mpmath.isfinite(x) for x in numbers)


def _points(text: KernelText, tries: int = 40) -> Iterator[_Point]:
    """Up to `POINTS` points at which the function is defined; the same ones every time."""
    rng = random.Random(0)  # not for secrets
    found = 0
    for attempt in range(tries):
        low, high = _RANGES[attempt % len(_RANGES)]
        with mpmath.workdps(_WORKING_DIGITS):
            at = {name: mpmath.mpf(rng.uniform(low, high)) for name in text.inputs}
            try:
                point = _Point(text, at)
            except (ArithmeticError, ValueError, TypeError):
                continue
        if point.sound:
            yield point
            found += 1
        if found == POINTS:
            return


# --- symbols ---------------------------------------------------------------------------------


class _Flat(sympy.Function):  # type: ignore[misc]
    """A function that sympy must not differentiate: its slope is 0 where it is smooth."""

    def fdiff(self, argindex: int = 1) -> Any:
        return sympy.Integer(0)


class _Floor(_Flat):
    pass


class _Ceil(_Flat):
    pass


class _Stopped(_Flat):
    pass


def _condition(c: Any) -> Any:
    if isinstance(c, sympy.logic.boolalg.Boolean):
        return c
    if isinstance(c, sympy.Piecewise) and c.args[0][0] == 1 and c.args[-1][0] == 0:
        return c.args[0][1]
    return sympy.Ne(c, 0)


def _where(c: Any, a: Any, b: Any) -> Any:
    return sympy.Piecewise((a, _condition(c)), (b, True))


def _as_number(x: Any) -> Any:
    return _where(x, 1, 0) if isinstance(x, sympy.logic.boolalg.Boolean) else x


def _exact(x: float) -> Any:
    """A number of the text, exactly, or what the constant stands for that it is nearest to."""
    if x in ops.CONSTANTS:
        return evaluate(parse(ops.CONSTANTS[x]), {"pi": sympy.pi}, _SYMBOLS, sympy.Rational)
    return sympy.Rational(x)


_SYMBOLS = _lifted(
    {
        **_ARITHMETIC,
        "greater": sympy.Gt, "greater_equal": sympy.Ge, "less": sympy.Lt, "less_equal": sympy.Le,
        # Two different expressions are equal almost nowhere; the table's kinks have their own test.
        "equal": lambda a, b: sympy.true if a == b else sympy.false,
        "not_equal": lambda a, b: sympy.false if a == b else sympy.true,
        "where": _where,
        "float64": _as_number,
        "max": lambda a, b: _where(sympy.Gt(a, b), a, b),
        "abs": lambda x: _where(sympy.Gt(x, 0), x, -x),
        "bool": _condition, "logical_not": lambda c: sympy.Not(_condition(c)),
        "logical_and": lambda c, d: sympy.And(_condition(c), _condition(d)),
        "logical_or": lambda c, d: sympy.Or(_condition(c), _condition(d)),
        "floor": _Floor, "ceil": _Ceil, "polygamma": sympy.polygamma, "stop_gradient": _Stopped,
        **{name: getattr(sympy, name) for name in _SHARED},
    },
    _exact,
)  # fmt: skip


class _Symbolic:
    """The text executed on symbols, and the derivatives of what its forward sweep computes."""

    def __init__(self, text: KernelText) -> None:
        self.symbols = {name: sympy.Symbol(name, real=True) for name in text.inputs}
        self.value, self.gradient = _run(text, dict(self.symbols), _SYMBOLS, _exact)

    def proves(self, component: int, variable: str | None) -> bool:
        """Does the difference from sympy's derivative simplify to zero?"""
        given = self.gradient[component]
        expected = sympy.diff(self.value, self.symbols[variable]) if variable else 0
        return bool(simplifies_to_zero(given - expected))


def simplifies_to_zero(difference: Any) -> bool:
    """Can sympy tell that an expression is zero?"""
    for attempt in (sympy.sympify, sympy.expand, sympy.cancel, sympy.simplify):
        difference = attempt(difference)
        if difference == 0:
            return True
    return False
