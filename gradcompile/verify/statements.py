"""The text that is verified: its statements, who reads whom, and where it says each adjoint."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gradcompile.emit.reader import KernelText
from gradcompile.ir.signature import adjoint_name
from gradcompile.ops.syntax import ExpressionCode
from gradcompile.verify import digits

MAX_STATEMENTS_FOR_SYMPY = 200
"""The most statements of a text about which sympy is asked; beyond, the numbers have to do."""

RETURNED = "return"
"""The name of the returned value among the forward statements; no Python name can be equal."""


@dataclass(frozen=True)
class Statements:
    """The statements of a text, to be evaluated, and how they hang together.

    Attributes:
        text: what the source says.
        components: the component of the gradient that belongs to each input.
        primals: every forward statement, the returned value last.
        reverse: every statement of the reverse sweep, the entries of the gradient last.
        codes: all of them, to be evaluated on numbers.
        conditions: for each of them, the conditions in it, if there are any.
        users: for each input and forward value, the statements that read it.
        adjoints: the name of the adjoint of each value, where the text gives it one.
    """

    text: KernelText
    components: Mapping[str, int]
    primals: Mapping[str, ast.expr]
    reverse: Mapping[str, ast.expr]
    codes: Mapping[str, ExpressionCode]
    conditions: Mapping[str, Sequence[ExpressionCode]]
    users: Mapping[str, Sequence[str]]
    adjoints: Mapping[str, str]

    @classmethod
    def of(cls, text: KernelText, components: Mapping[str, int]) -> "Statements":
        """Collect the statements of a text; `components` are those of its inputs."""
        primals = {**text.forward, RETURNED: text.value}
        entries = {entry(index): tree for index, tree in text.gradient.items()}
        reverse = {**text.reverse, **entries}
        trees = {**primals, **reverse}
        codes = {name: digits.numeric(tree) for name, tree in trees.items()}
        conditions = {
            name: [digits.numeric(condition) for condition in met]
            for name, tree in trees.items()
            if (met := list(_conditions(tree)))
        }
        users: dict[str, list[str]] = {name: [] for name in (*text.inputs, *text.forward)}
        for name in primals:
            for read in codes[name].reads:
                if read in users:
                    users[read].append(name)
        adjoints = _named_adjoints(text, components)
        return cls(text, components, primals, reverse, codes, conditions, users, adjoints)

    def __len__(self) -> int:
        return len(self.text)

    @property
    def is_short(self) -> bool:
        """Is sympy asked about it?"""
        return len(self) <= MAX_STATEMENTS_FOR_SYMPY

    @cached_property
    def checked(self) -> frozenset[str]:
        """The adjoints that have a check of their own."""
        return frozenset(self.adjoints.values())

    @cached_property
    def cautious(self) -> Mapping[str, ExpressionCode]:
        """The statements, where the forward ones raise an error rather than lose digits."""
        forward = {name: digits.cautious(self.codes[name]) for name in self.primals}
        return {**self.codes, **forward}

    def order(self) -> list[str]:
        """List the values whose adjoints are to be checked: users first."""
        known = [*self.text.inputs, *self.text.forward]
        unread = [name for name in self.components if name not in self.users]
        return [*reversed(known), *unread]

    def claim(self, name: str) -> str | None:
        """Find the statement that says what the adjoint of a value is; None if there is none."""
        if name in self.adjoints:
            return self.adjoints[name]
        return entry(self.components[name]) if name in self.components else None

    @cached_property
    def unclaimed(self) -> list[str]:
        """The values whose adjoints have no statement of their own: users first."""
        return [name for name in self.order() if self.claim(name) is None]

    def line(self, name: str) -> str:
        """Write a forward statement as it stands in the text."""
        tree = ast.unparse(self.primals[name])
        return f"return {tree}" if name == RETURNED else f"{name} = {tree}"

    def deciding(self, name: str) -> tuple[list[str], list[str]]:
        """List what an adjoint is or should be made of: statements that decide, and adjoints."""
        users: dict[str, None] = {}
        stack = list(self.users.get(name, ()))
        while stack:  # who reads it, and who reads those whose adjoints have no statement
            user = stack.pop()
            if user not in users:
                users[user] = None
                stack.extend([] if user in self.adjoints else self.users.get(user, ()))
        adjoints = dict.fromkeys(self.adjoints[user] for user in users if user in self.adjoints)
        stack = [claim] if (claim := self.claim(name)) else []
        while stack:  # what it is computed by, as far as that has no check of its own
            statement = stack.pop()
            reads = [read for read in self.codes[statement].reads if read in self.reverse]
            unchecked = [read for read in reads if read not in self.checked]
            stack.extend(read for read in unchecked if read not in adjoints)
            adjoints.update(dict.fromkeys([statement, *reads]))
        return [name for name in (*users, *adjoints) if name in self.conditions], list(adjoints)


def entry(index: int) -> str:
    """Name a component of the gradient; no name in Python can be equal, nor an element."""
    return f"component {index}"


def _named_adjoints(text: KernelText, components: Mapping[str, int]) -> dict[str, str]:
    adjoints: dict[str, str] = {}
    returned = {name: text.gradient[component] for name, component in components.items()}
    # Those of inputs by their whole names: a value may be called as one, with a line below.
    taken = {
        tree.id for name, tree in returned.items()
        if isinstance(tree, ast.Name) and tree.id == f"{name}_bar"
    }  # fmt: skip
    for name in text.forward:
        adjoint = adjoint_name(name)
        if adjoint in text.reverse and adjoint not in taken:
            adjoints[name] = adjoint
            taken.add(adjoint)
    for name, tree in returned.items():
        if not isinstance(tree, ast.Name) or tree.id not in text.reverse:
            continue
        if tree.id not in taken or tree.id == f"{name}_bar":
            adjoints[name] = tree.id
            taken.add(tree.id)
    return adjoints


def _conditions(tree: ast.expr) -> Iterator[ast.expr]:
    """Find what decides on which side of a choice or of a kink an expression is."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                yield node
            case ast.IfExp(test=ast.Name() as test):
                yield test
            case ast.Call(ast.Name("max" | "maximum" | "minimum"), [a, b]):
                yield ast.Compare(a, [ast.Gt()], [b])
            case ast.Call(ast.Name("abs" | "sign" | "copysign"), operands):
                for operand in operands:
                    yield ast.Compare(operand, [ast.Gt()], [ast.Constant(0.0)])
