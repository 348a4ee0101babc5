"""Reads the printed form of a program back: `parse_program(str(program))` is that program again.

What is not printed is lost: the user's lines, the notes of the passes and what they settled.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn, TypeVar

from gradcompile.ir.program import (
    ADJOINT,
    BY,
    PLAIN_NAME,
    SUFFIX,
    TANGENT,
    Const,
    Instruction,
    Operand,
    Output,
    Program,
    Var,
)
from gradcompile.ops.op import Op
from gradcompile.ops.table import TABLE
from gradcompile.ops.unwritten import UNWRITTEN

NUMBER = r"-?(?:(?:inf|nan)(?![.\[])|[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)(?!\w)"
NAME = rf'(?:%[0-9]+|"(?:[^"\\]|\\.)*"|{PLAIN_NAME})(?:{SUFFIX}|\.[0-9]+)*'
TOKEN = re.compile(rf"(?P<number>{NUMBER})|(?P<name>{NAME})|(?P<sign>\S)")
WITH_SUFFIXES = re.compile(rf"(?P<base>.+?)(?P<suffixes>(?:{SUFFIX}|\.[0-9]+)*)")
"""A name, and what tells it from the value that it is a derivative or a namesake of."""

ONE_SUFFIX = re.compile(rf"{ADJOINT}|{TANGENT}|{BY}\w+?(?={ADJOINT}|{TANGENT}|{BY}|\.|$)|\.[0-9]+")
"""One after the other, what `WITH_SUFFIXES` finds behind the base."""

Item = TypeVar("Item")


class ParseError(ValueError):
    """Text that is no printed program; the message names the line and what was expected there."""


def parse_program(text: str) -> Program:
    r"""Read a program from its printed form.

    Args:
        text: as `print_program` writes it. Blank lines, and how much space there is between two
            words, do not matter.

    Raises:
        ParseError: it is no program.

    Example:
        >>> print(parse_program("program f \n inputs x \n %2 = exp x \n return %2, [x, -0.0]"))
        program   f
        inputs    x
        %2      = exp x
        return %2, [x, -0.0]
    """
    tokens = _Tokens(text)
    values = _Values(tokens)
    tokens.expect("program")
    name = _unquoted(tokens.take("name", "the name of the program"))
    tokens.expect("\n")
    tokens.expect("inputs")
    inputs = tokens.items(values.assign_input)
    rows = tokens.items(values.assign_input) if tokens.skip_head("rows") else []
    data = tokens.items(values.assign_data) if tokens.skip_head("data") else []
    instructions: list[Instruction] = []
    while not tokens.skip_head("return"):
        instructions.append(_instruction(tokens, values))
    outputs = tokens.items(values.read_output)
    tokens.expect("")
    return Program(
        name,
        (*inputs, *rows, *[var for var, _ in data]),
        tuple(instructions),
        tuple(outputs),
        data=tuple([number for _, number in data]),
        rows=len(rows),
    )


def _instruction(tokens: "_Tokens", values: "_Values") -> Instruction:
    left = tokens.take("name", "an instruction or `return`")
    tokens.expect("=")
    op = _operation(tokens)
    operands = [values.read(f"operand 1 of {op.name}")]
    for number in range(2, op.arity + 1):
        tokens.expect(",", f"operand {number} of {op.name}")
        operands.append(values.read(f"operand {number} of {op.name}"))
    result = values.assign(left)
    origin = None
    if tokens.skip(";"):
        tokens.expect("d")
        origin = values.var(tokens.take("name", "the value that is differentiated"))
    tokens.expect("\n")
    return Instruction(result, op, tuple(operands), origin)


def _operation(tokens: "_Tokens") -> Op:
    token = tokens.take("name", "an operation")
    op = TABLE.get(token.text) or UNWRITTEN.get(token.text)
    return op or tokens.refuse("an operation", token)


class _Token(NamedTuple):
    """A token: the number of its line, what it is, and its text."""

    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return {"\n": "the end of the line", "": "the end of the text"}.get(
            self.text, f"`{self.text}`"
        )


class _Tokens:
    """The tokens of a text, taken one after the other; each line ends with a token of its own."""

    def __init__(self, text: str) -> None:
        self.ahead = deque(_tokens(text))

    def take(self, kind: str, expected: str) -> _Token:
        """Take the next token, which must be of this kind."""
        token = self.ahead.popleft()
        if token.kind != kind:
            self.refuse(expected, token)
        return token

    def expect(self, text: str, expected: str = "") -> None:
        """Take the next token, which must read like this."""
        token = self.ahead.popleft()
        if token.text != text:
            self.refuse(expected or str(token._replace(text=text)), token)

    def skip(self, text: str) -> bool:
        """Take the next token if it reads like this, and tell whether it does."""
        is_next = self.ahead[0].text == text
        if is_next:
            self.ahead.popleft()
        return is_next

    def skip_head(self, word: str) -> bool:
        """Take the word if a line begins with it that is no instruction, and tell whether."""
        return len(self.ahead) > 1 and self.ahead[1].text != "=" and self.skip(word)

    def items(self, read: Callable[[], Item], end: str = "\n") -> list[Item]:
        """Read all items up to the end of a list; commas stand between them."""
        found: list[Item] = []
        while not self.skip(end):
            if found:
                self.expect(",", f"`,` or {_Token(0, 'end', end)}")
            found.append(read())
        return found

    def refuse(self, expected: str, token: _Token) -> NoReturn:
        """Raise the error for a token in the place of another."""
        raise ParseError(f"line {token.line}: expected {expected}, found {token}")


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for line, content in enumerate(text.split("\n"), 1):
        tokens = [_Token(line, str(m.lastgroup), m[0]) for m in TOKEN.finditer(content)]
        yield from tokens
        if tokens:
            yield _Token(line, "end", "\n")
    yield _Token(line, "end", "")


class _Values:
    """The values of a text, by their names in it."""

    def __init__(self, tokens: _Tokens) -> None:
        self.tokens = tokens
        self.vars: dict[str, Var] = {}
        self.assigned: set[Var] = set()

    def var(self, token: _Token) -> Var:
        """Give the value of this name; it is made when the name is met first."""
        match = WITH_SUFFIXES.fullmatch(token.text)
        assert match is not None, token
        name = match["base"]
        var = self.vars.get(name)
        if var is None:
            label = "" if name.startswith("%") else _unquoted(token._replace(text=name))
            var = self.vars[name] = Var(label)
        for suffix in ONE_SUFFIX.findall(match["suffixes"]):
            name += suffix
            if name not in self.vars:
                is_namesake = suffix.startswith(".")
                self.vars[name] = (
                    Var(var.name, var.primal, suffix=var.suffix)
                    if is_namesake
                    else Var(primal=var, suffix=suffix)
                )
            var = self.vars[name]
        return var

    def assign(self, token: _Token) -> Var:
        """Give the value of this name, which is assigned here."""
        var = self.var(token)
        if var in self.assigned:
            raise ParseError(f"line {token.line}: {token} is assigned twice")
        self.assigned.add(var)
        return var

    def assign_input(self) -> Var:
        """Read the name of an input."""
        return self.assign(self.tokens.take("name", "the name of an input"))

    def assign_data(self) -> tuple[Var, float]:
        """Read the name of an input, and its value."""
        var = self.assign_input()
        self.tokens.expect("=")
        return var, float(self.tokens.take("number", "a number").text)

    def read(self, expected: str) -> Operand:
        """Read an operand."""
        if self.tokens.ahead[0].kind == "number":
            return Const(float(self.tokens.take("number", expected).text))
        token = self.tokens.take("name", expected)
        var = self.var(token)
        if var not in self.assigned:
            raise ParseError(f"line {token.line}: {token} is read before it is assigned")
        return var

    def read_output(self) -> Output:
        """Read an operand, or a list of operands."""
        if not self.tokens.skip("["):
            return self.read("an operand, or `[`")
        return tuple(self.tokens.items(lambda: self.read("an operand"), "]"))


def _unquoted(token: _Token) -> str:
    """Read a name without its quotes, if it has some."""
    if not token.text.startswith('"'):
        return token.text
    try:
        return str(json.loads(token.text))
    except ValueError:
        raise ParseError(f"line {token.line}: {token} is no text in quotes") from None
