"""Two ways of a branch become one graph: a join of their results, as far down as they are alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf, nan
from typing import Any, NamedTuple

from gradcompile.graph.bindings import Bound
from gradcompile.graph.nested import Structure
from gradcompile.graph.numbering import Made, Numbering, Site
from gradcompile.graph.value import Constant, TracedValue, Value, traced_value
from gradcompile.ops import table


class Fork(NamedTuple):
    """A condition whose truth was asked for.

    Attributes:
        condition: the traced value.
        order: of the question, among the values that its run made.
        site: where it was asked.
        line: the user's.
    """

    condition: TracedValue
    order: int
    site: Site
    line: str


@dataclass(frozen=True)
class Join:
    """Joins values that were computed where a condition holds with those where it does not.

    Two values are alike if one instruction of the user's code made both, by one operation, after
    the ways parted: then what they are applied to is joined, and the operation is computed once.

    Attributes:
        fork: where the ways parted.
        numbering: of all values.
        lines: of the user's code where values were made, by their ids; empty if nobody asks.
        joined: what two values became, by their numbers.
    """

    fork: Fork
    numbering: Numbering
    lines: dict[int, str]
    joined: dict[tuple[int, int], Value] = field(default_factory=dict)

    def __call__(self, left: Value, right: Value) -> Value:
        """Join a value of the way where the condition holds with one of the other way."""
        pairs = [(left, right)]
        while pairs:
            a, b = pairs[-1]
            if self._key(a, b) in self.joined:
                pairs.pop()
            elif self._are_alike(a, b):
                operands = list(zip(a.operands, b.operands, strict=True))
                missing = [pair for pair in operands if self._key(*pair) not in self.joined]
                pairs += missing
                if not missing:
                    made = [self.joined[self._key(*pair)] for pair in operands]
                    self._keep(a, b, self._applied(a, made))
            else:
                self._keep(a, b, self._where(a, b))
        return self.joined[self._key(left, right)]

    def valid(self, values: Sequence[Value], *, where: bool) -> list[Value]:
        """Make nan of values, and of all their derivatives, on one of the ways.

        Args:
            values: of the other way.
            where: are they valid where the condition holds, or where it does not?
        """
        factors = [Constant(1.0), Constant(nan)] if where else [Constant(nan), Constant(1.0)]
        site, line = (*self.fork.site, "valid"), self.fork.line
        factor = traced_value(table.where, (self.fork.condition, *factors), "")
        self._new(factor, site, line)
        return [
            self._new(traced_value(table.mul, (value, factor), value.bound), site, line)
            for value in values
        ]

    def _key(self, a: Value, b: Value) -> tuple[int, int]:
        return self.numbering.number(a), self.numbering.number(b)

    def _keep(self, a: Value, b: Value, value: Value) -> None:
        self.joined[self._key(a, b)] = value

    def _are_alike(self, a: Value, b: Value) -> bool:
        if a.op is not b.op or not (self._is_after(a) and self._is_after(b)):
            return False
        made, number = self.numbering.made, self.numbering.number
        return made[id(a)].site == made[id(b)].site and number(a) != number(b)

    def _applied(self, a: Value, operands: Sequence[Value]) -> Value:
        assert a.op is not None
        if all(x is y for x, y in zip(a.operands, operands, strict=True)):
            return a
        site, line = self.numbering.made[id(a)].site, self.lines.get(id(a))
        return self._new(traced_value(a.op, tuple(operands), a.bound), site, line)

    def _where(self, a: Value, b: Value) -> Value:
        if self.numbering.number(a) == self.numbering.number(b):
            return a
        choice = traced_value(table.where, (self.fork.condition, a, b), self._bound(a, b))
        return self._new(choice, self.fork.site, self.fork.line)

    def _bound(self, a: Value, b: Value) -> Bound:
        """Name the choice as the variable that both ways bind; its sides have that name no more."""
        sides = [x for x in (a, b) if self._is_after(x) and x.bound]
        bound = sides[0].bound if sides else ""
        if any(x.bound != bound for x in sides):
            return ""
        for side in sides:
            if isinstance(side, TracedValue) and isinstance(bound, str):
                side.bound = ""
        return bound

    def _is_after(self, value: Value) -> bool:
        made = self.numbering.made.get(id(value))
        return made is not None and made.order > self.fork.order

    def _new(self, value: Value, site: Site, line: str | None) -> Value:
        self.numbering.note(value, Made(inf, site))
        if self.lines and line is not None:
            self.lines[id(value)] = line
        return value


def in_order(
    values: Sequence[Value], structure: Structure, expected: Structure
) -> list[Value] | None:
    """List values in the order of another structure, which has the same keys in another order.

    Args:
        values: one a leaf of `structure`.
        structure: theirs.
        expected: the other one.

    Returns:
        None if more than the order of keys differs.
    """
    places = dict(zip(_paths(structure), values, strict=True))
    wanted = list(_paths(expected))
    if len(wanted) != len(places) or not all(path in places for path in wanted):
        return None
    return [places[path] for path in wanted]


def _paths(structure: Structure) -> Iterator[tuple[Any, ...]]:
    """Yield what leads to each leaf: the kinds of containers, and the keys in them."""
    stack: list[tuple[tuple[Any, ...], Structure]] = [((), structure)]
    while stack:
        path, part = stack.pop()
        if part.kind == "leaf":
            yield path
        elif part.kind == "array":
            yield from ((*path, tuple(part.keys), k) for k in range(part.size))
        else:
            keys = part.keys if part.kind is dict else range(len(part.parts))
            inside = zip(keys, part.parts, strict=True)
            stack += [((*path, part.kind, len(part.parts), key), x) for key, x in inside][::-1]
