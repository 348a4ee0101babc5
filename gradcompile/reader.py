"""Emitted source, read back: what the text of a kernel says, statement by statement.

Verification works on this, and never on the program that the text was emitted from.
"""

import ast
from dataclasses import dataclass, field

from gradcompile.syntax import ExpressionError


@dataclass
class KernelText:
    """An emitted function as its text has it.

    Attributes:
        inputs: for each name that is read from `inputs`, the index.
        statements: the assignments in order: a name and the expression it is assigned.
        value: the expression returned as the value.
        gradient: the expressions returned as the gradient, by index.
    """

    inputs: dict[str, int] = field(default_factory=dict)
    statements: list[tuple[str, ast.expr]] = field(default_factory=list)
    value: ast.expr | None = None
    gradient: dict[int, ast.expr] = field(default_factory=dict)

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
    text = KernelText()
    (function,) = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    for statement in function.body:
        match statement:
            case ast.Assign([ast.Tuple(left)], ast.Tuple(right)):
                for name, item in zip(left, right, strict=True):
                    _assign(text, [name], item)
            case ast.Assign(targets, expression):
                _assign(text, targets, expression)
            case ast.Return(ast.Tuple([value, gradient])):
                text.value = value
                _gradient(text, gradient)
            case _:
                raise ExpressionError(f"unexpected statement `{ast.unparse(statement)}`")
    return text


def _assign(text: KernelText, targets: list[ast.expr], expression: ast.expr) -> None:
    match expression:
        case ast.Subscript(ast.Name("inputs"), ast.Constant(int(index))):
            text.inputs[ast.unparse(targets[0])] = index
            return
        case ast.Call(ast.Name("empty")):
            return
    for target in targets:
        match target:
            case ast.Name(name):
                text.statements.append((name, expression))
                expression = target
            case ast.Subscript(ast.Name("gradient"), ast.Constant(int(index))):
                text.gradient[index] = expression


def _gradient(text: KernelText, tree: ast.expr) -> None:
    match tree:
        case ast.Call(ast.Name("array"), [ast.List(items)]):
            text.gradient.update(enumerate(items))
        case ast.Name("gradient") | ast.Call(ast.Name("empty")):
            pass
        case _:
            raise ExpressionError(f"unexpected gradient `{ast.unparse(tree)}`")
