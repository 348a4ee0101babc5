"""Functions made of statements → the text of a module: titles, comments, line breaks, imports.

Both emitters end here. A function is a name, its arguments, and a body of three kinds of things:
lines, loops over such things, and comments. Its text is made of nothing else; which names a body
has, and so what a part of the text takes and a module imports, is read off the trees.
"""

import ast
import textwrap
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

from gradcompile import ieee, products, vector
from gradcompile.emit.wrapping import (
    MAX_COMMENT,
    comment_lines,
    expression_text,
    statement_lines,
)
from gradcompile.ir.sweeps import FORWARD_SWEEP, Sweep, full_title
from gradcompile.ops.op import Op
from gradcompile.support.names import RESERVED

MAX_LINE = 89
"""The widest line with its comment."""

MAX_COMMENT_COLUMN = 48
"""As far as this, the comments beside the lines of a sweep stand below one another."""

INPUTS = "inputs"
"""The flat array of the numbers that a function takes."""

HELPERS = {
    "array": "numpy", "empty": "numpy", "zeros": "numpy", "float64": "numpy",
    "inf": "math", "nan": "math", "columns": "gradcompile.blocks",
    "divide": "gradcompile.blocks", "scratch": "gradcompile.blocks",
    **dict.fromkeys(products.FUNCTIONS, "gradcompile.products"),
}  # fmt: skip
"""What emitted code imports from elsewhere than `gradcompile.ieee`."""

_AUGMENTED = {ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.Div: "/="}


def emitted_names(operations: Iterable[Op] = ()) -> frozenset[str]:
    """List the names that emitted code imports or finds built in, and must not give to anything.

    Args:
        operations: that the code applies: some are functions of the user's own.
    """
    return RESERVED.union(ieee.FUNCTIONS, HELPERS, opaque_names(operations))


def opaque_names(operations: Iterable[Op]) -> frozenset[str]:
    """List the names of the user's own functions among operations."""
    return frozenset(op.name for op in operations if op.is_opaque)


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
        may_break: may it have several lines, if it is too wide?
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
        return self.code_within(None)

    def code_within(self, room: int | None) -> tuple[str, ...]:
        """The same on lines that are no wider than there is room for, where it may have several."""
        start, value = self._start(), self.tree.value
        if self.may_break and value is not None:
            return statement_lines(start, self.value, value, room)
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

    def without_comment(self) -> "Line":
        """The same under a heading that says what would stand beside it."""
        return replace(self, differentiates=())

    @property
    def has_room_for_comment(self) -> bool:
        """Is there room beside it for one of its comments?"""
        return any(8 + len(self.code[-1]) + len(text) <= MAX_LINE for text in self.comments())

    @property
    def quoted(self) -> str:
        """An assignment as a comment quotes it."""
        return f"{self.name} = {self.value}"

    @property
    def name(self) -> str:
        """The variable that it assigns first; "" if there is none."""
        match self.tree:
            case ast.Assign([ast.Name(name), *_]):
                return name
        return ""

    def comments(self) -> Iterator[str]:
        """What may be said beside it; the best first."""
        if self.differentiates:
            yield ", ".join(line.quoted for line in self.differentiates)
            yield ", ".join(line.name for line in self.differentiates)


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
    """A function of the text, with a comment above it, or a docstring that says what it does."""

    name: str
    arguments: tuple[str, ...]
    body: tuple[Item, ...]
    comment: str = ""
    summary: str = ""


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


def with_titles(steps: Iterable[tuple[Sweep, Iterable[Item]]], seed: str) -> Iterator[Item]:
    """Put a title where each sweep begins, but for the forward sweep.

    Args:
        steps: in order; for each the sweep that it is of, and what it consists of.
        seed: what the reverse sweep begins with; "" where that is not one adjoint.
    """
    last = FORWARD_SWEEP
    for sweep, items in steps:
        if sweep != last:
            last = sweep
            yield Comment(full_title(sweep.title, seed))
        yield from items


# --- text ----------------------------------------------------------------------------------------


