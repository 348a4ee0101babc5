"""Tests, as Python text, of arguments that machine code can take as they are.

Numbers, float64 arrays of a known shape, and lists, tuples, dicts and records of numbers are plain,
and what is static if it is the same. A test
binds the parts of a container to names as it goes, so that nothing is looked up twice. Names in the
text begin with two underscores, which no argument of a user's does that comes this way.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradcompile.graph.nested import Structure
from gradcompile.graph.records import has_attributes, is_record
from gradcompile.graph.static import Static

MAX_PARTS = 100
"""So many containers, arrays and single numbers are at most tested one by one."""

ABSENT = object()
"""Stands for what was not given."""

GLOBALS: Mapping[str, Any] = {
    "__absent": ABSENT,
    "__array": np.array,
    "__dict": dict,
    "__float": float,
    "__float64": np.dtype(np.float64),
    "__floats": frozenset({float, np.float64}),
    "__getattr": getattr,
    "__len": len,
    "__list": list,
    "__make": tuple.__new__,
    "__map": map,
    "__ndarray": np.ndarray,
    "__numpy_float": np.float64,
    "__tuple": tuple,
    "__type": type,
    "__vars": vars,
    "__TypeError": TypeError,
}
"""What the text of the tests refers to."""


Tested = tuple[str, tuple[int, ...] | None]
"""The expression of a bundle of numbers, and its shape: None for a number, or where rows decide."""


class NotPlainError(Exception):
    """The arguments are not tested by text: they are of a kind or a number that is too much."""


@dataclass
class PlainTests:
    """The tests of the arguments of one kernel, as they are written.

    Single numbers, arrays and rows are given to machine code as they are, and it looks at them.

    Attributes:
        conditions: what must hold, in order; some bind names.
        globals: what the text refers to.
        parts: how many containers, arrays and single numbers were tested.
        has_rows: is the number of rows known by a name?
    """

    conditions: list[str] = field(default_factory=list)
    globals: dict[str, Any] = field(default_factory=lambda: dict(GLOBALS))
    parts: int = 0
    has_rows: bool = False

    def static(self, static: Static | None, given: str) -> None:
        """Test that an argument is the static one; with None, that it is left out."""
        if static is None:
            self.conditions.append(f"{given} is __absent")
            return
        thing = self.refer(static.value)
        same = f"{given} is {thing}"
        if static.is_one_object:
            self.conditions.append(same)
        elif static.compares:
            kind = self.refer(type(static.value))
            self.conditions.append(f"({same} or __type({given}) is {kind} and {given} == {thing})")
        else:
            equal = f"{self.refer(static.equals)}({given})"
            self.conditions.append(f"({same} or {equal})" if static.cannot_change else equal)

    def argument(self, structure: Structure, given: str) -> Iterator[Tested]:
        """Test an argument; yield each bundle that its numbers travel in.

        Raises:
            NotPlainError: it has too many parts.
        """
        if structure.kind == "static":
            self.static(structure.keys[0], given)
        elif structure.kind == "leaf":
            self._count()
            yield given, None
        elif structure.kind == "array":
            self._count()
            yield given, tuple(structure.keys)
        elif not structure.holds_arrays:
            yield from self._numbers(structure, given)
        else:
            for part, item in self._items(structure, given):
                yield from self.argument(part, self.bound(item))

    def rows(self, row: Structure, given: str) -> Iterator[Tested]:
        """Test an argument of rows of data; yield each array of it.

        The number of rows is bound to a name by the first argument, and is not zero.
        """
        if row.kind is dict or is_record(row.kind):
            for part, item in self._items(row, given):
                yield from self.rows(part, self.bound(item))
            return
        self._count()
        # Rows may be spread over threads before machine code looks at them.
        equal = f"__len({given}) == __n" if self.has_rows else f"(__n := __len({given}))"
        self.conditions.append(equal)
        self.has_rows = True
        yield given, None

    def array(self, given: str, shape: tuple[int, ...]) -> None:
        """Test an array that is not given as it is, but in another shape."""
        self.conditions += [
            f"__type({given}) is __ndarray",
            f"({given}.dtype is __float64 or {given}.dtype == __float64)",
            f"{given}.shape == {shape}",
        ]

    def numbers(self, given: Sequence[str]) -> str:
        """Test single numbers that are given as one array; return its expression."""
        self.conditions += [
            f"(__type({number}) is __float or __type({number}) is __numpy_float)"
            for number in given
        ]
        return f"__array(({', '.join(given)}), __float64)"

    def _numbers(self, structure: Structure, given: str) -> Iterator[Tested]:
        """Test a container of numbers: together they are one array."""
        leaves = list(self._leaves(structure, given))
        if not structure.size:
            return
        whole = given
        if not structure.is_vector:
            whole = self.bound(f"[{', '.join(leaves)}]")
        self.conditions.append(f"__floats.issuperset(__map(__type, {whole}))")
        yield f"__array({whole}, __float64)", (structure.size,)

    def _leaves(self, structure: Structure, given: str) -> Iterator[str]:
        """Test the containers of a tree of numbers; yield its leaves, whole lists starred."""
        if structure.kind == "static":
            self.static(structure.keys[0], given)
        elif structure.kind == "leaf":
            self._count()
            yield given
        elif structure.is_vector:
            self._container(structure, given)
            yield f"*{given}"
        else:
            for part, item in self._items(structure, given):
                yield from self._leaves(part, item if part.kind == "leaf" else self.bound(item))

    def _items(self, structure: Structure, given: str) -> Iterator[tuple[Structure, str]]:
        self._container(structure, given)
        for index, part in enumerate(structure.parts):
            if structure.kind is dict:
                key = self.refer(structure.keys[index])
                yield part, f"{given}.get({key}, __absent)"
            elif has_attributes(structure.kind):
                key = self.refer(structure.keys[index])
                yield part, f"__getattr({given}, {key}, __absent)"
            else:
                yield part, f"{given}[{index}]"

    def _container(self, structure: Structure, given: str) -> None:
        self._count()
        known = {list: "__list", tuple: "__tuple", dict: "__dict"}
        kind = known.get(structure.kind) or self.refer(structure.kind)
        self.conditions.append(f"__type({given}) is {kind}")
        if not has_attributes(structure.kind):
            self.conditions.append(f"__len({given}) == {len(structure.parts)}")
        elif structure.kind is SimpleNamespace:
            self.conditions.append(f"__len(__vars({given})) == {len(structure.parts)}")

    def bound(self, expression: str) -> str:
        """Bind an expression to a name, by a condition that always holds."""
        name = f"__{len(self.conditions)}"
        self.conditions.append(f"({name} := {expression}) is not __absent")
        return name

    def refer(self, thing: Any) -> str:
        """Give a thing of the user's, such as a key, a name in the text."""
        name = f"__user{len(self.globals)}"
        self.globals[name] = thing
        return name

    def _count(self) -> None:
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise NotPlainError
