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
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from gradcompile.emit.reader import KernelText, read_kernel
from gradcompile.verify import digits, symbols
from gradcompile.verify.digits import DIGITS
from gradcompile.verify.report import VERDICTS, Check, Derivative, Report

POINTS = 3
"""Random points at which every adjoint is compared."""

BRANCH_POINTS = 24
"""Points for a text with conditions: each side of each of them should be seen. More are added
around its constants."""

WHOLE = 60
"""The most statements for which sympy does all it can, also with the whole derivative."""

SYMBOLIC = 200
"""The most statements for which sympy is asked at all; beyond, the numbers have to do."""

MOST_POINTS = 300
"""The most points for a text longer than that."""

EVALUATED = 400_000
"""The most statements that are evaluated at all its points together."""

VALUE = "return"
"""The name of the returned value among the forward statements; no Python name can be equal."""

Progress = Callable[[Iterable[str]], Iterable[str]]


def verify_source(
    source: str,
    names: Sequence[str] | None = None,
    slots: Sequence[int] | None = None,
    progress: Progress = iter,
) -> Report:
    """Check the gradient in the source of a `value_and_grad` kernel.

    Args:
        source: the emitted text.
        names: a name for each component of the gradient whose input the text does not read.
        slots: for each component, the index of the input it differentiates by.
        progress: is handed the statements to check, and hands them on, as `tqdm.tqdm` does.

    Raises:
        ExpressionError: the text is not of the form that `emit` writes.
    """
    text = read_kernel(source)
    slots = text.components() if slots is None else slots
    by_index = {index: name for name, index in text.inputs.items()}
    inputs = [by_index.get(slot, f"inputs[{slot}]") for slot in slots]
    checker = _Checker(text, dict(zip(inputs, text.components(), strict=True)))
    with digits.working():
        checks = {name: checker.check(name) for name in progress(checker.order())}
    worst = checker.worst(checks)
    derivatives = []
    for label, name in zip(names or inputs, inputs, strict=True):
        shown = name if name in text.inputs else label
        derivatives.append(_derivative(text, shown, name, worst[name], checker))
    statements = [check for name, check in checks.items() if check.adjoint]
    return Report(derivatives, statements)


def _derivative(
    text: KernelText, label: str, name: str, worst: Check, checker: "_Checker"
) -> Derivative:
    verdict, detail = worst.verdict, worst.detail
    if verdict == "confirmed" and len(text) <= WHOLE and checker.proves_whole(name):
        verdict, detail = "proved", ""
    if verdict == "refuted" and worst.adjoint and worst.name != name:
        detail = f"by `{worst.adjoint}` {detail}"
    return Derivative(label, verdict, detail)


