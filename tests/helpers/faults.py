"""Single faults in emitted text: each place of a statement changed, and what that changes."""

import ast
import copy
import random
from collections.abc import Callable, Iterator

import numpy as np

OTHERS = {
    "exp": "sin", "sin": "cos", "cos": "sin", "tanh": "sigmoid", "log": "sin", "log1p": "tanh",
    "sqrt": "abs", "hypot": "maximum", "maximum": "minimum", "minimum": "maximum", "max": "minimum",
    "abs": "sign", "sign": "abs", "erfc": "erf", "erf": "erfc", "expm1": "exp", "digamma": "exp",
}  # fmt: skip
"""For each function in the reverse sweeps, another one."""


def changes(
    statement: ast.stmt, known: list[str], rng: random.Random
) -> Iterator[tuple[str, ast.stmt]]:
    """A statement with each place changed; the value that is returned is left alone."""
    for index in range(len(list(ast.walk(statement)))):
        changed = copy.deepcopy(statement)
        place = list(ast.walk(changed))[index]
        if isinstance(changed, ast.Return) and _in_value(changed, place):
            continue
        for kind, put_in in _substitutes(place, known, rng):
            again = copy.deepcopy(statement)
            target = list(ast.walk(again))[index]
            put_in(target)
            yield kind, ast.fix_missing_locations(_replaced(again, target))


def _is_place(items: list[ast.expr]) -> bool:
    """Are they the subscripts of an element?"""
    return all(isinstance(x, ast.Constant) and type(x.value) is int for x in items)


def _in_value(statement: ast.Return, place: ast.AST) -> bool:
    if not isinstance(statement.value, ast.Tuple):
        return False
    return place is statement.value or place in ast.walk(statement.value.elts[0])


def _replaced(tree: ast.stmt, target: ast.AST) -> ast.stmt:
    """The tree, where a node may name in `instead` what to put in its place."""

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return node.instead if node is target and hasattr(node, "instead") else (
                self.generic_visit(node)
            )  # fmt: skip

    return Replace().visit(tree)


def _substitutes(
    node: ast.AST, known: list[str], rng: random.Random
) -> Iterator[tuple[str, Callable]]:
    def setting(**values):
        return lambda target: [setattr(target, name, x) for name, x in values.items()]

    match node:
        case ast.BinOp(left, operator, right):
            if isinstance(operator, ast.Add | ast.Sub):
                other = ast.Sub() if isinstance(operator, ast.Add) else ast.Add()
                yield "sign", setting(op=other)
                kept = rng.choice((left, right))
                yield "missing contribution", setting(instead=kept)
            else:
                other = ast.Div() if isinstance(operator, ast.Mult) else ast.Mult()
                yield "operation", setting(op=other)
                yield "missing factor", setting(instead=left)
        case ast.UnaryOp(ast.USub(), operand):
            yield "sign", setting(instead=operand)
        case ast.Name(name, ast.Load()) if name in known:
            others = [x for x in known if x != name]
            yield "operand", setting(id=rng.choice(others))
            yield "sign", setting(instead=ast.UnaryOp(ast.USub(), ast.Name(name)))
        case ast.Constant(float(number)):
            yield (
                "constant",
                setting(value=rng.choice((number + 1.0, number - 0.5, 1.001 * number))),
            )
        case ast.Call(ast.Name(name), _) if name in OTHERS:
            yield "function", setting(func=ast.Name(OTHERS[name]))
        case ast.IfExp(_, body, orelse):
            yield "condition", setting(body=orelse, orelse=body)
        case ast.Tuple(items) | ast.List(items) if len(items) > 1 and not _is_place(items):
            a, b = rng.sample(range(len(items)), 2)
            order = list(items)
            order[a], order[b] = order[b], order[a]
            yield "swapped entries", setting(elts=order)
        case ast.Subscript(ast.Name("gradient"), ast.Constant(int(index))):
            yield "swapped entries", setting(slice=ast.Constant(index - 1 if index else index + 1))


REGIONS = ((-2.0, 2.0), (0.1, 2.0), (-0.9, 0.9), (1.0, 20.0), (-8.0, 8.0), (-40.0, 40.0))
"""Where results are compared; points beyond those of `verify_source` are among them."""


def differ(a: np.ndarray, b: np.ndarray) -> bool:
    """Do results differ by more than rounding, wherever the right ones are finite?"""
    finite = np.isfinite(a)
    far = abs(a - b) > 1e-7 * np.maximum(1.0, abs(a))
    return bool((finite & (far | ~np.isfinite(b))).any())