def module_text(
    functions: Iterable[Function], in_loops: Container[str] = (), own: Container[str] = ()
) -> str:
    """Write a module.

    Args:
        functions: in order; the last one is what the module is for.
        in_loops: the functions that are called in long loops, and so are those for vector code.
        own: the names of the user's own functions that are called.
    """
    functions = list(functions)
    names = names_of(item for function in functions for item in function.body)
    texts = "\n\n\n".join(map(_function_text, functions))
    return f"{_imports(names, in_loops, own)}{texts}\n"


def lines_of(items: Iterable[Item], room: int = MAX_LINE - 4) -> Iterator[str]:
    """Write statements and comments, line by line; deep in loops there is less room."""
    for are_lines, group in groupby(items, lambda item: isinstance(item, Line)):
        if are_lines:
            yield from _aligned([item for item in group if isinstance(item, Line)], room)
            continue
        for item in group:
            if isinstance(item, Comment):
                yield from comment_lines(item.text, min(MAX_COMMENT, room))
            elif isinstance(item, For):
                yield item.head
                yield from (f"    {line}" for line in lines_of(item.body, room - 4))


def _aligned(lines: list[Line], room: int) -> Iterator[str]:
    """Write lines in a row, the comments beside them below one another."""
    if not any(line.differentiates for line in lines):
        for line in lines:
            fits = max(map(len, line.code)) <= room
            yield from line.code if fits else line.code_within(room)
        return
    widest = max((len(line.code[0]) for line in lines if line.name), default=0)
    for line in lines:
        yield from line.code[:-1]
        code = line.code[-1]
        noted = (f"{code:{min(widest, MAX_COMMENT_COLUMN)}}  # {x}" for x in line.comments())
        yield next((text for text in noted if 4 + len(text) <= MAX_LINE), code)


def _function_text(function: Function) -> str:
    comment = f"# {function.comment}\n" if function.comment else ""
    lines = [*_docstring(function.summary), *lines_of(function.body)]
    body = "\n".join(f"    {line}" for line in lines)
    return f"{comment}{_head(function)}\n{body}"


def _head(function: Function) -> str:
    """The first line of a function; on several lines, if its arguments are many."""
    head = f"def {function.name}({', '.join(function.arguments)}):"
    if len(head) <= MAX_LINE:
        return head
    inside = textwrap.fill(
        ", ".join(function.arguments), MAX_LINE, initial_indent="    ", subsequent_indent="    "
    )
    return f"def {function.name}(\n{inside}\n):"


def _docstring(summary: str) -> list[str]:
    if not summary:
        return []
    first, *rest = textwrap.wrap(summary, MAX_LINE - len('    """"""'), break_long_words=False)
    return [f'"""{first}"""'] if not rest else [f'"""{first}', *rest, '"""']


def _imports(names: Iterable[str], in_loops: Container[str], own: Container[str]) -> str:
    modules: dict[str, list[str]] = {}
    for name in sorted(names):
        if name in HELPERS:
            modules.setdefault(HELPERS[name], []).append(name)
        elif name in in_loops and name in vector.FUNCTIONS:
            modules.setdefault("gradcompile.vector", []).append(name)
        elif name in ieee.FUNCTIONS:
            modules.setdefault("gradcompile.ieee", []).append(name)
        elif name in own:
            modules.setdefault("gradcompile.opaque", []).append(name)
    lines = [_import(module, names) for module, names in sorted(modules.items())]
    return "\n".join(lines) + "\n\n\n" if lines else ""


def _import(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= MAX_LINE:
        return line
    listed = textwrap.wrap(", ".join(names) + ",", MAX_LINE - 4)
    return "\n    ".join([f"from {module} import (", *listed]) + "\n)"


def _unparenthesised(tree: ast.expr) -> str:
    """Write an expression; a tuple, which `ast.unparse` puts into parentheses, without them."""
    return (
        ", ".join(map(expression_text, tree.elts))
        if isinstance(tree, ast.Tuple) and len(tree.elts) > 1
        else expression_text(tree)
    )
