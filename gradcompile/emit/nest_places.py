"""Expressions, places and subscripts of loop nests → syntax trees."""

import ast
from collections.abc import Set

from gradcompile.emit.expressions import instantiate
from gradcompile.emit.nest_names import BLOCK_SIZE, START, NestNames
from gradcompile.emit.parts import KEPT
from gradcompile.emit.trees import element, float_tree, integer
from gradcompile.ir.nests import COUNT, Expression, Place, Subscript
from gradcompile.ir.program import Const


def expression_tree(expression: Expression, names: NestNames, plain: Set[str]) -> ast.expr:
    """Write an expression.

    Args:
        expression: what to write.
        names: of arrays and indices.
        plain: the variables that may be plain Python floats.
    """
    if isinstance(expression, Const):
        return float_tree(expression.value)
    if isinstance(expression, Place):
        return place_tree(expression, names)
    op = expression.op
    trees = [expression_tree(operand, names, plain) for operand in expression.operands]
    return instantiate(op.template, dict(zip(op.operand_names, trees, strict=True)), plain)


def place_tree(place: Place, names: NestNames) -> ast.expr:
    """Write an element of an array, or a number."""
    array = place.array
    if array is COUNT:
        return ast.Name(names.own[BLOCK_SIZE])
    if array in names.kept:
        return element(names.own[KEPT], names.kept[array])
    name = ast.Name(names.arrays[array])
    if not place.subscripts:
        return name
    subscripts = [subscript_tree(subscript, names) for subscript in place.subscripts]
    if array.has_rows and array.space.startswith("output"):
        start = ast.Name(names.own[START])
        subscripts[-1] = ast.BinOp(start, ast.Add(), subscripts[-1])
    return ast.Subscript(name, subscripts[0] if len(subscripts) == 1 else ast.Tuple(subscripts))


def subscript_tree(subscript: Subscript, names: NestNames) -> ast.expr:
    """Write a subscript, such as `table[i] + 3 * j + 5`."""
    total = None if subscript.table is None else place_tree(subscript.table, names)
    offset, terms = subscript.offset, subscript.terms
    if total is None and offset and terms and all(stride < 0 for _, stride in terms):
        total, offset = integer(offset), 0  # 1 - i, and not -i + 1
    for index, stride in terms:
        term: ast.expr = ast.Name(names.letters[index])
        if abs(stride) != 1:
            term = ast.BinOp(integer(abs(stride)), ast.Mult(), term)
        if total is None:
            total = term if stride > 0 else ast.UnaryOp(ast.USub(), term)
        else:
            total = ast.BinOp(total, ast.Add() if stride > 0 else ast.Sub(), term)
    if total is None:
        return integer(offset)
    if offset:
        sign = ast.Add() if offset > 0 else ast.Sub()
        return ast.BinOp(total, sign, integer(abs(offset)))
    return total
