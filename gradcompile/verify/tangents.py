"""Derivatives of a text along directions, on sympy's symbols; and what can be proved by them."""

import ast
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from gradcompile.verify import symbols
from gradcompile.verify.claims import Claims, Entry, Weights, claim, result
from gradcompile.verify.definitions import Definitions

MAX_OPERATIONS = 1000
"""The largest expression, in operations, that is made for a proof."""

MAX_SUBSTITUTIONS = 20
"""How often what forward statements compute is put in for their symbols."""


class SymbolicTangents:
    """A short text over symbols: one for each input, and for each forward statement."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._definitions = Definitions(claims.statements)
        self._symbols = self._definitions.symbols
        self._partials: dict[tuple[str, str], Any] = {}
        self._along: dict[tuple[Any, ...], Mapping[str, Any]] = {}
        self._claimed = self._read_claims()

    def expected(self, entry: Entry) -> Any:
        """Sum up what an entry claims to be; None if that is too large an expression."""
        along = None if entry.inputs is None else self._tangents(entry.inputs)
        total = symbols.ZERO
        for number, weight in entry.outputs.items():
            name = result(number)
            if along is not None and name not in along:
                continue  # it does not depend on these inputs
            term = self._definitions.of(name) if along is None else along[name]
            if term is None:
                return None
            total += term if weight is None else self._symbols[weight] * term
        return total

    def proves(self, number: int, expected: Any) -> bool:
        """Does what an entry claims simplify to this?"""
        claimed = self._claimed[claim(number)]
        if claimed is None or expected is None:
            return False
        difference = claimed - expected
        for _ in range(MAX_SUBSTITUTIONS):
            if symbols.is_zero(difference, symbols.RATIONAL):
                return True
            reused = self._definitions.reused(difference)
            if not reused or symbols.is_large(difference):
                return False
            # The last ones first: then those that they are made of stand for the same everywhere.
            deepest = max(self._depths[name] for name in reused)
            last = [name for name in reused if self._depths[name] == deepest]
            difference = self._definitions.put_in(last, difference)
        return False

    @cached_property
    def _depths(self) -> Mapping[str, int]:
        """How many forward statements each one is computed by, one after the other."""
        depths: dict[str, int] = {}
        for name in self._claims.statements.primals:
            reads = self._claims.statements.codes[name].reads
            depths[name] = 1 + max((depths.get(read, 0) for read in reads), default=0)
        return depths

    def _tangents(self, inputs: Weights) -> Mapping[str, Any]:
        """The derivatives of the forward statements along a direction; None for a large one."""
        key = tuple(inputs.items())
        if key not in self._along:
            found = {
                name: symbols.ONE if weight is None else self._symbols[weight]
                for name, weight in inputs.items()
            }
            for name in self._claims.downstream(inputs):
                found[name] = self._tangent(name, found)
            self._along[key] = found
        return self._along[key]

    def _tangent(self, name: str, known: Mapping[str, Any]) -> Any:
        total = symbols.ZERO
        for read in self._claims.statements.codes[name].reads:
            if read not in known:
                continue
            partial = self._partial(name, read)
            if partial != 0:
                if known[read] is None:
                    return None
                total += partial * known[read]
        return None if symbols.operations(total) > MAX_OPERATIONS else total

    def _partial(self, name: str, read: str) -> Any:
        key = name, read
        if key not in self._partials:
            definition = self._definitions.of(name)
            self._partials[key] = symbols.derivative(definition, self._symbols[read])
        return self._partials[key]

    def _read_claims(self) -> Mapping[str, Any]:
        """Read the statements that make the claims, of the symbols of what they compute again."""
        again = {self._definitions.of(name): self._symbols[name] for name in self._forward()}
        claimed = dict(self._symbols)
        sizes: dict[str, int] = {}
        for name, tree in self._claims.statements.reverse.items():
            reads = self._claims.statements.codes[name].reads
            sizes[name] = _size(tree) + sum(sizes.get(read, 0) for read in reads)
            if any(claimed[read] is None for read in reads if read in claimed):
                claimed[name] = None
                continue
            expression = self._definitions.read(name, tree, claimed)
            if expression in again:
                expression = again[expression]
                sizes[name] = 0
            claimed[name] = None if sizes[name] > MAX_OPERATIONS else expression
        return claimed

    def _forward(self) -> list[str]:
        return [name for name in self._claims.statements.text.forward if name in self._symbols]


def _size(tree: ast.expr) -> int:
    return sum(1 for _ in ast.walk(tree))
