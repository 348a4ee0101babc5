"""Entries of a text that claim to be derivatives, and the text that they are derivatives of."""

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from gradcompile.emit.reader import KernelText
from gradcompile.emit.straight_reader import StraightText, renamed
from gradcompile.ops.syntax import ExpressionError
from gradcompile.verify.statements import Statements

Weights = Mapping[str, str | None]
"""Of names, what each is multiplied with: a parameter, or an element of one; None for 1."""


@dataclass(frozen=True)
class Entry:
    """What a number that a kernel returns claims to be: a sum of derivatives.

    It is the sum over outputs o and inputs i of `outputs[o] * inputs[i] * do/di`: of a Jacobian or
    a Hessian one derivative, of a product with tangents, cotangents or a vector many of them.

    Attributes:
        name: how it is written in the report.
        outputs: the numbers of results of the text that is differentiated, each with the parameter
            (or the element of one, `w[0, 1]`) that it is multiplied with; None for 1.
        inputs: the same for inputs of that text, as it writes them; None for the results
            themselves, which are not differentiated.
    """

    name: str
    outputs: Mapping[int, str | None]
    inputs: Weights | None

    @property
    def named(self) -> Iterable[str]:
        """The parameters, or elements of them, that it is about."""
        inputs = self.inputs or {}
        return [x for x in (*inputs, *inputs.values(), *self.outputs.values()) if x is not None]


@dataclass(frozen=True)
class Claims:
    """Two texts as one: forward statements of one, and claims about it of the other.

    Attributes:
        entries: what is claimed.
        statements: the forward ones are those of the text that is differentiated, and its results;
            those of the reverse sweep are the ones of the text that makes the claims.
        written: each claim, as its text has it.
    """

    entries: Sequence[Entry]
    statements: Statements
    written: Sequence[str]

    @classmethod
    def of(cls, base: StraightText, claims: StraightText, entries: Sequence[Entry]) -> "Claims":
        """Join a text and one that makes claims about it: a result for each entry."""
        parameters = list(dict.fromkeys((*base.parameters, *claims.parameters)))
        written = [ast.unparse(tree) for tree in claims.results]
        claims = renamed(claims, {name: f"{name} of the claims" for name in claims.statements})
        taken = set(claims.parameters)
        base = renamed(base, {x: f"{x} of the base" for x in base.statements if x in taken})
        named = dict.fromkeys(name for entry in entries for name in entry.named)
        text = KernelText(parameters)
        results = {result(number): tree for number, tree in enumerate(base.results)}
        text.forward = {**base.statements, **results}
        asserted = {claim(number): tree for number, tree in enumerate(claims.results)}
        # Points have a number for each input that is read.
        mentioned = {f"{name} itself": ast.Name(name) for name in named}
        text.reverse = {**claims.statements, **asserted, **mentioned}
        known = set(text.inputs)
        if unknown := [name for name in named if name not in known]:
            raise ExpressionError(
                f"{unknown[0]} is no parameter of the text, nor an element of one"
            )
        if missing := [k for x in entries for k in x.outputs if not 0 <= k < len(base.results)]:
            raise ExpressionError(f"the text that is differentiated has no result {missing[0]}")
        return cls(entries, Statements.of(text, {}), written)

    @cached_property
    def has_ties(self) -> bool:
        """Do the texts ask if two numbers are equal?

        A proof takes such numbers for different ones; but one may be the maximum of the other.
        """
        trees = (*self.statements.primals.values(), *self.statements.reverse.values())
        nodes = (node for tree in trees for node in ast.walk(tree))
        return any(isinstance(node, ast.Eq | ast.NotEq) for node in nodes)

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {name: rank for rank, name in enumerate(self.statements.primals)}

    @cached_property
    def _downstream(self) -> dict[tuple[str, ...], list[str]]:
        return {}

    def downstream(self, inputs: Iterable[str]) -> list[str]:
        """List the forward statements that depend on some inputs, in order."""
        key = tuple(inputs)
        if key not in self._downstream:
            self._downstream[key] = self._depending_on(key)
        return self._downstream[key]

    def _depending_on(self, inputs: Iterable[str]) -> list[str]:
        users = self.statements.users
        found: dict[str, None] = {}
        stack = list(inputs)
        while stack:
            new = [user for user in users.get(stack.pop(), ()) if user not in found]
            found.update(dict.fromkeys(new))
            stack.extend(new)
        return sorted(found, key=self._ranks.__getitem__)

    def results_of(self, inputs: Iterable[str]) -> list[int]:
        """List the results, by number, that depend on some inputs."""
        return [number for x in self.downstream(inputs) if (number := result_number(x)) is not None]

    def lines(self, entry: Entry) -> tuple[str, ...]:
        """Write the statements that make the results that an entry is about."""
        primals = self.statements.primals
        numbers = list(entry.outputs)
        if entry.inputs is not None and len(numbers) > 1:
            numbers = [
                number for number in self.results_of(entry.inputs) if number in entry.outputs
            ]
        trees = [primals[result(number)] for number in numbers]
        return tuple(
            self.statements.line(tree.id)
            if isinstance(tree, ast.Name) and tree.id in primals
            else f"return {ast.unparse(tree)}"
            for tree in trees
        )


def result(number: int) -> str:
    """Name a result of the text that is differentiated."""
    return f"result {number}"


def result_number(name: str) -> int | None:
    """Find the number of a result by its name; None for another statement."""
    head, _, number = name.partition(" ")
    return int(number) if head == "result" else None


def claim(number: int) -> str:
    """Name the claim of an entry."""
    return f"claim {number}"


def part_of(text: StraightText, start: int, count: int) -> StraightText:
    """Take some of the results of a text.

    Raises:
        ExpressionError: they are not the last ones.
    """
    found = len(text.results) - start
    if found != count:
        raise ExpressionError(f"expected {count} entries in the text, found {found}")
    return replace(text, results=text.results[start:])
