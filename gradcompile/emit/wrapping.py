"""Long expressions and comments on several lines: broken before operators, and after commas.

total = (
a * b
+ exp(
c - d
)
)
"""

import ast
import re
import textwrap
from collections.abc import Iterator

MAX_WIDTH = 76
"""The widest statement on one line, inside of its loops."""

MAX_COMMENT = 80
"""The widest line that is a comment."""

_CHAINS: tuple[tuple[type[ast.operator], ...], ...] = ((ast.Add, ast.Sub), (ast.Mult, ast.Div))
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def expression_text(tree: ast.expr) -> str:
    """Write an expression as `ast.unparse` does, but fast if it is one of which there are many."""
    match tree:
        case ast.Name(name):
            return name
        case ast.Subscript(ast.Name(name), ast.Constant(index)):
            return f"{name}[{index!r}]"
    return ast.unparse(tree)


def statement_lines(
    start: str, text: str, tree: ast.expr, room: int | None = None
) -> tuple[str, ...]:
    """Write a statement on as many lines as it takes.

    Args:
        start: what stands before its value, such as `x = `.
        text: the value on one line.
        tree: the value.
        room: how wide a line may be at most; without, one that cannot be broken well stays whole.
    """
    width = MAX_WIDTH if room is None else min(MAX_WIDTH, room)
    if len(start) + len(text) <= width:
        return (start + text,)
    if isinstance(tree, ast.Tuple):
        first, *rest = _tuple(tree, width - 4)
        return (start + first, *rest)
    lines = _broken(tree, width - 4)
    if len(lines) == 1 and (room is None or len(start) + len(text) <= room):
        return (start + text,)
    if isinstance(tree, ast.Call) and len(lines) > 1:
        return (start + lines[0], *lines[1:])
    return (f"{start}(", *(f"    {line}" for line in lines), ")")


def comment_lines(text: str, width: int = MAX_COMMENT) -> list[str]:
    """Write a comment on as many lines as it takes; formulas are broken before operators."""
    kept = re.sub(r"\[[^\]]*\]", lambda match: match[0].replace(" ", "\0"), text)
    kept = re.sub(r" ([-+*/=]) ", " \\1\0", kept)
    lines = textwrap.wrap(
        kept, width, initial_indent="# ", subsequent_indent="#     ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace("\0", " ") for line in lines]


def _broken(tree: ast.expr, room: int) -> list[str]:
    """The lines of an expression that has a line, or parentheses, of its own."""
    text = expression_text(tree)
    if len(text) <= room:
        return [text]
    match tree:
        case ast.Call(ast.Name(function), [ast.List(items)]):
            return [f"{function}([", *_indented(_listed(items, room - 4)), "])"]
        case ast.Call(ast.Name(function), [argument]):
            return [f"{function}(", *_indented(_broken(argument, room - 4)), ")"]
        case ast.Call(ast.Name(function), arguments):
            return [f"{function}(", *_indented(_listed(arguments, room - 4)), ")"]
        case ast.BinOp():
            return _filled([piece for part in _chain(tree, room) for piece in part], room)
        case ast.IfExp(test, body, orelse):
            return [
                *_operand(body, isinstance(body, ast.IfExp), room),
                *_prefixed("if ", _operand(test, isinstance(test, ast.IfExp), room - 3)),
                *_prefixed("else ", _broken(orelse, room - 5)),
            ]
    return [text]


def _tuple(tree: ast.Tuple, room: int) -> list[str]:
    """The lines of a tuple; if it ends with another one, that is broken instead."""
    *before, last = tree.elts
    if before and isinstance(last, ast.Tuple):
        first, *rest = _tuple(last, room)
        return ["".join(f"{expression_text(x)}, " for x in before) + first, *rest]
    lines = _listed(tree.elts, room)
    return ["(", *_indented(lines[:-1]), f"    {lines[-1]}{',' if not before else ''}", ")"]


def _listed(items: list[ast.expr], room: int) -> list[str]:
    """Items with commas between them, as many on a line as fit."""
    pieces = [_broken(item, room - 1) for item in items]
    for lines in pieces[:-1]:
        lines[-1] += ","
    return _filled([line for lines in pieces for line in lines], room)


def _chain(tree: ast.BinOp, room: int) -> Iterator[list[str]]:
    """The terms of a sum or the factors of a product, each with the operator before it."""
    kinds = next((kinds for kinds in _CHAINS if isinstance(tree.op, kinds)), (type(tree.op),))
    later: list[list[str]] = []
    first: ast.expr = tree
    while isinstance(first, ast.BinOp) and isinstance(first.op, kinds):
        sign = _SIGNS.get(type(first.op), "**")
        whole = ast.unparse(ast.BinOp(ast.Name("x"), first.op, first.right))
        later.append(_prefixed(f"{sign} ", _operand(first.right, whole.endswith(")"), room - 2)))
        first = first.left
    whole = ast.unparse(ast.BinOp(first, tree.op, ast.Name("x")))
    yield _operand(first, whole.startswith("("), room)
    yield from reversed(later)


def _operand(tree: ast.expr, in_parentheses: bool, room: int) -> list[str]:
    text = expression_text(tree)
    needed = in_parentheses and not isinstance(tree, ast.Call | ast.Name | ast.Subscript)
    if len(text) + 2 * needed <= room:
        return [f"({text})" if needed else text]
    lines = _broken(tree, room - 4 * needed)
    return ["(", *_indented(lines), ")"] if needed else lines


def _filled(lines: list[str], room: int) -> list[str]:
    """As few lines as hold the pieces; what is in parentheses of its own stays apart."""
    filled: list[str] = []
    for line in lines:
        joins = filled and not line.startswith((" ", ")")) and not filled[-1].endswith(("(", " "))
        if joins and not filled[-1].startswith(" ") and len(filled[-1]) + 1 + len(line) <= room:
            filled[-1] += f" {line}"
        else:
            filled.append(line)
    return filled


def _prefixed(prefix: str, lines: list[str]) -> list[str]:
    return [prefix + lines[0], *lines[1:]]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
