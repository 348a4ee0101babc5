"""Emitted source, read back: what the text of a kernel says, statement by statement.

Verification works on this, and never on the program that the text was emitted from. An element of
an array is a value like any other; it is called as the text writes it, `w[0, 1]`.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

from gradcompile.emit.parts import KEPT
from gradcompile.ir.program import ADJOINT
from gradcompile.ir.signature import adjoint_name
from gradcompile.ir.sweeps import REVERSE_SWEEP
from gradcompile.ops.syntax import ExpressionError

REVERSE = f"# {REVERSE_SWEEP}"
"""How the line begins that the reverse sweep begins with."""


@dataclass
class KernelText:
    """An emitted `value_and_grad` function as its text has it.

    Attributes:
        parameters: the names that it takes.
        forward: the assignments of the forward sweep in order: a name and its expression.
        reverse: those of the reverse sweep.
        value: the expression returned as the value.
        gradient: the expressions returned as the gradient, by index.
        adjoints: for each of them, the name of what it is the adjoint of, with `_bar`.
        loaded: the names that elements of parameters are read into.
        shapes: of the arrays that are made.
        zeroed: those of them that are made of zeros.
        kept: where the text is in parts, the name whose value is at each place of `kept`.
    """

    parameters: list[str] = field(default_factory=list)
    forward: dict[str, ast.expr] = field(default_factory=dict)
    reverse: dict[str, ast.expr] = field(default_factory=dict)
    value: ast.expr = field(default_factory=lambda: ast.Constant(0.0))
    gradient: dict[int, ast.expr] = field(default_factory=dict)
    adjoints: dict[int, str] = field(default_factory=dict)
    loaded: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    zeroed: set[str] = field(default_factory=set)
    kept: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many statements it has."""
        return len(self.forward) + len(self.reverse)

    def components(self) -> list[int]:
        """List the indices of the gradient, in order."""
        return sorted(self.gradient)

    @cached_property
    def inputs(self) -> list[str]:
        """The values that it reads and does not compute, in the order of its parameters."""
        trees = [*self.forward.values(), *self.reverse.values(), self.value]
        read = dict.fromkeys(name for tree in trees for name in _names(tree))
        rank = {name: k for k, name in enumerate(self.parameters)}
        known = {name: self.loaded.get(name, name) for name in read}
        found = [name for name, source in known.items() if _array(source) in rank]
        return sorted(found, key=lambda name: (rank[_array(known[name])], _position(known[name])))

    def differentiated(self) -> list[str]:
        """List what each component of the gradient is by, as far as its name tells."""
        elements = {source: name for name, source in self.loaded.items()}
        primals = {adjoint_name(name): name for name in self.parameters}
        found = []
        for component in self.components():
            adjoint = self.adjoints[component]
            array, bracket, index = adjoint.partition("[")
            primal = f"{primals.get(array, array.removesuffix(ADJOINT))}{bracket}{index}"
            found.append(elements.get(primal, primal))
        return found


def _array(name: str) -> str:
    """The array that an element belongs to; of another name, that name."""
    return name.partition("[")[0]


