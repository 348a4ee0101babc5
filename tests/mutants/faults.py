"""Single faults: one operator, constant, argument or statement of a file becomes another.

A fault replaces a stretch of text, so that everything else stays as it is, comments included.
"""

import ast
import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.changes import NO_MATTER, changes_at, name_of
from tests.mutants.idle import is_idle


@dataclass(frozen=True)
class Fault:
    """One change to one file.

    Attributes:
        path: the file, relative to the root of the repository.
        scope: the class and function that the change is in; "" at the top.
        kind: a word for what is changed.
        line: the line it begins in, from 1.
        start: the first byte that is replaced.
        end: the byte after the last one.
        before: the text that is replaced.
        after: the text that takes its place.
        digest: of the whole file before the change.
        idle: does it change nothing, as the text alone tells?
    """

    path: str
    scope: str
    kind: str
    line: int
    start: int
    end: int
    before: str
    after: str
    digest: str
    idle: bool = False

    @property
    def key(self) -> str:
        """What the fault is, wherever in the file its lines have moved to."""
        before, after = (" ".join(text.split()) for text in (self.before, self.after))
        return f"{self.path} {self.scope or 'top'}: {before} → {after}"

    def applied(self, source: str) -> str:
        """The file's text with the fault in it."""
        text = source.encode()
        return (text[: self.start] + self.after.encode() + text[self.end :]).decode()


def digest_of(source: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def faults_in(path: str, source: str) -> list[Fault]:
    """Every fault that can be put into a file, in the order of its text."""
    return list(_Finder(path, source).faults_below(ast.parse(source), ""))


def chosen(faults: Iterable[Fault], count: int, seed: int) -> list[Fault]:
    """`count` of the faults that may change something: one of each file first, then in proportion.

    A larger choice of the same seed begins with the smaller one.
    """
    by_file: dict[str, list[Fault]] = {}
    for fault in faults:
        by_file.setdefault(fault.path, []).append(fault)
    ranked = []
    for path, own in by_file.items():
        draw = random.Random(f"{seed} {path}")
        draw.shuffle(own)
        ranked += [
            ((index > 0, index / len(own) if index else draw.random()), fault)
            for index, fault in enumerate(own)
        ]
    ranked.sort(key=lambda pair: pair[0])
    return [fault for _, fault in ranked if not fault.idle][:count]


# --- where they are ----------------------------------------------------------------------------


class _Finder:
    """Finds the faults of one file."""

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self.text = source.encode()
        self.digest = digest_of(source)
        self.starts = [0]
        for line in self.text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def faults_below(self, node: ast.AST, scope: str) -> Iterator[Fault]:
        """The faults of a node and of all that can be changed below it."""
        yield from self._faults_at(node, scope)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            scope = f"{scope}.{node.name}".lstrip(".")
        for child in _changeable(node):
            yield from self.faults_below(child, scope)

    def _faults_at(self, node: ast.AST, scope: str) -> Iterator[Fault]:
        for kind, old, new in changes_at(node):
            start, end = self._offset(old, end=False), self._offset(old, end=True)
            before, head = self.text[start:end].decode(), self.text[:start].decode()
            idle = is_idle(kind, self.text.decode(), len(head), before, new)
            place = (self.path, scope, kind, old.lineno, start, end)
            yield Fault(*place, before, new, self.digest, idle)

    def _offset(self, node: ast.expr | ast.stmt, end: bool) -> int:
        line, column = node.lineno, node.col_offset
        if end:
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            line, column = node.end_lineno, node.end_col_offset
        return self.starts[line - 1] + column


def _changeable(node: ast.AST) -> Iterator[ast.AST]:
    """The children that a fault may be in.

    Not: types, docstrings and other text, imports, assertions, which say what must be so anyway,
    and what is for the type checker alone.
    """
    if isinstance(node, ast.Call) and name_of(node.func) in ("isinstance", "cast", "TypeVar"):
        yield from node.args[:1]
        return
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "type_params", "decorator_list", "bases", "msg"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_left_alone(child):
                yield child


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.JoinedStr() | ast.Constant(str()):
            return True
        case ast.keyword(arg=name):
            return name in NO_MATTER
        case ast.If(test=test):
            return name_of(test) == "TYPE_CHECKING"
        case ast.Assign(targets=[ast.Name(name)]):  # __all__, and aliases of types
            return name == "__all__" or (name[0].isupper() and not name.isupper())
    return isinstance(node, ast.pattern)


# --- a whole tree ------------------------------------------------------------------------------


def faults_of_tree(root: Path, pattern: str = "*") -> Iterator[Fault]:
    """The faults of every file of the package whose path, relative to `root`, fits the pattern."""
    for path in sorted((root / "gradcompile").rglob("*.py")):
        relative = path.relative_to(root)
        if relative.match(pattern):
            yield from faults_in(relative.as_posix(), path.read_text(encoding="utf-8"))
