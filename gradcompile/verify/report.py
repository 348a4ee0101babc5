"""What verification found, and how it is shown: as lines, as a table, in a notebook."""

import html
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console
from rich.table import Table

VERDICTS = ("proved", "confirmed", "refuted")
"""From best to worst."""

TABLE_WIDTH = 120
"""Characters of a line of `Report.table()`."""


@dataclass(frozen=True)
class Check:
    """The check of one adjoint statement, or of one entry of a Jacobian, a Hessian or a product.

    Attributes:
        name: the value whose adjoint it is, or that of the entry.
        forward: the forward statements that read the value, or that make what the entry is a
            derivative of, as text.
        adjoint: the adjoint statement, or what the entry is, as text.
        expected: what that must be, as a sympy expression; None for a long text.
        verdict: "proved", "confirmed" or "refuted".
        detail: the digits that agree, or the point and the two numbers that differ.
    """

    name: str
    forward: tuple[str, ...]
    adjoint: str
    expected: Any
    verdict: str
    detail: str = ""

    @property
    def derivative(self) -> str:
        """What the adjoint must be, as LaTeX; "" for a text too long to be read by sympy."""
        from gradcompile.verify.symbols import latex  # sympy loads on first use

        return "" if self.expected is None else latex(self.expected)

    def __str__(self) -> str:
        return f"{self.adjoint}: {self.verdict}{' ' + self.detail if self.detail else ''}"


@dataclass(frozen=True)
class Derivative:
    """The check of one derivative: that of its adjoint and of all that it is computed from.

    Attributes:
        name: what it is differentiated by; of an entry of a Jacobian or a Hessian its whole name,
            `d values[0]/dx`.
        verdict: "proved" (equal to sympy's derivative), "confirmed" (equal at random points) or
            "refuted" (different at a point).
        detail: the digits that agree, or the point and the two numbers that differ.
        is_entry: is it one of many, and `name` its whole name?
    """

    name: str
    verdict: str
    detail: str = ""
    is_entry: bool = False

    def __str__(self) -> str:
        name = self.name if self.is_entry else f"d/d{self.name}"
        return f"{name}: {self.verdict}{' ' + self.detail if self.detail else ''}"


@dataclass(frozen=True)
class Report:
    """What `verify()` found: one `Derivative` an input, one `Check` an adjoint statement.

    Of entries there is one of both for each.

    Printing it shows one line a derivative; `table()` shows the statements, as notebooks do.
    """

    derivatives: list[Derivative] = field(default_factory=list)
    statements: list[Check] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing is refuted."""
        checks: list[Derivative | Check] = [*self.derivatives, *self.statements]
        return all(check.verdict != "refuted" for check in checks)

    def __iter__(self) -> Iterator[Derivative]:
        return iter(self.derivatives)

    def __len__(self) -> int:
        return len(self.derivatives)

    def __str__(self) -> str:
        return "\n".join(map(str, self.derivatives))

    def refute(self, components: Collection[int], why: str) -> "Report":
        """Refute some derivatives, given by their indices; -1 is the value itself."""
        everywhere = -1 in components
        derivatives = [
            replace(derivative, verdict="refuted", detail=why)
            if everywhere or index in components
            else derivative
            for index, derivative in enumerate(self.derivatives)
        ]
        return Report(derivatives, self.statements)

    def table(self) -> str:
        """Write the statements as a table: forward code, derivative, adjoint code, verdict."""
        table = Table("forward", "derivative", "adjoint", "verdict", show_lines=True)
        for check in self.statements:
            derivative = "" if check.expected is None else str(check.expected)
            verdict = f"{check.verdict} {check.detail}".strip()
            table.add_row("\n".join(check.forward), derivative, check.adjoint, verdict)
        console = Console(file=io.StringIO(), width=TABLE_WIDTH, markup=False, highlight=False)
        console.print(table)
        return str(console.file.getvalue()).rstrip()  # type: ignore[attr-defined]

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{t}</th>" for t in ("forward", "derivative", "adjoint", "verdict"))
        rows = "".join(map(_row, self.statements))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


_COLOURS = {"proved": "#1a7f37", "confirmed": "#0550ae", "refuted": "#cf222e"}


def _row(check: Check) -> str:
    forward = "<br>".join(f"<code>{html.escape(line)}</code>" for line in check.forward)
    formula = html.escape(check.derivative)
    cells = (
        forward,
        f"$\\displaystyle {formula}$" if formula else "",
        f"<code>{html.escape(check.adjoint)}</code>",
        f'<span style="color: {_COLOURS[check.verdict]}">{check.verdict}</span>'
        f"<br><small>{html.escape(check.detail)}</small>",
    )
    return "<tr>" + "".join(f'<td style="text-align: left">{cell}</td>' for cell in cells) + "</tr>"
