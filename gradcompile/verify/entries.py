"""Verification of entries: Jacobians, Hessians and products checked against the text of a function.

Each number that such a kernel returns claims to be a derivative of a result of another text, or a
sum of derivatives. It is compared with what that text gives: on sympy's symbols, where each of its
statements is differentiated by `sympy.diff` and the chain rule puts these derivatives together;
and else on numbers of 300 digits at random points, with slopes of the whole text by differences to
both sides. As for gradients, a difference that simplifies to zero proves an entry, one difference
of numbers refutes it, and at a kink whatever lies between the slopes of both sides is right. Only
texts are read.
"""

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from gradcompile.emit.straight_reader import StraightText, read_straight
from gradcompile.verify.adjoints import Progress
from gradcompile.verify.agreement import UNDEFINED, compare
from gradcompile.verify.alone import ALONE
from gradcompile.verify.claims import Claims, Entry, claim, part_of
from gradcompile.verify.differences import Surroundings, of_all_sides, telling
from gradcompile.verify.points import Points
from gradcompile.verify.report import VERDICTS, Check, Derivative, Report
from gradcompile.verify.statements import MAX_STATEMENTS_FOR_SYMPY
from gradcompile.verify.tangents import SymbolicTangents


def verify_entries(
    source: str, base: str, entries: Sequence[Entry], start: int = 0, progress: Progress = iter
) -> Report:
    """Check the numbers that a kernel returns against the text of the function they are about.

    What has the same name in both texts as a parameter is the same.

    Args:
        source: the emitted text of the kernel, without loops.
        base: that of the function: of the value, or of the gradient for second derivatives.
        entries: what each number that the kernel returns claims to be.
        start: how many numbers it returns before those.
        progress: is handed the names of the entries, and hands them on, as `tqdm.tqdm` does.

    Raises:
        ExpressionError: a text is not of the form that `emit` writes, or does not have the results
            or parameters that the entries are about.

    Example:
        >>> cube, slope = "def f(x): return x * x * x", "def g(x): return 3.0 * (x * x)"
        >>> print(verify_entries(slope, cube, [Entry("df/dx", {0: None}, {"x": None})]))
        df/dx: proved
    """
    claims = part_of(read_straight(source), start, len(entries))
    return _verified(read_straight(base), claims, entries, progress)


def verify_zeros(
    base: str,
    outputs: Sequence[str],
    inputs: Sequence[str],
    structure: Collection[tuple[int, int]],
    progress: Progress = iter,
) -> Report:
    """Check that all derivatives are zero that are not in a structure.

    Args:
        base: the emitted text of the function, without loops.
        outputs: what its results are called.
        inputs: its inputs as it writes them, in the order of the columns.
        structure: the places, output and input by number, where derivatives may be other than 0.
        progress: as for `verify_entries`.

    Returns:
        A line for each other place at which the output depends on the input in the text.
    """
    text = read_straight(base)
    nothing = StraightText((), {}, ())
    claims = Claims.of(text, nothing, [])
    entries = [
        Entry(f"d {outputs[row]}/d{name}", {row: None}, {name: None})
        for column, name in enumerate(inputs)
        for row in claims.results_of([name])
        if (row, column) not in structure
    ]
    zeros = replace(nothing, results=(ast.Constant(0.0),) * len(entries))
    return _verified(text, zeros, entries, progress)


def chained(second: Report, entries: Sequence[Entry], first: Mapping[int, Derivative]) -> Report:
    """Combine the verdicts on derivatives of derivatives with those on the latter.

    Args:
        second: that of the entries.
        entries: they differentiate results of a text by number.
        first: the verdict on each of these, by its number.
    """
    derivatives = []
    for derivative, entry in zip(second.derivatives, entries, strict=True):
        candidates = [derivative, *(first[number] for number in entry.outputs)]
        worst = max(candidates, key=lambda x: VERDICTS.index(x.verdict))
        detail = worst.detail
        if worst is not derivative and worst.verdict == "refuted":
            detail = f"by {worst}"
        derivatives.append(Derivative(derivative.name, worst.verdict, detail, is_entry=True))
    return Report(derivatives, second.statements)


def _verified(
    base: StraightText, claimed: StraightText, entries: Sequence[Entry], progress: Progress
) -> Report:
    with ALONE:
        checker = _Checker(base, claimed, entries)
        names = [entry.name for entry in entries]
        checks = [checker.check(number) for number, _ in enumerate(progress(names))]
    derivatives = [Derivative(x.name, x.verdict, x.detail, is_entry=True) for x in checks]
    return Report(derivatives, checks)


class _Checker:
    """Checks one entry after the other."""

    def __init__(self, base: StraightText, claimed: StraightText, entries: Sequence[Entry]) -> None:
        self.claims = Claims.of(base, claimed, entries)
        is_short = len(base.statements) <= MAX_STATEMENTS_FOR_SYMPY
        self.points = Points(self.claims.statements)
        self.tangents = SymbolicTangents(self.claims) if is_short else None

    @cached_property
    def some(self) -> list[Surroundings]:
        """A few points, for what is proved already, but for ties."""
        return [Surroundings(self.claims, x) for x in of_all_sides(self.points.random)]

    @cached_property
    def every(self) -> list[Surroundings]:
        """The points to compare at."""
        directions = {tuple(x.inputs): x.inputs for x in self.claims.entries if x.inputs}
        cost = sum(2 * len(self.claims.downstream(x)) for x in directions.values())
        return [Surroundings(self.claims, x) for x in telling(self.points, cost)]

    def check(self, number: int) -> Check:
        """Prove, confirm or refute an entry."""
        entry = self.claims.entries[number]
        expected = None if self.tangents is None else self.tangents.expected(entry)
        proved = self.tangents is not None and self.tangents.proves(number, expected)
        verdict, detail = "proved", ""
        if not proved:
            verdict, detail = self.compared(number, self.every)
        elif self.claims.has_ties:
            compared, why = self.compared(number, self.some)
            if compared == "refuted" and why != UNDEFINED:
                verdict, detail = compared, why
        line = f"{entry.name} = {self.claims.written[number]}"
        return Check(entry.name, self.claims.lines(entry), line, expected, verdict, detail)

    def compared(self, number: int, points: Sequence[Surroundings]) -> tuple[str, str]:
        """Compare an entry with what it should be at some points."""
        entry = self.claims.entries[number]
        return compare((x.point, x.point.names[claim(number)], x.expected(entry)) for x in points)
