"""Functions made of statements → the text of a module: titles, comments, line breaks, imports.

Both emitters end here. A function is a name, its arguments, and a body of three kinds of things:
lines, loops over such things, and comments. Its text is made of nothing else; which names a body
has, and so what a part of the text takes and a module imports, is read off the trees.
"""

import ast
import textwrap
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from gradcompile import ieee, products, vector
from gradcompile.support.names import RESERVED

FORWARD_SWEEP = "forward sweep"
"""The comment that the forward sweep begins with."""

REVERSE_SWEEP = "reverse sweep"
"""The comment that the reverse sweep begins with."""

MAX_LINE = 100
"""The widest line with its comment."""

MAX_COMMENT = 80
"""The widest line that is a comment."""

MAX_SUM = 72
"""The widest sum on one line, inside of its loops; a wider one has a line for each term."""

MAX_COMMENT_COLUMN = 48
"""As far as this, the comments beside the lines of a sweep stand below one another."""

MAX_NAMED = 4
"""How many forward statements a comment names."""

INPUTS = "inputs"
"""The flat array of the numbers that a function takes."""

HELPERS = {
    "array": "numpy", "empty": "numpy", "zeros": "numpy", "float64": "numpy",
    "inf": "math", "nan": "math", "columns": "gradcompile.blocks",
    "scratch": "gradcompile.blocks",
    **dict.fromkeys(products.FUNCTIONS, "gradcompile.products"),
}  # fmt: skip
"""What emitted code imports from elsewhere than `gradcompile.ieee`."""

_AUGMENTED = {ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.Div: "/="}


def emitted_names() -> frozenset[str]:
    """List the names that emitted code imports or finds built in, and must not give to anything."""
    return RESERVED | frozenset(ieee.FUNCTIONS) | frozenset(HELPERS)


# --- what a function is made of ------------------------------------------------------------------


@dataclass(frozen=True)
class Comment:
    """A comment on lines of its own."""

    text: str

    @property
    def names(self) -> frozenset[str]:
        """None: a comment reads nothing."""
        return frozenset()


@dataclass(frozen=True)
class Line:
    """An assignment, a call, or what is returned.

    Attributes:
        tree: the statement.
        differentiates: the forward statements that it is an adjoint of, for a comment beside it.
        may_break: may a sum that is too wide have a line for each of its terms?
    """

    tree: ast.Assign | ast.AugAssign | ast.Expr | ast.Return
    differentiates: tuple["Line", ...] = ()
    may_break: bool = False

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name in it."""
        return frozenset(names_in([self.tree]))

    @cached_property
    def value(self) -> str:
        """The text of what is assigned, called or returned."""
        return "" if self.tree.value is None else _unparenthesised(self.tree.value)

    @cached_property
    def code(self) -> tuple[str, ...]:
        """Its text without the comment, on as many lines as it takes."""
        start, value = self._start(), self.tree.value
        if self.may_break and len(start) + len(self.value) > MAX_SUM and value is not None:
            terms = list(_terms(value))
            if len(terms) > 1:
                return (f"{start}(", *(f"    {term}" for term in terms), ")")
        return (start + self.value,)

    def _start(self) -> str:
        match self.tree:
            case ast.Assign(targets):
                return "".join(f"{_unparenthesised(target)} = " for target in targets)
            case ast.AugAssign(target, operator):
                return f"{ast.unparse(target)} {_AUGMENTED[type(operator)]} "
            case ast.Return():
                return "return "
            case _:
                return ""

    @property
    def name(self) -> str:
        """The variable that it assigns first; "" if there is none."""
        match self.tree:
            case ast.Assign([ast.Name(name), *_]):
                return name
        return ""

    def comments(self) -> Iterator[str]:
        """What may be said beside it; the best first."""
        names = [line.name for line in self.differentiates]
        if len(names) == 1:
            yield f"{names[0]} = {self.differentiates[0].value}"
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        if names:
            yield ", ".join(names[:MAX_NAMED]) + more


@dataclass(frozen=True)
class For:
    """A loop over statements."""

    index: str
    rounds: ast.expr
    body: "tuple[Item, ...]"

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name in it."""
        return frozenset({self.index}).union(names_in([self.rounds]), names_of(self.body))

    @cached_property
    def head(self) -> str:
        """Its first line."""
        return f"for {self.index} in {ast.unparse(self.rounds)}:"


Item = Comment | Line | For


@dataclass(frozen=True)
class Function:
    """A function of the text, with a comment above it."""

    name: str
    arguments: tuple[str, ...]
    body: tuple[Item, ...]
    comment: str = ""


def names_of(items: Iterable[Item]) -> frozenset[str]:
    """Collect every name in statements."""
    return frozenset().union(*(item.names for item in items))


