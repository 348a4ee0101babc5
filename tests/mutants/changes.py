"""What becomes what: the single changes that can be made at one node of a syntax tree."""

import ast
from collections.abc import Iterator

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


def name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _parens(node: ast.expr) -> str:
    return f"({ast.unparse(node)})"


Change = tuple[str, ast.expr | ast.stmt, str]
"""A word for it, the node that is replaced, the text that takes its place."""


def changes_at(node: ast.AST) -> Iterator[Change]:
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
    name = name_of(node.func)
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