class _Checker:
    """The text as expressions: over numbers at some points, and over symbols.

    Attributes:
        text: what the source says.
        components: the component of the gradient that belongs to each input.
        primals: every forward statement, the returned value last.
        users: for each input and forward value, the statements that read it.
        reverse: every statement of the reverse sweep, the entries of the gradient last.
        conditions: for each statement of both, the conditions in it, if there are any.
        adjoints: the name of the adjoint of each value, where the text gives it one.
    """

    def __init__(self, text: KernelText, components: dict[str, int]) -> None:
        self.text = text
        self.components = components
        self.primals = {**text.forward, VALUE: text.value}
        self.codes = {name: digits.numeric(tree) for name, tree in self.primals.items()}
        entries = {_entry(index): tree for index, tree in text.gradient.items()}
        self.reverse = {
            name: digits.numeric(tree) for name, tree in {**text.reverse, **entries}.items()
        }
        self.users: dict[str, list[str]] = {name: [] for name in (*text.inputs, *text.forward)}
        for name, code in self.codes.items():
            for read in code.reads:
                if read in self.users:
                    self.users[read].append(name)
        self.adjoints = self._named_adjoints()
        self.conditions = {
            name: [digits.numeric(condition) for condition in found]
            for name, tree in {**self.primals, **text.reverse, **entries}.items()
            if (found := list(_conditions(tree)))
        }
        self.points = list(_points(self))
        if len(text) <= SYMBOLIC:
            self.points += _boundaries(self, self.points)
        self.symbols = {name: symbols.symbol(name) for name in self.users}
        self.definitions: dict[str, Any] = {}
        self.expected: dict[str, Any] = {VALUE: symbols.ONE}
        self.claimed = self._claimed() if len(text) <= SYMBOLIC else {}

    def _named_adjoints(self) -> dict[str, str]:
        adjoints: dict[str, str] = {}
        for name in self.text.forward:
            adjoint = f"{name.rstrip('_')}_bar"
            if adjoint in self.text.reverse and adjoint not in adjoints.values():
                adjoints[name] = adjoint
        taken = set(adjoints.values())
        for name, component in self.components.items():
            tree = self.text.gradient[component]
            if isinstance(tree, ast.Name) and tree.id in self.text.reverse and tree.id not in taken:
                adjoints[name] = tree.id
                taken.add(tree.id)
        return adjoints

    def _claimed(self) -> dict[str, Any]:
        """What each name stands for in an adjoint statement.

        What has a check of its own is a symbol; the other names of the reverse sweep stand for
        what they are assigned.
        """
        claimed = dict(self.symbols)
        own = set(self.adjoints.values())
        for name, tree in self.text.reverse.items():
            reads = self.reverse[name].reads
            known = {read: claimed[read] for read in reads if read in claimed}
            claimed[name] = symbols.symbol(name) if name in own else symbols.symbolic(tree, known)
        return claimed

    def order(self) -> list[str]:
        """The values whose adjoints are to be checked: users first."""
        known = [*self.text.inputs, *self.text.forward]
        unread = [name for name in self.components if name not in self.users]
        return [*reversed(known), *unread]

    def claim(self, name: str) -> ast.expr | None:
        """What the text says the adjoint of a value is; None if it has no statement of its own."""
        if name in self.adjoints:
            return self.text.reverse[self.adjoints[name]]
        if name in self.components:
            return self.text.gradient[self.components[name]]
        return None

    # --- one adjoint -------------------------------------------------------------------------

    def check(self, name: str) -> Check:
        """Compare what the text says an adjoint is with the sum of its contributions."""
        users = self.users.get(name, [])
        total = self._total(name, users) if len(self.text) <= SYMBOLIC else None
        forward = tuple(self._statement(user) for user in users)
        claim = self.claim(name)
        if claim is None:
            for point in self.points:
                point.adjoint(name)
            return Check(name, forward, "", total, "proved")
        adjoints = [(point, point.adjoint(name)) for point in self._telling(name)]
        label = self.adjoints.get(name, f"{name}_bar")
        verdict, detail = self._compare(claim, adjoints, total)
        return Check(name, forward, f"{label} = {ast.unparse(claim)}", total, verdict, detail)

    def _telling(self, name: str) -> Iterator["_Point"]:
        """The points to compare at: all for a short text; else those that may tell more.

        Those are the first few, and each where a condition is met otherwise than before, or where
        another adjoint is zero and hides what it is multiplied by.
        """
        deciding, adjoints = self._deciding(name)
        seen = set()
        for k, point in enumerate(self.points):
            sides = tuple(point.sides[statement] for statement in deciding)
            zeros = tuple(bool(point.names[adjoint]) for adjoint in adjoints)
            if len(self.text) <= SYMBOLIC or k < POINTS or (sides, zeros) not in seen:
                yield point
            seen.add((sides, zeros))

    def _deciding(self, name: str) -> tuple[list[str], list[str]]:
        """What an adjoint is or should be made of: statements with conditions, and adjoints."""
        users: dict[str, None] = {}
        stack = list(self.users.get(name, ()))
        while stack:  # who reads it, and who reads those whose adjoints have no statement
            user = stack.pop()
            if user not in users:
                users[user] = None
                stack.extend([] if user in self.adjoints else self.users.get(user, ()))
        own = set(self.adjoints.values())
        adjoints = dict.fromkeys(self.adjoints[user] for user in users if user in self.adjoints)
        stack = [self.adjoints.get(name) or _entry(self.components[name])]
        while stack:  # what it is computed by, as far as that has no check of its own
            statement = stack.pop()
            reads = [read for read in self.reverse[statement].reads if read in self.reverse]
            stack.extend(read for read in reads if read not in own and read not in adjoints)
            adjoints.update(dict.fromkeys([statement, *reads]))
        found = [name for name in (*users, *adjoints) if name in self.conditions]
        return found, list(adjoints)

    def _total(self, name: str, users: Sequence[str]) -> Any:
        """The sum of the contributions, over symbols."""
        terms = (self.expected[user] * self._slope(user, name) for user in users)
        total = sum(terms, symbols.ZERO)
        named = name in self.adjoints
        self.expected[name] = symbols.symbol(self.adjoints[name]) if named else total
        return total

    def _statement(self, name: str) -> str:
        tree = ast.unparse(self.primals[name])
        return f"return {tree}" if name == VALUE else f"{name} = {tree}"

    def _compare(
        self, claim: ast.expr, adjoints: Sequence[tuple["_Point", "_Adjoint | None"]], total: Any
    ) -> tuple[str, str]:
        code = digits.numeric(claim)
        if total is not None and self._proves(code.reads, claim, total):
            return "proved", ""
        decided = 0
        for point, adjoint in adjoints:
            if adjoint is None:
                continue
            given = code(point.names)
            nearest = adjoint.nearest(given)
            if digits.agreeing_digits(given, nearest, adjoint.scale) < DIGITS:
                return "refuted", "{}: {}, not {}".format(point, *digits.unlike(given, nearest))
            decided += 1
        if not decided:
            return "refuted", "no point found at which the function is finite"
        return "confirmed", f"to {DIGITS} digits at {decided} points"

    def _proves(self, reads: list[str], claim: ast.expr, total: Any) -> bool:
        names = {read: self.claimed[read] for read in reads if read in self.claimed}
        difference = symbols.symbolic(claim, names) - total
        for _ in range(3):
            if symbols.is_zero(difference, thorough=len(self.text) <= WHOLE):
                return True
            # A partial may reuse results (1 - y * y for tanh): put in what they were computed by.
            known = {s.name: s for s in difference.free_symbols if s.name in self.text.forward}
            if not known or symbols.is_large(difference):
                return False
            definitions = {s: self._definition(name) for name, s in known.items()}
            difference = symbols.substitute(difference, definitions)
        return False

    def _definition(self, name: str) -> Any:
        if name not in self.definitions:
            reads = [read for read in self.codes[name].reads if read in self.symbols]
            known = {read: self.symbols[read] for read in reads}
            self.definitions[name] = symbols.symbolic(self.primals[name], known)
        return self.definitions[name]

    def _slope(self, user: str, name: str) -> Any:
        return symbols.derivative(self._definition(user), self.symbols[name])

    def proves_whole(self, name: str) -> bool:
        """Does the whole derivative simplify to sympy's of the whole function?"""
        names = {name: self.symbols[name] for name in self.text.inputs}
        for sweep in (self.text.forward, self.text.reverse):
            for assigned, tree in sweep.items():
                names[assigned] = symbols.symbolic(tree, names)
        value = symbols.symbolic(self.text.value, names)
        given = symbols.symbolic(self.text.gradient[self.components[name]], names)
        return symbols.is_zero(given - symbols.derivative(value, symbols.symbol(name)))

    # --- verdicts ----------------------------------------------------------------------------

    def worst(self, checks: dict[str, Check]) -> dict[str, Check]:
        """For each value, the worst check among those that its adjoint depends on."""
        primal = {adjoint: name for name, adjoint in self.adjoints.items()}
        reached: dict[str, Check] = {}
        for assigned, code in self.reverse.items():
            own = [checks[primal[assigned]]] if assigned in primal else []
            parts = [reached[read] for read in code.reads if read in reached]
            reached[assigned] = _worst([*own, *parts])
        worst: dict[str, Check] = {}
        for name, check in checks.items():
            claim = self.claim(name)
            reads = [] if claim is None else digits.numeric(claim).reads
            worst[name] = _worst([check, *(reached[read] for read in reads if read in reached)])
        return worst


