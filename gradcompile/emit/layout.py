"""Statements → the text of a module: what is loaded, the sweeps, what is returned, the imports.

Text longer than a limit becomes several functions, its parts, which `emit/parts.py` plans, and the
function that calls them in order:

    def f(inputs):
        kept = empty(2)
        f_1(inputs, kept)
        f_2(kept)
        value = kept[1]
        return value
"""

import ast
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass

from gradcompile import ieee, products, vector
from gradcompile.emit.parts import cut, kept

LINE_WIDTH = 100
"""The widest line with its comment."""

COLUMN = 48
"""As far as this, the comments of a sweep stand below one another."""

UNPACKED = 3
"""The most names on a line of a part: for more, numba builds tuples, which takes it long."""

HELPERS = {
    "array": "numpy", "empty": "numpy", "zeros": "numpy", "float64": "numpy",
    "inf": "math", "nan": "math", "columns": "gradcompile.blocks",
    "scratch": "gradcompile.blocks",
    **dict.fromkeys(products.FUNCTIONS, "gradcompile.products"),
}  # fmt: skip
"""What emitted code imports from elsewhere than `gradcompile.ieee`."""


@dataclass
class Statement:
    """An assignment to a name, to entries of arrays, or to both."""

    name: str
    tree: ast.expr
    reverse: bool = False
    comments: tuple[str, ...] = ("",)
    entries: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The statement without its comment."""
        targets = (self.name, *self.entries) if self.name else self.entries
        return " = ".join((*targets, ast.unparse(self.tree)))


@dataclass
class Stretch:
    """Statements in a row, under one title."""

    title: str
    statements: list[Statement]

    def __post_init__(self) -> None:
        self.assigned = [s.name for s in self.statements if s.name]
        self.read = names_in(s.tree for s in self.statements)

    def lines(self) -> list[str]:
        """The title and the statements with their comments."""
        column = min(max((len(s.code) for s in self.statements if s.name), default=0), COLUMN)
        head = [self.title] if self.title else []
        return head + [_with_comment(statement, column) for statement in self.statements]


@dataclass
class Layout:
    """What a module has to say.

    Attributes:
        function: the name of its function.
        inputs: the names of the inputs, in order.
        statements: those of both sweeps, in the order of the program.
        fills: what fills the places of long arrays that no statement of a sweep fills.
        sizes: the length of each array that is filled.
        results: the expressions that are returned.
        fresh: gives a name that nothing else has.
    """

    function: str
    inputs: list[str]
    statements: list[Statement]
    fills: list[Statement]
    sizes: dict[str, int]
    results: list[ast.expr]
    fresh: Callable[[str], str]

    def module(self, summary: str, limit: int) -> str:
        """The text.

        Args:
            summary: a comment for the first line.
            limit: the most statements of one function.
        """
        self.sources = {name: ("inputs", index) for index, name in enumerate(self.inputs)}
        stretches = self._stretches()
        if len(self.statements) + len(self.fills) <= limit:
            functions = [self._whole(stretches)]
        else:
            functions = self._split(stretches, limit)
        read = names_in(self.results).union(*(stretch.read for stretch in stretches))
        head = f"# {summary}\n" if summary else ""
        needed = read | {"empty"} if self.sizes else read
        return head + imports(needed) + "\n\n\n".join(functions) + "\n"

    def _stretches(self) -> list[Stretch]:
        sweeps = [
            Stretch("# forward sweep", [s for s in self.statements if not s.reverse]),
            Stretch("# reverse sweep", [s for s in self.statements if s.reverse]),
            Stretch("", self.fills),
        ]
        return [stretch for stretch in sweeps if stretch.statements]

    def _whole(self, stretches: list[Stretch]) -> str:
        read = names_in(self.results).union(*(stretch.read for stretch in stretches))
        sweeps = [line for stretch in stretches for line in stretch.lines()]
        lines = [*self._loads(read), *self._allocations(), *sweeps, self._return()]
        return function_text(self.function, ["inputs"], lines)

    def _split(self, stretches: list[Stretch], limit: int) -> list[str]:
        parts = [Stretch(s.title, part) for s in stretches for part in cut(s.statements, limit)]
        results = names_in(self.results)
        self._keep(kept([*((part.assigned, part.read) for part in parts), ([], results)]))
        functions, calls = [], []
        for number, part in enumerate(parts, 1):
            name = self.fresh(f"{self.function}_{number}")
            loads = self._loads(part.read.difference(part.assigned), UNPACKED)
            lines = [*loads, *part.lines()]
            arguments = [x for x in ("inputs", *self.sizes) if f"{x}[" in "\n".join(lines)]
            comment = f"# part {number} of {len(parts)}\n"
            functions.append(comment + function_text(name, arguments, lines))
            calls.append(f"{name}({', '.join(arguments)})")
        lines = [*self._allocations(), *calls, *self._loads(results), self._return()]
        return [*functions, function_text(self.function, ["inputs"], lines)]

    def _keep(self, places: dict[str, int]) -> None:
        """Give each name its place in the array `kept`."""
        for statement in self.statements:
            if statement.name in places:
                statement.entries = (f"kept[{places[statement.name]}]", *statement.entries)
        self.sources |= {name: ("kept", place) for name, place in places.items()}
        if places:
            self.sizes = {"kept": len(places), **self.sizes}

    def _loads(self, read: Iterable[str], most: int = LINE_WIDTH) -> list[str]:
        """Assignments from `inputs` and `kept` to what is read, at most `most` names a line."""
        places = sorted((*self.sources[name], name) for name in read if name in self.sources)
        lines: list[tuple[list[str], list[str]]] = []
        width = LINE_WIDTH
        for array, place, name in places:
            entry = f"{array}[{place}]"
            width += len(f"{name}, {entry}, ")
            if width > LINE_WIDTH or len(lines[-1][0]) == most:
                lines.append(([], []))
                width = len(f"    {name} = {entry}")
            lines[-1][0].append(name)
            lines[-1][1].append(entry)
        return [f"{', '.join(left)} = {', '.join(right)}" for left, right in lines]

    def _allocations(self) -> list[str]:
        return [f"{name} = empty({size})" for name, size in self.sizes.items()]

    def _return(self) -> str:
        return f"return {', '.join(map(ast.unparse, self.results))}"


def function_text(name: str, arguments: Iterable[str], lines: Iterable[str]) -> str:
    """A function definition."""
    body = "\n".join(f"    {line}" for line in lines)
    return f"def {name}({', '.join(arguments)}):\n{body}"


def _with_comment(statement: Statement, column: int) -> str:
    code = statement.code
    for comment in statement.comments:
        line = f"{code:{column}}  # {comment}"
        if comment and 4 + len(line) <= LINE_WIDTH:
            return line
    return code


def names_in(trees: Iterable[ast.AST]) -> set[str]:
    """Every name in syntax trees."""
    return {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}


def imports(names: Iterable[str], in_loops: Container[str] = ()) -> str:
    """The import statements for these names; functions in long loops are those for vector code."""
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
    return (
        line if len(line) <= LINE_WIDTH else f"from {module} import (\n    {', '.join(names)},\n)"
    )
