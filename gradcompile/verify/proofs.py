"""What sympy can prove of a text: each adjoint from its users', and whole derivatives."""

import ast
from collections.abc import Sequence
from typing import Any

from gradcompile.verify import symbols
from gradcompile.verify.definitions import Definitions
from gradcompile.verify.statements import RETURNED, Statements

MAX_SUBSTITUTIONS = 3
"""How often results are put in for the names that a partial reuses them by."""

MAX_NAMES_IN_WHOLE = 2_000
"""The longest expression, in names, that a whole function is written out as."""


class Proofs:
    """The statements of a short text over sympy's symbols; asked for users first.

    Attributes:
        statements: of the text.
        claimed: what each name stands for in an adjoint statement: what has a check of its own is
            a symbol; the other names of the reverse sweep stand for what they are assigned.
    """

    def __init__(self, statements: Statements, thorough: bool) -> None:
        self.statements = statements
        self._definitions = Definitions(statements)
        self.claimed = dict(self._definitions.symbols)
        for name, tree in statements.text.reverse.items():
            checked = name in statements.checked
            self.claimed[name] = symbols.symbol(name) if checked else self._claim(name, tree)
        self._attempts = symbols.THOROUGH if thorough else symbols.BRIEF
        self._expected: dict[str, Any] = {RETURNED: symbols.ONE}

    def _claim(self, statement: str, tree: ast.expr) -> Any:
        return self._definitions.read(statement, tree, self.claimed)

    def expected(self, name: str, users: Sequence[str]) -> Any:
        """Sum up the contributions of its users to the adjoint of a value."""
        by = symbols.symbol(name)
        slopes = [symbols.derivative(self._definitions.of(user), by) for user in users]
        terms = (self._expected[user] * slope for user, slope in zip(users, slopes, strict=True))
        total = sum(terms, symbols.ZERO)
        adjoint = self.statements.adjoints.get(name)
        self._expected[name] = total if adjoint is None else symbols.symbol(adjoint)
        return total

    def proves(self, statement: str, total: Any) -> bool:
        """Does a statement of the reverse sweep simplify to this?"""
        difference = self._claim(statement, self.statements.reverse[statement]) - total
        for _ in range(MAX_SUBSTITUTIONS):
            if symbols.is_zero(difference, self._attempts):
                return True
            # A partial may reuse results (1 - y * y for tanh): put in what they were computed by.
            reused = self._definitions.reused(difference)
            if not reused or symbols.is_large(difference):
                return False
            difference = self._definitions.put_in(reused, difference)
        return False

    def proves_whole(self, name: str) -> bool:
        """Does the whole derivative by an input simplify to sympy's of the whole function?"""
        if self._whole_size() > MAX_NAMES_IN_WHOLE:
            return False
        text = self.statements.text
        if self._whole_size() > MAX_NAMES_IN_WHOLE:
            return False
        names = {name: symbols.symbol(name) for name in text.inputs}
        for sweep in (text.forward, text.reverse):
            for assigned, tree in sweep.items():
                names[assigned] = symbols.symbolic(tree, names)
        value = symbols.symbolic(text.value, names)
        given = symbols.symbolic(text.gradient[self.statements.components[name]], names)
        return symbols.is_zero(given - symbols.derivative(value, symbols.symbol(name)))

    def _whole_size(self) -> int:
        """Count the names in the largest statement, if all results were put into those after them.

        Where each reads the one before twice, as Newton's steps do, that grows without end.
        """
        text = self.statements.text
        sizes: dict[str, int] = {}
        for name, tree in [*text.forward.items(), *text.reverse.items(), ("", text.value)]:
            nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
            sizes[name] = sum(sizes.get(node.id, 1) for node in nodes)
        return max(sizes.values())