def _worst(checks: Sequence[Check]) -> Check:
    if not checks:
        return Check("", (), "", symbols.ZERO, "proved")
    return max(checks, key=lambda check: VERDICTS.index(check.verdict))


# --- points ----------------------------------------------------------------------------------

_RANGES = ((-2.0, 2.0), (0.1, 2.0), (-0.9, 0.9), (1.0, 20.0), (-60.0, 60.0))
"""Where to look for points: many functions are defined in one of these only."""

_TRIES_A_POINT = 20


def _points(checker: _Checker) -> Iterator["_Point"]:
    """Some points at which the function is defined; the same ones every time."""
    rng = random.Random(0)
    found = 0
    branches = bool(checker.conditions)
    near = _near_constants(checker.text) if branches else []
    wanted = BRANCH_POINTS + 8 * len(near) if branches else POINTS
    if len(checker.text) > SYMBOLIC:
        wanted = min(wanted, MOST_POINTS, max(POINTS, EVALUATED // len(checker.text)))
    for attempt in range(_TRIES_A_POINT * wanted):
        # By turns all inputs from one range, which many functions need, and each from its own.
        one = _RANGES[attempt % len(_RANGES)]
        own = near or _RANGES
        choices = ([one], own, [*near, *_RANGES], own)[attempt % 4 if branches else 0]
        each = {name: rng.choice(choices) for name in checker.text.inputs}
        with digits.working():
            at = {name: digits.number(rng.uniform(*limits)) for name, limits in each.items()}
            try:
                point = _Point(checker, at)
            except (ArithmeticError, ValueError, TypeError):
                continue
        if point.sound:
            yield point
            found += 1
        if found == wanted:
            return


_HALVINGS = 16


def _boundaries(checker: _Checker, points: Sequence["_Point"]) -> Iterator["_Point"]:
    """Two points for each condition, close to each other, on both sides of where it changes.

    A region between two conditions may be too narrow for random points; its borders are not.
    """
    for statement, conditions in checker.conditions.items():
        for k in range(len(conditions)):
            yes = next((point for point in points if point.sides[statement][k]), None)
            no = next((point for point in points if not point.sides[statement][k]), None)
            if yes is not None and no is not None:
                yield from _closer(checker, yes, no, (statement, k))


def _closer(
    checker: _Checker, yes: "_Point", no: "_Point", condition: tuple[str, int]
) -> Iterator["_Point"]:
    """Two points on either side of a condition, on the line between two others."""
    statement, k = condition
    for _ in range(_HALVINGS):
        with digits.working():
            at = {name: (x + no.at[name]) / 2 for name, x in yes.at.items()}
            try:
                middle = _Point(checker, at)
            except (ArithmeticError, ValueError, TypeError):
                break
        if not middle.sound:
            break
        if middle.sides[statement][k]:
            yes = middle
        else:
            no = middle
    yield from (yes, no)


_MOST_CONSTANTS = 8


def _near_constants(text: KernelText) -> list[tuple[float, float]]:
    """Ranges around the constants of a text, where its conditions may change."""
    nodes = [node for tree in _trees(text) for node in ast.walk(tree)]
    found = {abs(x.value) for x in nodes if isinstance(x, ast.Constant) and type(x.value) is float}
    chosen = sorted(c for c in found if 1e-6 < c < 1e6 and c not in (0.5, 1.0, 2.0))
    ranges = []
    for c in chosen[:_MOST_CONSTANTS]:
        ranges += [(-2 * c, 2 * c), (c - 2, c + 2), (-c - 2, -c + 2)]
    return ranges


def _trees(text: KernelText) -> list[ast.expr]:
    return [*text.forward.values(), *text.reverse.values(), text.value, *text.gradient.values()]


def _conditions(tree: ast.expr) -> Iterator[ast.expr]:
    """What decides on which side of a choice or of a kink an expression is."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                yield node
            case ast.IfExp(test=ast.Name() as test):
                yield test
            case ast.Call(ast.Name("max" | "maximum" | "minimum"), [a, b]):
                yield ast.Compare(a, [ast.Gt()], [b])
            case ast.Call(ast.Name("abs" | "sign" | "copysign"), operands):
                for operand in operands:
                    yield ast.Compare(operand, [ast.Gt()], [ast.Constant(0.0)])


def _entry(index: int) -> str:
    """What an entry of the gradient is called; no Python name can be equal."""
    return f"gradient[{index}]"


class _Point:
    """A random point, what the text computes there, and what the adjoints should be."""

    def __init__(self, checker: _Checker, at: dict[str, Any]) -> None:
        self.checker = checker
        self.at = at
        self.names = {**digits.CONSTANTS, **at}
        for codes in (checker.codes, checker.reverse):
            for name, code in codes.items():
                self.names[name] = code(self.names)
        self.sides = {
            name: tuple(bool(condition(self.names)) for condition in conditions)
            for name, conditions in checker.conditions.items()
        }
        self.sound = all(digits.is_sound(self.names[name]) for name in checker.codes)
        one = digits.number(1)
        self.adjoints: dict[str, _Adjoint | None] = {VALUE: _Adjoint(one, one)}

    def adjoint(self, name: str) -> "_Adjoint | None":
        """The sum of the contributions to a value; None if one of them has no slope here.

        Called for users first; where the text names the adjoint of a user, the text's is taken.
        """
        total: _Adjoint | None = _Adjoint(digits.number(0), digits.number(0))
        for user in self.checker.users.get(name, ()):
            adjoint = self._adjoint_of(user)
            slopes = digits.slopes(self.checker.codes[user], self.names, name)
            if total is None or adjoint is None or slopes is None:
                total = None
            else:
                total = total.plus(adjoint.times(*slopes))
        self.adjoints[name] = total
        return total

    def _adjoint_of(self, user: str) -> "_Adjoint | None":
        named = self.checker.adjoints.get(user)
        if named is None:
            return self.adjoints[user]
        adjoint = self.names[named]
        return _Adjoint(adjoint, adjoint) if digits.is_sound(adjoint) else None

    def __str__(self) -> str:
        return "at " + ", ".join(f"{n}={digits.short(x)}" for n, x in list(self.at.items())[:6])


class _Adjoint(NamedTuple):
    """What an adjoint should be: a number, up to the small error of differences.

    At a kink it is a range, for any slope between those on both sides may have been chosen.
    """

    low: Any
    high: Any
    scale: Any = 0
    """The sum of the sizes of what was added up."""

    def nearest(self, x: Any) -> Any:
        """`x` itself, if it is in the range; else the end that is nearer, if it is real."""
        return min(max(x, self.low), self.high) if digits.is_sound(x) else self.low

    def plus(self, other: "_Adjoint") -> "_Adjoint":
        return _Adjoint(self.low + other.low, self.high + other.high, self.scale + other.scale)

    def times(self, low: Any, high: Any) -> "_Adjoint":
        ends = [self.low * low, self.low * high, self.high * low, self.high * high]
        return _Adjoint(min(ends), max(ends), max(map(abs, ends)))
