"""The text of any straight-line kernel, read back: what it computes, and each number it returns."""

import ast
import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from gradcompile.emit.reader import (
    KernelText,
    elements,
    functions_of,
    in_order,
    read_statement,
    require_numbers,
)
from gradcompile.ops.syntax import ExpressionError


@dataclass(frozen=True)
class StraightText:
    """An emitted function without loops, as its text has it.

    An element of an array is a name, as the text writes it: `w[0, 1]`. Names for what has a name
    already, or for a number, are left out.

    Attributes:
        parameters: the names that it takes.
        statements: what it computes, in order: a name and its expression.
        results: every number that it returns, as an expression.
    """

    parameters: tuple[str, ...]
    statements: dict[str, ast.expr]
    results: tuple[ast.expr, ...]


def read_straight(source: str) -> StraightText:
    """Read the source of a kernel without loops.

    Args:
        source: a module whose last function returns numbers, arrays that list names or that were
            filled, and tuples of these.

    Raises:
        ExpressionError: the text is not of the form that `emit` writes.
    """
    functions = functions_of(source)
    text = KernelText([argument.arg for argument in functions[-1].args.args])
    results: list[ast.expr] = []
    for statement, _ in in_order(functions):
        returned = read_statement(text, text.forward, statement, begun=False)
        if returned is not None:
            results = list(_numbers(returned, text))
    loads: dict[str, ast.expr] = {name: ast.Name(x) for name, x in text.loaded.items()}
    statements = {**loads, **text.forward}
    require_numbers(statements, results)
    return _without_copies(tuple(text.parameters), statements, results)


def _numbers(returned: ast.expr, text: KernelText) -> Iterator[ast.expr]:
    """List each number of what is returned, in order."""
    match returned:
        case ast.Tuple(items) | ast.Call(ast.Name("array"), [ast.List(items)]):
            for item in items:
                yield from _numbers(item, text)
        case ast.Name(array) if array in text.shapes:
            for name in elements(array, text.shapes):
                if name not in text.forward:
                    raise ExpressionError(f"{name} is not assigned")
                yield ast.Name(name)
        case _:
            yield returned


def _without_copies(
    parameters: tuple[str, ...], statements: dict[str, ast.expr], results: list[ast.expr]
) -> StraightText:
    """Write what names stand for in their place, where that is a name or a number."""
    meanings: dict[str, ast.expr] = {name: ast.Name(name) for name in ("inf", "nan")}
    names = _Names(meanings, frozenset(parameters))
    kept = {}
    for name, tree in statements.items():
        resolved = names.visit(tree)
        if _is_plain(resolved):
            meanings[name] = resolved
        else:
            meanings[name] = ast.Name(name)
            kept[name] = resolved
    return StraightText(parameters, kept, tuple([names.visit(tree) for tree in results]))


def _is_plain(tree: ast.expr) -> bool:
    match tree:
        case ast.Name() | ast.Constant() | ast.UnaryOp(ast.USub(), ast.Constant()):
            return True
    return False


class _Names(ast.NodeTransformer):
    """Puts in what names stand for; parameters, and elements of them, stand for themselves."""

    def __init__(self, meanings: Mapping[str, ast.expr], parameters: Collection[str]) -> None:
        self.meanings = meanings
        self.parameters = parameters

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.meanings:
            return self.meanings[node.id]
        if node.id.partition("[")[0] not in self.parameters:
            raise ExpressionError(f"{node.id} is read before it is assigned")
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node.args = [self.visit(argument) for argument in node.args]
        return node  # what is called is no value, whatever is called like it


def renamed(text: StraightText, names: Mapping[str, str]) -> StraightText:
    """Call what a text computes otherwise.

    Args:
        text: is left as it is.
        names: new names for some of the old ones.
    """
    meanings = {name: ast.Name(names.get(name, name)) for name in ("inf", "nan", *text.statements)}
    change = _Names(meanings, frozenset(text.parameters))
    statements = {
        names.get(name, name): change.visit(copy.deepcopy(tree))
        for name, tree in text.statements.items()
    }
    results = tuple([change.visit(copy.deepcopy(tree)) for tree in text.results])
    return StraightText(text.parameters, statements, results)
