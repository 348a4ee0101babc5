"""The forward statements of a short text over sympy's symbols."""

from collections.abc import Iterable, Mapping
from typing import Any

from gradcompile.verify import symbols
from gradcompile.verify.statements import Statements


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

    def put_in(self, names: Iterable[str], expression: Any) -> Any:
        """Put what forward statements compute in the place of their symbols."""
        known = {self.symbols[name]: self.of(name) for name in names}
        return symbols.substitute(expression, known)

    def reused(self, expression: Any) -> list[str]:
        """List the forward statements whose symbols an expression has."""
        forward = self.statements.text.forward
        return [s.name for s in expression.free_symbols if s.name in forward]

    def read(self, name: str, tree: Any, names: Mapping[str, Any]) -> Any:
        """Read a statement, where some names stand for these."""
        reads = self.statements.codes[name].reads
        return symbols.symbolic(tree, {read: names[read] for read in reads if read in names})