def names_in(trees: Iterable[ast.AST]) -> set[str]:
    """Collect every name in syntax trees."""
    names = set()
    stack = list(trees)
    while stack:  # `ast.walk` takes twice as long
        node = stack.pop()
        if isinstance(node, ast.Name):
            names.add(node.id)
            continue
        for field in node._fields:
            part = getattr(node, field, None)
            if isinstance(part, ast.expr):
                stack.append(part)
            elif isinstance(part, list):
                stack += part
    return names


def with_titles(steps: Iterable[tuple[bool, Iterable[Item]]]) -> Iterator[Item]:
    """Put a title where a sweep begins.

    Args:
        steps: in order; for each whether it is of the reverse sweep, and what it consists of.
    """
    sweep = None
    for reverse, items in steps:
        if reverse is not sweep:
            sweep = reverse
            yield Comment(REVERSE_SWEEP if reverse else FORWARD_SWEEP)
        yield from items


# --- text ----------------------------------------------------------------------------------------


def module_text(
    functions: Iterable[Function], summary: str = "", in_loops: Container[str] = ()
) -> str:
    """Write a module.

    Args:
        functions: in order; the last one is what the module is for.
        summary: a comment for the first line.
        in_loops: the functions that are called in long loops, and so are those for vector code.
    """
    functions = list(functions)
    names = names_of(item for function in functions for item in function.body)
    head = f"# {summary}\n" if summary else ""
    texts = "\n\n\n".join(map(_function_text, functions))
    return f"{head}{_imports(names, in_loops)}{texts}\n"


def lines_of(items: Iterable[Item]) -> Iterator[str]:
    """Write statements and comments, line by line."""
    for are_lines, group in groupby(items, lambda item: isinstance(item, Line)):
        if are_lines:
            yield from _aligned([item for item in group if isinstance(item, Line)])
            continue
        for item in group:
            if isinstance(item, Comment):
                yield from textwrap.wrap(
                    item.text, MAX_COMMENT, initial_indent="# ", subsequent_indent="#     ",
                    break_long_words=False, break_on_hyphens=False,
                )  # fmt: skip
            elif isinstance(item, For):
                yield item.head
                yield from (f"    {line}" for line in lines_of(item.body))


def _aligned(lines: list[Line]) -> Iterator[str]:
    """Write lines in a row, the comments beside them below one another."""
    if not any(line.differentiates for line in lines):
        for line in lines:
            yield from line.code
        return
    widest = max(len(line.code[0]) for line in lines if line.name)
    for line in lines:
        yield from line.code[:-1]
        code = line.code[-1]
        noted = (f"{code:{min(widest, MAX_COMMENT_COLUMN)}}  # {x}" for x in line.comments())
        yield next((text for text in noted if 4 + len(text) <= MAX_LINE), code)


def _function_text(function: Function) -> str:
    comment = f"# {function.comment}\n" if function.comment else ""
    body = "\n".join(f"    {line}" for line in lines_of(function.body))
    return f"{comment}def {function.name}({', '.join(function.arguments)}):\n{body}"


def _imports(names: Iterable[str], in_loops: Container[str]) -> str:
    modules: dict[str, list[str]] = {}
    for name in sorted(names):
        if name in HELPERS:
            modules.setdefault(HELPERS[name], []).append(name)
        elif name in in_loops and name in vector.FUNCTIONS:
            modules.setdefault("gradcompile.vector", []).append(name)
        elif name in ieee.FUNCTIONS:
            modules.setdefault("gradcompile.ieee", []).append(name)
    lines = [_import(module, names) for module, names in sorted(modules.items())]
    return "\n".join(lines) + "\n\n\n" if lines else "\n\n"


def _import(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    return line if len(line) <= MAX_LINE else f"from {module} import (\n    {', '.join(names)},\n)"


def _unparenthesised(tree: ast.expr) -> str:
    """Write an expression; a tuple, which `ast.unparse` puts into parentheses, without them."""
    return (
        ", ".join(map(expression_text, tree.elts))
        if isinstance(tree, ast.Tuple)
        else expression_text(tree)
    )


def expression_text(tree: ast.expr) -> str:
    """Write an expression as `ast.unparse` does, but fast if it is one of which there are many."""
    match tree:
        case ast.Name(name):
            return name
        case ast.Subscript(ast.Name(name), ast.Constant(index)):
            return f"{name}[{index!r}]"
    return ast.unparse(tree)


def _terms(tree: ast.expr) -> Iterator[str]:
    """Write the terms of a sum, each with its sign and the parentheses that it needs there."""
    neighbour = ast.Name("x")
    later = []
    while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub):
        later.append(ast.unparse(ast.BinOp(neighbour, tree.op, tree.right)).removeprefix("x "))
        tree = tree.left
    yield ast.unparse(ast.BinOp(tree, ast.Add(), neighbour)).removesuffix(" + x")
    yield from reversed(later)
