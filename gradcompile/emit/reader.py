"""Emitted source, read back: what the text of a kernel says, statement by statement.

Verification works on this, and never on the program that the text was emitted from.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from gradcompile.emit.layout import REVERSE_SWEEP
from gradcompile.ops.syntax import ExpressionError

REVERSE = f"# {REVERSE_SWEEP}"
"""The line that the reverse sweep begins with."""


@dataclass
class KernelText:
    """An emitted `value_and_grad` function as its text has it.

    Attributes:
        inputs: for each name that is read from `inputs`, the index.
        forward: the assignments of the forward sweep in order: a name and its expression.
        reverse: those of the reverse sweep.
        value: the expression returned as the value.
        gradient: the expressions returned as the gradient, by index.
        size: the length of the array that the gradient is written into, if there is one.
        kept: where the text is in parts, the name whose value is at each place of `kept`.
    """

    inputs: dict[str, int] = field(default_factory=dict)
    forward: dict[str, ast.expr] = field(default_factory=dict)
    reverse: dict[str, ast.expr] = field(default_factory=dict)
    value: ast.expr = field(default_factory=lambda: ast.Constant(0.0))
    gradient: dict[int, ast.expr] = field(default_factory=dict)
    size: int | None = None
    kept: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many statements it has."""
        return len(self.forward) + len(self.reverse)

    def components(self) -> list[int]:
        """The indices of the gradient, in order."""
        return sorted(self.gradient)


def read_kernel(source: str) -> KernelText:
    """Read the source of a `value_and_grad` kernel.

    Raises:
        ExpressionError: the text is not of the form that `emit` writes.
    """
    try:
        module = ast.parse(source)
    except SyntaxError as error:
        raise ExpressionError(f"the emitted text is not Python: {error}") from None
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    if not functions:
        raise ExpressionError("expected a function in the text, found none")
    lines = [line.strip() for line in source.splitlines()]
    first = lines.index(REVERSE) + 1 if REVERSE in lines else len(lines) + 1
    text = KernelText()
    for statement in _in_order(functions):
        sweep = text.reverse if statement.lineno > first else text.forward
        match statement:
            case ast.Assign([ast.Tuple(left)], ast.Tuple(right)) if len(left) == len(right):
                for name, item in zip(left, right, strict=True):
                    _assign(text, sweep, [name], item)
            case ast.Assign(targets, expression):
                _assign(text, sweep, targets, expression)
            case ast.Return(ast.Tuple([value, gradient])):
                text.value = value
                _gradient(text, gradient)
            case _:
                raise ExpressionError(f"unexpected statement `{ast.unparse(statement)}`")
    if text.size is not None and text.components() != list(range(text.size)):
        raise ExpressionError(f"not every one of the {text.size} gradient entries is assigned")
    return text


def _in_order(functions: list[ast.FunctionDef]) -> Iterator[ast.stmt]:
    """The statements as they run: those of the last function, and of a part where it is called."""
    *parts, main = functions
    for statement in main.body:
        if parts and ast.unparse(statement) == f"{parts[0].name}({ast.unparse(parts[0].args)})":
            yield from parts.pop(0).body
        else:
            yield statement
    if parts:
        raise ExpressionError(f"{parts[0].name} is not called in its turn")


def _assign(
    text: KernelText, sweep: dict[str, ast.expr], targets: list[ast.expr], expression: ast.expr
) -> None:
    match expression:
        case ast.Subscript(ast.Name("inputs"), ast.Constant(int(index))):
            text.inputs[ast.unparse(targets[0])] = index
            return
        case ast.Subscript(ast.Name("kept"), ast.Constant(int(place))):
            if text.kept.get(place) != ast.unparse(targets[0]):
                raise ExpressionError(f"kept[{place}] is not {ast.unparse(targets[0])}")
            return
        case ast.Call(ast.Name("empty"), [ast.Constant(int(size))]):
            if ast.unparse(targets[0]) == "gradient":
                text.size = size
            return
    for target in targets:
        match target:
            case ast.Name(name):
                if name in text.forward or name in text.reverse or name in text.inputs:
                    raise ExpressionError(f"{name} is assigned twice")
                sweep[name] = expression
                expression = target
            case ast.Subscript(ast.Name("gradient"), ast.Constant(int(index))):
                if index in text.gradient:
                    raise ExpressionError(f"gradient[{index}] is assigned twice")
                text.gradient[index] = expression
            case ast.Subscript(ast.Name("kept"), ast.Constant(int(place))):
                if place in text.kept:
                    raise ExpressionError(f"kept[{place}] is assigned twice")
                text.kept[place] = ast.unparse(expression)
            case _:
                raise ExpressionError(f"unexpected target `{ast.unparse(target)}`")


def _gradient(text: KernelText, tree: ast.expr) -> None:
    match tree:
        case ast.Call(ast.Name("array"), [ast.List(items)]):
            text.gradient.update(enumerate(items))
        case ast.Name("gradient") | ast.Call(ast.Name("empty")):
            pass
        case _:
            raise ExpressionError(f"unexpected gradient `{ast.unparse(tree)}`")
