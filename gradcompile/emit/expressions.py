"""A row's expression with operands put in, as a syntax tree that prints well."""

import ast
from collections.abc import Mapping, Set
from typing import TypeGuard

_OPERANDS_PASS = ("max", "abs")
"""Functions that may return one of their operands, and so perhaps a plain Python float."""


def instantiate(
    template: ast.expr,
    operands: Mapping[str, ast.expr],
    plain: Set[str],
    conditions: Set[str] = frozenset(),
) -> ast.expr:
    """A new tree for `template`, its names replaced by trees.

    Args:
        template: the expression of a row of the op table.
        operands: what its names become.
        plain: the names that may be plain Python floats under CPython.
        conditions: the names that are True or False, and no number.
    """

    def build(node: ast.expr) -> ast.expr:
        match node:
            case ast.Name(name):
                return operands.get(name, node)
            case ast.BinOp(left, operator, right):
                return _binary(build(left), operator, build(right), plain)
            case ast.UnaryOp(ast.Not() as operator, operand):
                return ast.UnaryOp(operator, _test(build(operand)))
            case ast.UnaryOp(operator, operand):
                inner = build(operand)
                if isinstance(operator, ast.USub) and _is_negation(inner):
                    return inner.operand
                return ast.UnaryOp(operator, inner)
            case ast.Call(ast.Name("bool") as function, [argument]):
                inner = build(argument)
                if isinstance(inner, ast.Name) and inner.id in conditions:
                    return inner
                truth = as_condition(inner)
                return ast.Call(function, [inner], []) if truth is inner else truth
            case ast.Call(function, arguments):
                return ast.Call(function, [build(x) for x in arguments], [])
            case ast.Compare(left, operators, comparators):
                return ast.Compare(build(left), operators, [build(x) for x in comparators])
            case ast.BoolOp(operator, values):
                return ast.BoolOp(operator, [build(x) for x in values])
            case ast.IfExp(test, body, orelse):
                return ast.IfExp(_test(build(test)), build(body), build(orelse))
        return node

    return build(template)


def _binary(left: ast.expr, operator: ast.operator, right: ast.expr, plain: Set[str]) -> ast.expr:
    if isinstance(operator, ast.Mult) and (_is_one(left) or _is_one(right)):
        return right if _is_one(left) else left
    # CPython raises for plain floats what it answers by IEEE-754 for a numpy.float64.
    if (
        isinstance(operator, ast.Div | ast.Pow)
        and may_be_python_float(left, plain)
        and may_be_python_float(right, plain)
    ):
        right = ast.Call(ast.Name("float64"), [right], [])
    return ast.BinOp(left, operator, right)


def _is_negation(tree: ast.expr) -> TypeGuard[ast.UnaryOp]:
    return isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub)


def _is_one(tree: ast.expr) -> bool:
    return isinstance(tree, ast.Constant) and tree.value == 1.0


def as_condition(tree: ast.expr) -> ast.expr:
    """A condition as True or False, where it stands as the number 1.0 or 0.0."""
    match tree:
        case ast.Call(ast.Name("float64"), [ast.Compare() | ast.BoolOp() as condition]):
            return condition
        case ast.Call(ast.Name("float64"), [ast.UnaryOp(ast.Not()) as condition]):
            return condition
    return tree


def _test(tree: ast.expr) -> ast.expr:
    """What is as true as a condition, where only that matters."""
    match as_condition(tree):
        case ast.Call(ast.Name("bool"), [inner]):
            return _test(inner)
        case ast.BoolOp(operator, values):
            return ast.BoolOp(operator, [_test(value) for value in values])
        case condition:
            return condition


def may_be_python_float(tree: ast.expr, plain: Set[str]) -> bool:
    """May the expression be a plain Python float under CPython, and not a numpy.float64?"""
    match tree:
        case ast.Name(name):
            return name in plain or name in ("inf", "nan")
        case ast.Constant():
            return True
        case ast.BinOp(left, _, right):
            return may_be_python_float(left, plain) and may_be_python_float(right, plain)
        case ast.UnaryOp(_, operand):
            return may_be_python_float(operand, plain)
        case ast.IfExp(_, body, orelse):
            return may_be_python_float(body, plain) or may_be_python_float(orelse, plain)
        case ast.Call(ast.Name(name), arguments):
            return name in _OPERANDS_PASS and any(may_be_python_float(x, plain) for x in arguments)
    return False
