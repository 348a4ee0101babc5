r"""Straight-line text → LLVM text, by its syntax tree.

The text of a kernel without loops is small in grammar, and says everything: what is a number, what
is a condition, how large an array is. So nothing has to be inferred. Calls become calls of
functions that are left to whoever links the text. docs/decisions/0032-straight-text-to-llvm.md has
the grammar.

    >>> text = "def f(x):\n    v = x * x\n    return v + 1.0\n"
    >>> print(translate(text, "f", {"x": None}, {}).functions["f"])
    define internal void @"gradcompile.text.f"(double %"x", ptr noalias %"numbers.") {
    entry:
      %.1 = fmul double %"x", %"x"
      %.2 = fadd double %.1, 0x3FF0000000000000
      %.3 = getelementptr double, ptr %"numbers.", i64 0
      store double %.2, ptr %.3
      ret void
    }
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from gradcompile.jit.instructions import (
    NUMBER,
    Callee,
    Instructions,
    RefusedError,
    Shape,
    Typed,
    as_integer,
    quoted,
)

NUMBERS = "numbers."
"""The array of the numbers that are returned; no name of Python's."""

Returned = int | str | tuple["Returned", ...]
"""What is returned: the place of a number among all, the name of an array, or several of these."""


@dataclass(frozen=True)
class MadeArray:
    """An array that a text makes: its shape, and whether it is zero at first."""

    shape: Shape
    is_zero: bool = False


@dataclass(frozen=True)
class Translation:
    """A kernel's text as LLVM functions: its parts, and the one that calls them.

    The kernel itself takes what its text takes, then where each of `arrays` is, and where the
    numbers go that it returns. An array is the place of its first number.

    Attributes:
        name: of the kernel.
        functions: the text of each function.
        calls: what they call beside one another.
        arrays: those that it makes, by name.
        returned: what it returns.
    """

    name: str
    functions: Mapping[str, str]
    calls: tuple[Callee, ...]
    arrays: Mapping[str, MadeArray]
    returned: Returned


def translate(
    source: str, name: str, parameters: Mapping[str, Shape | None], known: Mapping[str, Any]
) -> Translation:
    """Translate a function of emitted text, and the parts that it calls.

    Args:
        source: the module.
        name: of the function.
        parameters: the shape of each that it takes; None for a number.
        known: what the names in the text mean.

    Raises:
        RefusedError: the text has something in it that the grammar has not.
    """
    module = ast.parse(source)
    definitions = {x.name: x for x in module.body if isinstance(x, ast.FunctionDef)}
    kernel = _Function(definitions, parameters, known)
    returned = kernel.translate(definitions[name])
    last = [*kernel.arrays, NUMBERS]
    functions = {**kernel.parts, name: kernel.text(name, "", last)}
    calls = tuple(kernel.instructions.calls)
    return Translation(name, functions, calls, kernel.arrays, returned)


