"""Python expression text, read by `ast` and evaluated over any algebra; never by `eval`.

An algebra maps the names of operations to functions: the op table itself (numbers, Values), or
sympy's or mpmath's functions. Rules, the command line and the check of emitted text all read
expressions through this one evaluator.
"""

import ast
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Functions = Mapping[str, Callable[..., Any]]
_Step = tuple[Callable[..., Any], list[ast.expr]]

BINARY: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow",
}  # fmt: skip
COMPARISONS: dict[type[ast.AST], str] = {
    ast.Gt: "greater", ast.GtE: "greater_equal", ast.Lt: "less", ast.LtE: "less_equal",
    ast.Eq: "equal", ast.NotEq: "not_equal",
}  # fmt: skip

LIST = "[]"
"""The name of the function that makes a list; an algebra without it has no lists."""


class ExpressionError(ValueError):
    """Text that is not an expression over known names and operations."""


def parse(text: str) -> ast.expr:
    """Parse an expression into its syntax tree.

    Raises:
        ExpressionError: it is no Python expression, or too long or nested too deeply to be read.
    """
    if not text.strip():
        raise ExpressionError("the expression is empty")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        reason = getattr(error, "msg", None) or str(error)
        raise ExpressionError(f"cannot read {shorten(text)!r}: {reason}") from None
    except (RecursionError, MemoryError):
        raise ExpressionError(
            f"cannot read {shorten(text)!r}: it is too long or nested too deeply"
        ) from None


def shorten(text: str, width: int = 60) -> str:
    """Cut a text to `width` characters."""
    return text if len(text) <= width else text[: width - 3] + "..."


@dataclass(frozen=True)
class ExpressionCode:
    """An expression in postfix order, ready to be evaluated again and again.

    Attributes:
        steps: (None, number), (Name, identifier) or (function, number of arguments).
    """

    steps: list[tuple[Any, Any]]

    def __call__(self, names: Mapping[str, Any]) -> Any:
        """Evaluate it, where the names stand for these."""
        stack: list[Any] = []
        for kind, payload in self.steps:
            if kind is None:
                stack.append(payload)
            elif kind is ast.Name:
                if payload not in names:
                    raise ExpressionError(f"unknown name {shorten(payload)!r}")
                stack.append(names[payload])
            else:
                start = len(stack) - payload
                stack[start:] = [kind(*stack[start:])]
        return stack[0]

    @cached_property
    def reads(self) -> list[str]:
        """The names it reads, in order of appearance."""
        return list(dict.fromkeys(name for kind, name in self.steps if kind is ast.Name))


def code(
    tree: ast.expr, functions: Functions, number: Callable[[float], Any] = float
) -> ExpressionCode:
    """Compile an expression over an algebra, iteratively, so that its depth does not matter.

    Args:
        tree: from `parse`.
        functions: the algebra.
        number: makes a number of the algebra from a float.

    Raises:
        ExpressionError: it contains anything but numbers, known names, arithmetic, comparisons,
            and, or, not, conditional expressions and calls of known functions; and lists, where
            the algebra has them.
    """
    steps: list[tuple[Any, Any]] = []
    stack: list[tuple[ast.expr, tuple[Any, int] | None]] = [(tree, None)]
    while stack:
        node, step = stack.pop()
        if step is not None:
            steps.append(step)
        elif isinstance(node, ast.Constant):
            steps.append((None, number(_constant(node))))
        elif isinstance(node, ast.Name):
            steps.append((ast.Name, node.id))
        else:
            operation, children = _operation(node, functions)
            stack.append((node, (operation, len(children))))
            stack.extend((child, None) for child in reversed(children))
    return ExpressionCode(steps)


def evaluate(
    tree: ast.expr,
    names: Mapping[str, Any],
    functions: Functions,
    number: Callable[[float], Any] = float,
) -> Any:
    """Evaluate an expression over an algebra; arguments and errors as for `code`."""
    return code(tree, functions, number)(names)


def free_names(tree: ast.expr) -> list[str]:
    """List the names that an expression reads, functions left out, in order of appearance."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called]
    nodes.sort(key=lambda n: (n.lineno, n.col_offset))
    return list(dict.fromkeys(n.id for n in nodes))


def _constant(node: ast.Constant) -> float:
    if type(node.value) not in (int, float):
        raise ExpressionError(f"{shorten(repr(node.value))} is no real number")
    try:
        return float(node.value)  # type: ignore[arg-type]
    except OverflowError:
        return float("inf")


def _operation(node: ast.expr, functions: Functions) -> _Step:
    name, children = _name_and_children(node)
    if name not in functions and name != LIST:
        similar = difflib.get_close_matches(name[:40], functions, 1)
        hint = f"; is {similar[0]!r} meant?" if similar else ""
        raise ExpressionError(f"unknown function {shorten(name)!r}{hint}")
    if name not in functions:
        raise ExpressionError(_not_allowed(node))
    return functions[name], children


def _name_and_children(node: ast.expr) -> tuple[str, list[ast.expr]]:
    match node:
        case ast.BinOp(left, operator, right) if type(operator) in BINARY:
            return BINARY[type(operator)], [left, right]
        case ast.UnaryOp(ast.USub(), operand):
            return "neg", [operand]
        case ast.UnaryOp(ast.UAdd(), operand):
            return "copy", [operand]
        case ast.Compare(left, [comparison], [right]) if type(comparison) in COMPARISONS:
            return COMPARISONS[type(comparison)], [left, right]
        case ast.BoolOp(operator, values):
            name = "logical_and" if isinstance(operator, ast.And) else "logical_or"
            middle = len(values) // 2
            return name, [_joined(operator, values[:middle]), _joined(operator, values[middle:])]
        case ast.UnaryOp(ast.Not(), operand):
            return "logical_not", [operand]
        case ast.IfExp(test, body, orelse):
            return "where", [test, body, orelse]
        case ast.Call(ast.Name(name), arguments, []):
            return name, arguments
        case ast.List(items):
            return LIST, items
    raise ExpressionError(_not_allowed(node))


def _not_allowed(node: ast.expr) -> str:
    return (
        f"`{_text(node)}` is not allowed: expressions are made of numbers, names, + - * / **, and "
        "or not, single comparisons, `a if c else b` and calls of known functions by position"
    )


def _joined(operator: ast.boolop, values: list[ast.expr]) -> ast.expr:
    return values[0] if len(values) == 1 else ast.BoolOp(operator, values)


def _text(node: ast.expr) -> str:
    try:
        return shorten(ast.unparse(node))
    except (RecursionError, ValueError):  # what `parse` just manages may be too deep to be printed
        return type(node).__name__