def _position(name: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", name.partition("[")[2])))


def _names(tree: ast.expr) -> Iterator[str]:
    return (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


class _Elements(ast.NodeTransformer):
    """Elements of arrays as names, which no name in Python can be equal to."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        match node:
            case ast.Subscript(ast.Name(array), ast.Constant(int(index))):
                return ast.Name(f"{array}[{index}]")
            case ast.Subscript(ast.Name(array), ast.Tuple(items)):
                if all(isinstance(x, ast.Constant) and type(x.value) is int for x in items):
                    return ast.Name(f"{array}[{', '.join(map(ast.unparse, items))}]")
        return node


def read_kernel(source: str) -> KernelText:
    """Read the source of a `value_and_grad` kernel.

    Raises:
        ExpressionError: the text is not of the form that `emit` writes.
    """
    functions = functions_of(source)
    lines = [line.strip() for line in source.splitlines()]
    starts = [k for k, line in enumerate(lines, 1) if line.startswith(REVERSE)]
    first = starts[0] if starts else len(lines) + 1
    text = KernelText([argument.arg for argument in functions[-1].args.args])
    for statement, function in in_order(functions):
        sweep = text.reverse if statement.lineno > first else text.forward
        # What is read into names stands before the sweep of its function.
        begun = any(function.lineno < start < statement.lineno for start in starts)
        match read_statement(text, sweep, statement, begun):
            case None:
                pass
            case ast.Tuple([value, ast.Tuple(gradient)]):
                text.value = value
                _read_gradient(text, gradient)
            case _:
                raise ExpressionError(f"unexpected statement `{ast.unparse(statement)}`")
    _add_copies(text)
    require_numbers({**text.forward, **text.reverse}, [text.value, *text.gradient.values()])
    return text


def functions_of(source: str) -> list[ast.FunctionDef]:
    """List the functions of an emitted module: the parts of the last one, and that one.

    Raises:
        ExpressionError: it is not Python, or there is none.
    """
    try:
        module = ast.parse(source)
    except SyntaxError as error:
        raise ExpressionError(f"the emitted text is not Python: {error}") from None
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    if not functions:
        raise ExpressionError("expected a function in the text, found none")
    return functions


def read_statement(
    text: KernelText, sweep: dict[str, ast.expr], statement: ast.stmt, begun: bool
) -> ast.expr | None:
    """Take in a statement; if it is a `return`, give back what it returns.

    Args:
        text: what was read so far.
        sweep: that of its statements to which it is added.
        statement: a docstring, an assignment or a `return`.
        begun: does it stand in the reverse sweep of its function?
    """
    match _Elements().visit(statement):
        case ast.Expr(ast.Constant(str())):
            pass
        case ast.Assign([ast.Tuple(left)], ast.Tuple(right)) if len(left) == len(right):
            for name, item in zip(left, right, strict=True):
                _assign(text, sweep, [name], item, begun)
        case ast.Assign(targets, expression):
            _assign(text, sweep, targets, expression, begun)
        case ast.Return(ast.expr() as returned):
            return returned
        case _:
            raise ExpressionError(f"unexpected statement `{ast.unparse(statement)}`")
    return None


def _add_copies(text: KernelText) -> None:
    """Take for statements what reads an element that is read elsewhere too, under no name."""
    trees = [*text.forward.values(), *text.reverse.values(), text.value, *text.gradient.values()]
    read = {name for tree in trees for name in _names(tree)}
    names = Counter(text.loaded.values())
    copies = {
        name: ast.Name(source)
        for name, source in text.loaded.items()
        if source in read or names[source] > 1
    }
    text.forward = {**copies, **text.forward}
    text.loaded = {name: x for name, x in text.loaded.items() if name not in copies}


def require_numbers(statements: Mapping[str, ast.expr], results: Iterable[ast.expr]) -> None:
    """Raise an error if a condition, True or False, is computed with, or returned."""
    is_truth = (ast.Compare, ast.BoolOp)
    conditions = {
        name for name, tree in statements.items()
        if isinstance(tree, is_truth)
        or (isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not))
    }  # fmt: skip
    for tree in (*statements.values(), *results):
        for name in _computed_with(tree):
            if name in conditions:
                raise ExpressionError(f"{name} is a condition in `{ast.unparse(tree)}`, no number")


def _computed_with(tree: ast.AST) -> Iterator[str]:
    """The names whose values matter in an expression, and not only whether they are true."""
    tested: list[ast.expr] = []
    match tree:
        case ast.Name(name):
            yield name
        case ast.IfExp(test):
            tested = [test]
        case ast.BoolOp(_, tested) | ast.Call(ast.Name("bool"), tested):
            pass
        case ast.UnaryOp(ast.Not(), operand):
            tested = [operand]
    bare = [x for x in tested if isinstance(x, ast.Name)]
    for part in ast.iter_child_nodes(tree):
        if part not in bare:
            yield from _computed_with(part)


def in_order(
    functions: list[ast.FunctionDef],
) -> Iterator[tuple[ast.stmt, ast.FunctionDef]]:
    """The statements as they run: those of the last function, and of a part where it is called.

    Each comes with the function that it stands in.
    """
    *parts, main = functions
    for statement in main.body:
        if parts and ast.unparse(statement) == f"{parts[0].name}({ast.unparse(parts[0].args)})":
            part = parts.pop(0)
            yield from ((inner, part) for inner in part.body)
        else:
            yield statement, main
    if parts:
        raise ExpressionError(f"{parts[0].name} is not called in its turn")


def _assign(
    text: KernelText,
    sweep: dict[str, ast.expr],
    targets: list[ast.expr],
    expression: ast.expr,
    begun: bool,
) -> None:
    """Take in an assignment.

    Args:
        text: what was read so far.
        sweep: that of its statements to which it is added.
        targets: what is assigned.
        expression: what it is assigned.
        begun: does it stand in the reverse sweep of its function?
    """
    match targets, expression:
        case [ast.Name(name)], ast.Name(source) if _is_load(text, name, source) and not begun:
            if text.loaded.get(name, source) != source:
                raise ExpressionError(f"{name} is not {source}")
            text.loaded[name] = source
            return
    match expression:
        case ast.Name(source) if _array(source) == KEPT and "[" in source:
            (target,) = targets
            if text.kept.get(source) != ast.unparse(target):
                raise ExpressionError(f"{source} is not {ast.unparse(target)}")
            return
        case ast.Call(ast.Name("empty" | "zeros" as function), [extents]):
            (target,) = targets
            _make(text, sweep, ast.unparse(target), ast.literal_eval(extents), function)
            return
    for target in targets:
        match target:
            case ast.Name(name) if _array(name) == KEPT and "[" in name:
                if name in text.kept:
                    raise ExpressionError(f"{name} is assigned twice")
                text.kept[name] = ast.unparse(expression)
            case ast.Name(name):
                _put(text, sweep, name, expression)
                expression = target
            case ast.Subscript(
                ast.Name(array), ast.Slice(ast.Constant(int(start)), ast.Constant(int(stop)))
            ):
                for index in range(start, stop):
                    _put(text, sweep, f"{array}[{index}]", expression)
            case _:
                raise ExpressionError(f"unexpected target `{ast.unparse(target)}`")


def _is_load(text: KernelText, name: str, source: str) -> bool:
    """Is an element of a parameter read into a name?"""
    return "[" not in name and "[" in source and _array(source) in text.parameters


def _make(
    text: KernelText,
    sweep: dict[str, ast.expr],
    array: str,
    extents: int | tuple[int, ...],
    function: str,
) -> None:
    text.shapes[array] = (extents,) if isinstance(extents, int) else extents
    if function == "zeros":
        text.zeroed.add(array)
        for name in elements(array, text.shapes):
            sweep[name] = ast.Constant(0.0)


def _put(text: KernelText, sweep: dict[str, ast.expr], name: str, expression: ast.expr) -> None:
    """Take in the one assignment to a name; an element that was made 0 may be assigned later."""
    known = text.forward.get(name, text.reverse.get(name))
    is_zero = _array(name) in text.zeroed and isinstance(known, ast.Constant)
    if (known is not None and not is_zero) or name in text.loaded or name in text.parameters:
        raise ExpressionError(f"{name} is assigned twice")
    sweep.pop(name, None)
    sweep[name] = expression


def elements(array: str, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """Name the elements of an array that the text makes, in order."""
    for index in product(*map(range, shapes[array])):
        yield f"{array}[{', '.join(map(str, index))}]"


def _read_gradient(text: KernelText, items: list[ast.expr]) -> None:
    """Number the components of the gradient as they are returned, and note what each is called.

    If there is one item for each parameter, it belongs to that, whatever it is called.
    """
    whole = len(items) == len(text.parameters)
    for position, item in enumerate(items):
        primal = text.parameters[position] if whole else ""
        for element, name, tree in _components(text, item):
            component = len(text.gradient)
            text.gradient[component] = tree
            text.adjoints[component] = f"{primal}{ADJOINT}{element}" if primal else name


def _components(text: KernelText, item: ast.expr) -> Iterator[tuple[str, str, ast.expr]]:
    """List the components of an item: the subscripts in its array, its name, what it is."""
    match item:
        case ast.Name(array) if array in text.shapes:
            for name in elements(array, text.shapes):
                tree = text.reverse.get(name, text.forward.get(name))
                if tree is None:
                    raise ExpressionError(f"{name} is not assigned")
                # `x_bar = gradient[0] = …` has a name beside the element.
                own = tree if isinstance(tree, ast.Name) else ast.Name(name)
                yield name.removeprefix(array), own.id, own
        case ast.Name(name):
            yield "", name, item
        case ast.Call(ast.Name("array"), [ast.List(entries)]):
            for number, entry in enumerate(entries):
                yield f"[{number}]", ast.unparse(entry), entry
        case ast.Constant() | ast.UnaryOp(ast.USub(), ast.Constant()):
            yield "", ADJOINT, item
        case _:
            raise ExpressionError(f"unexpected gradient `{ast.unparse(item)}`")
