"""Expressions of straight-line text → LLVM instructions.

Each operator becomes the instruction that numba has for it, so that all numbers are the same to the
last bit: comparisons are ordered but for `!=`, and a number is true unless it is zero. What is
called becomes a call, whatever it is.
"""

import ast
import operator
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]

ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv",
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Gt: "ogt", ast.GtE: "oge", ast.Lt: "olt", ast.LtE: "ole", ast.Eq: "oeq", ast.NotEq: "une",
}  # fmt: skip
EXTREMES: dict[Any, str] = {max: "ogt", min: "olt"}
"""Python's own functions: of equal numbers, and beside a nan, they give the first."""

LOGIC: dict[type[ast.boolop], str] = {ast.And: "and", ast.Or: "or"}

POWER = "**"
"""The name under which a power is called."""

NUMBER, CONDITION = "double", "i1"


class RefusedError(Exception):
    """A text has something in it that is not translated."""


class Callee(NamedTuple):
    """A function of numbers that is called.

    Attributes:
        name: by which the text calls it; `POWER` for the operator.
        arity: how many numbers it is given.
    """

    name: str
    arity: int

    @property
    def symbol(self) -> str:
        """The name that LLVM text calls it by."""
        return f"gradcompile.{self.name}.{self.arity}"


class Typed(NamedTuple):
    """A value: LLVM's type of it, and how the LLVM text writes it."""

    type: str
    text: str


def _is_extreme(function: Any) -> bool:
    return any(function is extreme for extreme in EXTREMES)


def quoted(name: str) -> str:
    """Write a name as LLVM text has it in a function, whatever letters it is made of."""
    return f'%"{name}"'


def as_integer(tree: ast.expr | None) -> int:
    """Read an integer that the text says; none is below 0."""
    match tree:
        case ast.Constant(int() as number):
            return number
    raise RefusedError("a subscript that is no integer")


def literal(value: float) -> Typed:
    """Write a float by its bits."""
    return Typed(NUMBER, "0x" + struct.pack(">d", value).hex().upper())


