"""The forward statements of a short text over sympy's symbols."""

from collections.abc import Mapping
from typing import Any

from gradcompile.verify import symbols
from gradcompile.verify.statements import Statements

MAX_SUBSTITUTIONS = 3
"""How often results are put in for the names that a partial reuses them by."""


class Definitions:
    """What each forward statement computes, of symbols for what it reads.

    Attributes:
        statements: of the text.
        symbols: one for each input and forward value.
    """

    def __init__(self, statements: Statements) -> None:
        self.statements = statements
        self.symbols = {name: symbols.symbol(name) for name in statements.users}
        self._known: dict[str, Any] = {}

    def of(self, name: str) -> Any:
        """Read a forward statement, or the returned value."""
        if name not in self._known:
            tree = self.statements.primals[name]
            self._known[name] = self.read(name, tree, self.symbols)
        return self._known[name]

    def read(self, name: str, tree: Any, names: Mapping[str, Any]) -> Any:
        """Read a statement, where some names stand for these."""
        reads = self.statements.codes[name].reads
        return symbols.symbolic(tree, {read: names[read] for read in reads if read in names})

    def vanishes(self, difference: Any, attempts: symbols.Attempts) -> bool:
        """Does an expression simplify to zero, with what its symbols stand for?"""
        for _ in range(MAX_SUBSTITUTIONS):
            if symbols.is_zero(difference, attempts):
                return True
            # A partial may reuse results (1 - y * y for tanh): put in what they were computed by.
            forward = self.statements.text.forward
            reused = {s.name: s for s in difference.free_symbols if s.name in forward}
            if not reused or symbols.is_large(difference):
                return False
            definitions = {s: self.of(name) for name, s in reused.items()}
            difference = symbols.substitute(difference, definitions)
        return False
