"""Verification: every adjoint in emitted text is checked against the forward text.

For each value of the forward sweep the chain rule says what its adjoint is: the sum, over the
statements that read it, of the statement's adjoint times the derivative of its expression. Each
adjoint statement of the text is compared with that sum: on sympy's symbols, with derivatives by
`sympy.diff`, where a difference that simplifies to zero proves it; and else on numbers of 300
digits at random points, with slopes by differences to both sides, where one difference refutes it.
At a kink, whatever lies between the slopes of both sides is right: which one is chosen is a matter
of the op table. Only the text is read, so a wrong rule and a wrong emitter are both found.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from gradcompile.emit.reader import read_kernel
from gradcompile.verify import symbols
from gradcompile.verify.agreement import UNDEFINED, compare
from gradcompile.verify.alone import ALONE
from gradcompile.verify.points import POINTS, Point, Points
from gradcompile.verify.proofs import Proofs
from gradcompile.verify.report import VERDICTS, Check, Derivative, Report
from gradcompile.verify.statements import Statements

MAX_STATEMENTS_PROVED_WHOLE = 60
"""The most statements for which sympy does all it can, also with the whole derivative."""

Progress = Callable[[Iterable[str]], Iterable[str]]


def verify_source(
    source: str,
    by: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    progress: Progress = iter,
) -> Report:
    """Check the gradient in the source of a `value_and_grad` kernel.

    Args:
        source: the emitted text.
        by: for each component of the gradient, the parameter, or the element of one, that it
            differentiates by; if not given, its name in the text tells.
        names: what to call each of them in the report, where the text has no name for it.
        progress: is handed the statements to check, and hands them on, as `tqdm.tqdm` does.

    Raises:
        ExpressionError: the text is not of the form that `emit` writes.
    """
    text = read_kernel(source)
    called = {source: name for name, source in text.loaded.items()}
    inputs = text.differentiated() if by is None else [called.get(source, source) for source in by]
    components = dict(zip(inputs, text.components(), strict=True))
    shown = [
        name if name in text.inputs else label
        for label, name in zip(names or inputs, inputs, strict=True)
    ]
    with ALONE:
        return _verified(Statements.of(text, components), inputs, shown, progress)


def _verified(
    statements: Statements, inputs: Sequence[str], labels: Sequence[str], progress: Progress
) -> Report:
    whole = len(statements) <= MAX_STATEMENTS_PROVED_WHOLE
    proofs = Proofs(statements, thorough=whole) if statements.is_short else None
    points = Points(statements)
    checks = {
        name: _check(name, statements, proofs, points) for name in progress(statements.order())
    }
    worst = _worst_reached(statements, checks)
    derivatives = []
    for label, name in zip(labels, inputs, strict=True):
        derivative = _derivative(label, name, worst[name])
        if derivative.verdict == "confirmed" and whole and proofs and proofs.proves_whole(name):
            derivative = Derivative(label, "proved")
        derivatives.append(derivative)
    return Report(derivatives, [check for check in checks.values() if check.adjoint])


def _derivative(label: str, name: str, worst: Check) -> Derivative:
    elsewhere = worst.verdict == "refuted" and worst.adjoint and worst.name != name
    detail = f"by `{worst.adjoint}` {worst.detail}" if elsewhere else worst.detail
    return Derivative(label, worst.verdict, detail)


# --- one adjoint -----------------------------------------------------------------------------


def _check(name: str, statements: Statements, proofs: Proofs | None, points: Points) -> Check:
    """Compare what the text says an adjoint is with the sum of its contributions."""
    users = statements.users.get(name, ())
    total = None if proofs is None else proofs.expected(name, users)
    forward = tuple(map(statements.line, users))
    claim = statements.claim(name)
    if claim is None:
        return Check(name, forward, "", total, "proved")
    label = statements.adjoints.get(name, f"{name}_bar")
    adjoint = f"{label} = {ast.unparse(statements.reverse[claim])}"
    is_proved = proofs is not None and proofs.proves(claim, total)
    if is_proved and not _asks_for_ties(statements):
        return Check(name, forward, adjoint, total, "proved")
    found = ((x, x.names[claim], x.expected(name)) for x in _telling(name, points))
    verdict, detail = compare(found)
    if is_proved and (verdict == "confirmed" or detail == UNDEFINED):
        return Check(name, forward, adjoint, total, "proved")
    return Check(name, forward, adjoint, total, verdict, detail)


def _asks_for_ties(statements: Statements) -> bool:
    """Tell whether adjoints ask if two numbers are equal.

    A proof takes such numbers for different ones; but one may be the maximum of the other.
    """
    nodes = (node for tree in statements.reverse.values() for node in ast.walk(tree))
    return any(isinstance(node, ast.Eq | ast.NotEq) for node in nodes)


def _telling(name: str, points: Points) -> Iterator[Point]:
    """Choose the points to compare at: all for a short text; else those that may tell more.

    Those are the first few, each where a condition is met otherwise than before or where another
    adjoint is zero and hides what it is multiplied by, and those at different scales.
    """
    statements = points.statements
    if statements.is_short:
        yield from points.near
    else:
        deciding, adjoints = statements.deciding(name)
        seen = set()
        for k, point in enumerate(points.near):
            sides = tuple(point.sides[statement] for statement in deciding)
            zeros = tuple(bool(point.names[adjoint]) for adjoint in adjoints)
            if k < POINTS or (sides, zeros) not in seen:
                yield point
            seen.add((sides, zeros))
    yield from points.at_scales


# --- verdicts --------------------------------------------------------------------------------


def _worst_reached(statements: Statements, checks: Mapping[str, Check]) -> dict[str, Check]:
    """Find for each value the worst check among those that its adjoint depends on."""
    primal = {adjoint: name for name, adjoint in statements.adjoints.items()}
    reached: dict[str, Check] = {}
    for statement in statements.reverse:
        own = [checks[primal[statement]]] if statement in primal else []
        reads = statements.codes[statement].reads
        reached[statement] = _worst([*own, *(reached[read] for read in reads if read in reached)])
    worst: dict[str, Check] = {}
    for name, check in checks.items():
        claim = statements.claim(name)
        reads = [] if claim is None else statements.codes[claim].reads
        worst[name] = _worst([check, *(reached[read] for read in reads if read in reached)])
    return worst


def _worst(checks: Sequence[Check]) -> Check:
    if not checks:
        return Check("", (), "", symbols.ZERO, "proved")
    return max(checks, key=lambda check: VERDICTS.index(check.verdict))
