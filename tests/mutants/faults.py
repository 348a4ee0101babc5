"""Single faults: one operator, constant, argument or statement of a file becomes another.

A fault replaces a stretch of text, so that everything else stays as it is, comments included.
"""

import ast
import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


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
    """`count` of the faults: one of each file first, then of each file in proportion.

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
    return [fault for _, fault in ranked[:count]]


# --- what becomes what -------------------------------------------------------------------------

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
"""The boundary, where there is one, and the negation."""

ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}

OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}
"""Functions that take the same and give the other."""

NO_ORDER = frozenset({"isinstance", "issubclass", "min", "max", "isclose", "Random"})
"""Calls whose first two arguments are not exchanged: it changes nothing, or is no Python."""

NO_MATTER = frozenset({"strict", "frozen", "slots", "repr", "stacklevel", "encoding", "flush"})
"""Keywords that stay: without them correct code does the same."""


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
        for kind, old, new in _changes(node):
            start, end = self._offset(old, end=False), self._offset(old, end=True)
            before = self.text[start:end].decode()
            yield Fault(self.path, scope, kind, old.lineno, start, end, before, new, self.digest)

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
    if isinstance(node, ast.Call) and _name(node.func) in ("isinstance", "cast", "TypeVar"):
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
            return _name(test) == "TYPE_CHECKING"
        case ast.Assign(targets=[ast.Name(name)]):  # __all__, and aliases of types
            return name == "__all__" or (name[0].isupper() and not name.isupper())
    return isinstance(node, ast.pattern)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _parens(node: ast.expr) -> str:
    return f"({ast.unparse(node)})"


Change = tuple[str, ast.expr | ast.stmt, str]
"""A word for it, the node that is replaced, the text that takes its place."""


def _changes(node: ast.AST) -> Iterator[Change]:
    """The faults at one node, those below it apart."""
    if isinstance(node, ast.expr):
        yield from _changed_expressions(node)
    elif isinstance(node, ast.stmt):
        yield from _changed_statements(node)
    elif isinstance(node, ast.comprehension):
        for test in node.ifs:
            yield "filter", test, "True"


def _changed_expressions(node: ast.expr) -> Iterator[Change]:
    match node:
        case ast.Compare(left, operators, others):
            for index, operator in enumerate(operators):
                for other in COMPARISONS[type(operator)]:
                    new = [*operators[:index], other(), *operators[index + 1 :]]
                    yield "comparison", node, _parens(ast.Compare(left, new, others))
        case ast.BinOp(_, ast.BitOr(), ast.Constant(None)):  # a type
            return
        case ast.BinOp(left, operator, right) if type(operator) in ARITHMETIC:
            changed = ast.BinOp(left, ARITHMETIC[type(operator)](), right)
            yield "arithmetic", node, _parens(changed)
        case ast.BoolOp(operator, values):
            other = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield "and/or", node, _parens(ast.BoolOp(other, values))
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield "sign" if isinstance(node.op, ast.USub) else "not", node, _parens(operand)
        case ast.IfExp(test, body, orelse):
            yield "condition", node, _parens(ast.IfExp(test, orelse, body))
        case ast.Constant(value):
            for other in _other_constants(value):
                yield "constant", node, repr(other)
        case ast.Call():
            yield from _changed_calls(node)


def _other_constants(value: object) -> Iterator[object]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
    elif isinstance(value, float):
        yield value + 1.0 if value.is_integer() and abs(value) < 2.0**53 else value * 1.001


def _changed_calls(node: ast.Call) -> Iterator[Change]:
    name = _name(node.func)
    if isinstance(node.func, ast.Name) and name in OPPOSITES:
        yield "function", node.func, OPPOSITES[name]
    plain = not any(isinstance(x, ast.Starred) for x in node.args[:2])
    if len(node.args) > 1 and plain and name not in NO_ORDER:
        first, second, *rest = node.args
        if ast.dump(first) != ast.dump(second):
            swapped = ast.Call(node.func, [second, first, *rest], node.keywords)
            yield "arguments", node, ast.unparse(swapped)
    for index, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg not in NO_MATTER:
            rest = node.keywords[:index] + node.keywords[index + 1 :]
            yield "keyword", node, ast.unparse(ast.Call(node.func, node.args, rest))


def _changed_statements(node: ast.stmt) -> Iterator[Change]:
    match node:
        case ast.If(test) | ast.While(test):
            yield "condition", test, f"(not ({ast.unparse(test)}))"
        case ast.Return(value) if value is not None and not _is_nothing(value):
            yield "result", node, "return None"
        case ast.Expr(ast.Call() | ast.Yield() | ast.YieldFrom()):
            yield "statement", node, "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "statement", node, "pass"
        case ast.AugAssign(target, operator, value):
            yield "statement", node, "pass"
            if type(operator) in ARITHMETIC:
                changed = ast.AugAssign(target, ARITHMETIC[type(operator)](), value)
                yield "arithmetic", node, ast.unparse(changed)
        case ast.Break() | ast.Continue() | ast.Raise() | ast.Delete():
            yield "statement", node, "pass"


def _is_nothing(node: ast.expr) -> bool:
    """Is it as false as None is? Most callers would not see the difference."""
    return isinstance(node, ast.Constant) and not node.value


# --- a whole tree ------------------------------------------------------------------------------


def faults_of_tree(root: Path, pattern: str = "*") -> Iterator[Fault]:
    """The faults of every file of the package whose path, relative to `root`, fits the pattern."""
    for path in sorted((root / "gradcompile").rglob("*.py")):
        relative = path.relative_to(root)
        if relative.match(pattern):
            yield from faults_in(relative.as_posix(), path.read_text(encoding="utf-8"))