@dataclass
class _Function:
    """Translates a function.

    Attributes:
        definitions: the functions of the module.
        parameters: the shape of each that it takes; None for a number.
        known: what names mean.
        parts: the functions that it calls, translated.
        arrays: those that it makes.
    """

    definitions: Mapping[str, ast.FunctionDef]
    parameters: Mapping[str, Shape | None]
    known: Mapping[str, Any]
    parts: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, MadeArray] = field(default_factory=dict)
    numbers: int = 0

    def __post_init__(self) -> None:
        pairs = self.parameters.items()
        values = {x: Typed(NUMBER, quoted(x)) for x, shape in pairs if shape is None}
        shapes = {x: shape for x, shape in pairs if shape is not None}
        self.instructions = Instructions(self.known, values, shapes)

    def text(self, name: str, attributes: str, last: Sequence[str] = ()) -> str:
        """Write it out, once all is translated."""
        pairs = [*self.parameters.items(), *((array, ()) for array in last)]
        kinds = ["double" if shape is None else "ptr noalias" for _, shape in pairs]
        taken = ", ".join(f"{kind} {quoted(x)}" for kind, (x, _) in zip(kinds, pairs, strict=True))
        head = f'define internal void @"{symbol(name)}"({taken}) {attributes}{{'
        return "\n".join([head, "entry:", *self.instructions.lines, "  ret void", "}"])

    def translate(self, definition: ast.FunctionDef) -> Returned:
        """Translate the body; what it returns."""
        if [argument.arg for argument in definition.args.args] != list(self.parameters):
            raise RefusedError(f"the parameters of {definition.name}")
        *statements, last = definition.body
        for statement in statements:
            self._statement(statement)
        if isinstance(last, ast.Return) and last.value is not None:
            return self._returned(last.value)
        self._statement(last)
        return ()

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Expr(ast.Constant(str())):
                pass
            case ast.Expr(ast.Call(ast.Name(part), arguments, [])) if part in self.definitions:
                self._call(part, arguments)
            case ast.Assign([ast.Name(name)], ast.Call(ast.Name(makes), [size], [])) if self._means(
                makes, np.empty
            ) or self._means(makes, np.zeros):
                self._make(name, size, self._means(makes, np.zeros))
            case ast.Assign([ast.Tuple(names)], ast.Tuple(values)) if len(names) == len(values):
                found = [self.instructions.value(tree) for tree in values]
                for target, value in zip(names, found, strict=True):
                    self._assign(target, value)
            case ast.Assign(targets, tree):
                value = self.instructions.value(tree)
                for target in targets:
                    self._assign(target, value)
            case _:
                raise RefusedError(ast.unparse(statement)[:100])

    def _means(self, name: str, function: Any) -> bool:
        return self.known.get(name) is function

    def _call(self, name: str, arguments: Sequence[ast.expr]) -> None:
        """Call a part; each is called once, and translated for what it is given."""
        definition, mine = self.definitions[name], self.instructions
        given = [x.id for x in arguments if isinstance(x, ast.Name)]
        names = [argument.arg for argument in definition.args.args]
        if name in self.parts or len(given) != len(arguments) or len(given) != len(names):
            raise RefusedError(f"a call of {name}")
        shapes = {own: mine.shapes.get(x) for own, x in zip(names, given, strict=True)}
        part = _Function({}, shapes, self.known)
        part.instructions.calls = mine.calls
        if part.translate(definition) != () or part.arrays:
            raise RefusedError(f"what {name} returns or makes")
        self.parts[name] = part.text(name, "noinline ")
        operands = [
            f"ptr {quoted(x)}" if x in mine.shapes else f"double {mine.number(ast.Name(x))}"
            for x in given
        ]
        mine.lines.append(f'  call void @"{symbol(name)}"({", ".join(operands)})')

    def _make(self, name: str, size: ast.expr, is_zero: bool) -> None:
        extents = size.elts if isinstance(size, ast.Tuple) else [size]
        shape = tuple([as_integer(extent) for extent in extents])
        if name in self.instructions.shapes:
            raise RefusedError(f"{name} is made twice")
        self.instructions.shapes[name] = shape
        self.arrays[name] = MadeArray(shape, is_zero)

    def _assign(self, target: ast.expr, value: Typed) -> None:
        match target:
            case ast.Name(name) if name not in self.instructions.shapes:
                self.instructions.values[name] = value
                return
            case ast.Subscript(ast.Name(array), ast.Slice(start, stop, None)):
                self._fill(array, as_integer(start), as_integer(stop), value)
                return
            case ast.Subscript(ast.Name(array), index):
                self.instructions.store(value, self.instructions.place(array, index))
                return
        raise RefusedError(f"an assignment to {ast.unparse(target)}")

    def _fill(self, array: str, start: int, stop: int, value: Typed) -> None:
        """Fill a stretch number by number; LLVM makes of it what is best."""
        if len(self.instructions.shapes.get(array, ())) != 1:
            raise RefusedError(f"a stretch of {array}")
        for k in range(start, stop):
            self.instructions.store(value, self.instructions.at(array, k))

    def _returned(self, tree: ast.expr) -> Returned:
        match tree:
            case ast.Tuple(items):
                return tuple([self._returned(item) for item in items])
            case ast.Name(array) if array in self.arrays:
                return array
            case ast.Call(ast.Name(name), [ast.List(items)], []) if self._means(name, np.array):
                return self._listed(items)
        number = Typed(NUMBER, self.instructions.number(tree))
        self.numbers += 1
        self.instructions.store(number, self.instructions.at(NUMBERS, self.numbers - 1))
        return self.numbers - 1

    def _listed(self, items: Sequence[ast.expr]) -> str:
        """Make an array of the numbers that are listed."""
        name = f"array.{len(self.arrays)}"
        self.arrays[name] = MadeArray((len(items),))
        for k, item in enumerate(items):
            self.instructions.store(self.instructions.value(item), self.instructions.at(name, k))
        return name


def symbol(name: str) -> str:
    """Write what LLVM knows a function of the text by: not the name, which may be one of C's."""
    return f"gradcompile.text.{name}"


def size_of(made: MadeArray) -> int:
    """Count the numbers of an array."""
    return prod(made.shape)