@dataclass
class Instructions:
    """The instructions of one function, as they are written.

    Attributes:
        known: what the names that the text calls mean.
        values: the names of numbers and conditions.
        shapes: the names of arrays.
        lines: what is written.
        calls: what it calls.
    """

    known: Mapping[str, Any]
    values: dict[str, Typed]
    shapes: dict[str, Shape]
    lines: list[str] = field(default_factory=list)
    calls: dict[Callee, None] = field(default_factory=dict)
    label: str = "entry"
    count: int = 0

    def add(self, type_: str, instruction: str) -> Typed:
        """Write an instruction that has a result."""
        self.count += 1
        self.lines.append(f"  %.{self.count} = {instruction}")
        return Typed(type_, f"%.{self.count}")

    def means(self, name: str, thing: Any) -> bool:
        """Tell whether a name that is called is this."""
        return self.known.get(name) is thing

    def value(self, tree: ast.expr) -> Typed:
        """Compute an expression."""
        match tree:
            case ast.Name(name):
                return self.values.get(name) or self._constant(name)
            case ast.Constant(float() as number):
                return literal(number)
            case ast.BinOp(left, ast.Pow(), right):
                return self._call(Callee(POWER, 2), [left, right])
            case ast.BinOp(left, sign, right) if type(sign) in ARITHMETIC:
                operands = f"{self.number(left)}, {self.number(right)}"
                return self.add(NUMBER, f"{ARITHMETIC[type(sign)]} double {operands}")
            case ast.UnaryOp(ast.USub(), operand):
                zero = literal(-0.0).text
                return self.add(NUMBER, f"fsub double {zero}, {self.number(operand)}")
            case ast.UnaryOp(ast.Not(), operand):
                return self.add(CONDITION, f"xor i1 {self.truth(operand)}, true")
            case ast.Compare(left, [sign], [right]) if type(sign) in COMPARISONS:
                operands = f"{self.number(left)}, {self.number(right)}"
                return self.add(CONDITION, f"fcmp {COMPARISONS[type(sign)]} double {operands}")
            case ast.BoolOp(how, operands):
                # Conditions that pass from one part to another are numbers on the way.
                return self._joined(how, [self.truth(x) for x in operands])
            case ast.IfExp(test, body, orelse):
                return self._choice(self.truth(test), body, orelse)
            case ast.Subscript(ast.Name(array), index):
                return self.add(NUMBER, f"load double, ptr {self.place(array, index)}")
            case ast.Call(ast.Name(name), [argument], []) if self.means(name, np.float64):
                return Typed(NUMBER, self.as_number(self.value(argument)))
            case ast.Call(ast.Name(name), [argument], []) if self.means(name, bool):
                return Typed(CONDITION, self.truth(argument))
            case ast.Call(ast.Name(name), [first, second], []) if _is_extreme(self.known.get(name)):
                return self._extreme(EXTREMES[self.known[name]], first, second)
            case ast.Call(ast.Name(name), arguments, []):
                return self._call(Callee(name, len(arguments)), arguments)
        raise RefusedError(ast.dump(tree)[:200])

    def number(self, tree: ast.expr) -> str:
        """Compute a number."""
        value = self.value(tree)
        if value.type != NUMBER:
            raise RefusedError(f"{ast.unparse(tree)} is no number")
        return value.text

    def truth(self, tree: ast.expr) -> str:
        """Compute whether something is true, where only that matters."""
        value = self.value(tree)
        if value.type == CONDITION:
            return value.text
        return self.add(CONDITION, f"fcmp une double {value.text}, {literal(0.0).text}").text

    def place(self, array: str, index: ast.expr) -> str:
        """Find where an element of an array is."""
        shape = self.shapes.get(array)
        items = index.elts if isinstance(index, ast.Tuple) else [index]
        subscripts = [as_integer(item) for item in items]
        fits = shape is not None and len(subscripts) == len(shape)
        if shape is None or not fits or any(map(operator.ge, subscripts, shape)):
            raise RefusedError(f"{array} has no element [{ast.unparse(index)}]")
        offset = 0
        for subscript, extent in zip(subscripts, shape, strict=True):
            offset = offset * extent + subscript
        return self.at(array, offset)

    def at(self, array: str, offset: int) -> str:
        """Find where the number is that so many others are before."""
        return self.add("ptr", f"getelementptr double, ptr {quoted(array)}, i64 {offset}").text

    def store(self, value: Typed, place: str) -> None:
        """Write a value to its place; a condition is 1.0 or 0.0 there."""
        self.lines.append(f"  store double {self.as_number(value)}, ptr {place}")

    def as_number(self, value: Typed) -> str:
        """Make a number of a condition: 1.0 or 0.0."""
        if value.type == NUMBER:
            return value.text
        return self.add(NUMBER, f"uitofp i1 {value.text} to double").text

    def _constant(self, name: str) -> Typed:
        number = self.known.get(name)
        if isinstance(number, float):  # inf and nan have no literal
            return literal(number)
        raise RefusedError(f"{name} is no number")

    def _joined(self, how: ast.boolop, conditions: Sequence[str]) -> Typed:
        found, *others = conditions
        for other in others:
            found = self.add(CONDITION, f"{LOGIC[type(how)]} i1 {found}, {other}").text
        return Typed(CONDITION, found)

    def _choice(self, condition: str, body: ast.expr, orelse: ast.expr) -> Typed:
        """Compute one of two numbers, as Python does: the other one costs nothing."""
        if all(isinstance(x, ast.Name | ast.Constant) for x in (body, orelse)):
            chosen = f"double {self.number(body)}, double {self.number(orelse)}"
            return self.add(NUMBER, f"select i1 {condition}, {chosen}")
        self.count += 1
        then, other, end = (f"{word}.{self.count}" for word in ("then", "else", "end"))
        self.lines.append(f"  br i1 {condition}, label %{then}, label %{other}")
        arms = []
        for label, tree in ((then, body), (other, orelse)):
            self._begin(label)
            arms.append(f"[ {self.number(tree)}, %{self.label} ]")
            self.lines.append(f"  br label %{end}")
        self._begin(end)
        return self.add(NUMBER, f"phi double {', '.join(arms)}")

    def _extreme(self, comparison: str, first: ast.expr, second: ast.expr) -> Typed:
        a, b = self.number(first), self.number(second)
        condition = self.add(CONDITION, f"fcmp {comparison} double {b}, {a}").text
        return self.add(NUMBER, f"select i1 {condition}, double {b}, double {a}")

    def _begin(self, label: str) -> None:
        self.label = label
        self.lines.append(f"{label}:")

    def _call(self, function: Callee, operands: Sequence[ast.expr]) -> Typed:
        given = ", ".join([f"double {self.number(x)}" for x in operands])
        self.calls[function] = None
        return self.add(NUMBER, f"call double @{quoted(function.symbol)[1:]}({given})")
