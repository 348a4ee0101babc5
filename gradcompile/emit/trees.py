"""Small syntax trees that both emitters build: numbers, names, elements, calls, assignments."""

import ast
import math
from collections.abc import Sequence


def float_tree(value: float) -> ast.expr:
    """Write a float; what has no literal is a name, and a sign an operation."""
    if math.isnan(value):
        return ast.Name("nan")
    if math.copysign(1.0, value) < 0:
        return ast.UnaryOp(ast.USub(), float_tree(-value))
    return ast.Name("inf") if math.isinf(value) else ast.Constant(value)


def integer(value: int) -> ast.Constant:
    """Write an integer, also one of numpy's or an extent that is not known yet."""
    return ast.Constant(int(value))


def element(array: str, *indices: int) -> ast.Subscript:
    """Write `array[index]`, or `array[row, column]`."""
    return ast.Subscript(ast.Name(array), one_or_tuple([*map(integer, indices)]))


def call(function: str, *arguments: ast.expr) -> ast.Call:
    """Write `function(arguments)`."""
    return ast.Call(ast.Name(function), list(arguments), [])


def assign(target: ast.expr | str, value: ast.expr) -> ast.Assign:
    """Write `target = value`."""
    tree = ast.Name(target) if isinstance(target, str) else target
    return ast.Assign([tree], value)


def tuple_tree(trees: list[ast.expr]) -> ast.expr:
    """Write expressions as a tuple, however many they are."""
    return ast.Tuple(trees)


def one_or_tuple(trees: Sequence[ast.expr]) -> ast.expr:
    """Write one expression as it is, and several as a tuple."""
    return trees[0] if len(trees) == 1 else ast.Tuple(list(trees))
