"""A numerical check of gradients: what torch calls `gradcheck`, for compiled functions.

The gradient that machine code gives is compared with slopes of the value's program, found
without any rule of differentiation (see `verify/slopes.py`). Numerical slopes estimate their own
error, and a difference that lies within it is not held against the gradient.

    >>> import gradcompile as gdc
    >>> from gradcompile.check import check_grad
    >>> check_grad(gdc.compile(lambda x, y: x * gdc.exp(y)), 2.0, 0.5).ok
    True
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcompile.compiler.function import CompiledFunction
from gradcompile.compiler.methods import unbound
from gradcompile.compiler.plans import flat_inputs
from gradcompile.graph.nested import flatten
from gradcompile.support.arrays import AnyArray
from gradcompile.verify.slopes import COARSE, numerical_slopes, rounding_errors

MAX_COMPONENTS_LISTED = 10
"""How many components a printed report names."""


@dataclass(frozen=True)
class Component:
    """The check of one component of a gradient.

    Attributes:
        name: what it is differentiated by.
        given: what the compiled function says.
        expected: the numerical slope.
        error: how far `expected` may be off, by its own estimate.
        verdict: "agrees", "differs" or "undecided": at a kink, at the edge of the domain, or where
            rounding hides the slope, the numerical slope tells too little.
    """

    name: str
    given: float
    expected: float
    error: float
    verdict: str

    @property
    def relative_error(self) -> float:
        """The difference of `given` and `expected`, relative to the larger of them."""
        if self.given == self.expected:
            return 0.0
        scale = max(abs(self.given), abs(self.expected))
        relative = _distance(self.given, self.expected) / scale
        return math.inf if math.isnan(relative) else relative

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.verdict}: given {self.given:.10g}, expected {self.expected:.10g} "
            f"± {self.error:.1g}, relative error {self.relative_error:.1g}"
        )


@dataclass(frozen=True)
class GradCheck:
    """What `check_grad` found. Prints a summary, and the components that one should look at.

    Attributes:
        name: of the function.
        method: "complex step" or "central differences".
        components: one for each component of the gradient, in the order of the arguments.
    """

    name: str
    method: str
    components: tuple[Component, ...]

    @property
    def ok(self) -> bool:
        """No component differs."""
        return not self._that("differs")

    @property
    def worst(self) -> Component | None:
        """The component of the largest relative error, one that differs if any does.

        One that is undecided only if all are; None if the gradient has no components.
        """
        for verdict in ("differs", "agrees", "undecided"):
            if found := self._that(verdict):
                return found[0]
        return None

    def _that(self, verdict: str) -> list[Component]:
        """List the components of one verdict, the worst first."""
        found = [component for component in self.components if component.verdict == verdict]
        return sorted(found, key=lambda component: -component.relative_error)

    def __str__(self) -> str:
        different, undecided = self._that("differs"), self._that("undecided")
        counts = [f"{len(self._that('agrees'))} agree"]
        counts += [f"{len(different)} differ"] if different else []
        counts += [f"{len(undecided)} undecided"] if undecided else []
        lines = [f"gradient of {self.name} by {self.method}: {', '.join(counts)}"]
        shown = different + undecided or [x for x in [self.worst] if x is not None]
        lines += [f"  {component}" for component in shown[:MAX_COMPONENTS_LISTED]]
        lines += (
            [f"  and {len(shown) - MAX_COMPONENTS_LISTED} more"]
            if len(shown) > MAX_COMPONENTS_LISTED
            else []
        )
        return "\n".join(lines)


class GradCheckError(AssertionError):
    """A gradient differs from its numerical check; `report` is the `GradCheck`."""

    def __init__(self, report: GradCheck) -> None:
        super().__init__(str(report))
        self.report = report


def check_grad(
    f: Any, /, *args: Any, rtol: float = 1e-6, raises: bool = True, **kwargs: Any
) -> GradCheck:
    """Check the gradient of a compiled function numerically, at one point.

    A component differs if it is further from the numerical slope than `rtol` times the larger of
    the two, plus the error that the numerical slope estimates for itself. So a slope chosen at a
    kink is fine if it lies between those of the two sides. What `stop_gradient` gives is held.

    Args:
        f: a `CompiledFunction`.
        args: its arguments, of any structure.
        rtol: the relative difference that is allowed.
        raises: raise an error if a component differs; without it, look at the report's `ok`.
        kwargs: more arguments of the function, by name.

    Raises:
        GradCheckError: a component differs. It is an `AssertionError` with the report's text.
        TypeError: `f` is no compiled function, or a batched one, or does not return one number.

    Example:
        >>> import gradcompile as gdc
        >>> f = gdc.compile(lambda w, x: gdc.tanh(w[0] * x + w[1]))
        >>> report = check_grad(f, [0.5, -1.0], 3.0)
        >>> report.method, [component.name for component in report.components]
        ('complex step', ['w[0]', 'w[1]', 'x'])
    """
    if not isinstance(f, CompiledFunction):
        kind = type(f).__name__
        raise TypeError(f"check_grad: expected a compiled function, got {kind} {f!r:.60}")
    if f.options.batched:
        raise TypeError(f"check_grad: {f.name} is batched; check the function of one row")
    of, of_args = unbound(f, args)  # `f` keeps the object of a method alive
    call = of.arguments.read(of_args, kwargs)
    if call.traced is None:
        raise TypeError(f"check_grad: {f.name}: expected numbers, got Values")
    _, gradient = f.value_and_grad(*args, **kwargs)
    given = np.array(flatten(gradient)[0], dtype=np.float64)
    traced, build = call.traced, of.value._build(call.traced)
    at, slots = flat_inputs(build.request, call.given), build.request.slots
    called = build.request.signature.names()
    names = [called[slot] for slot in slots]
    method, slopes, errors = numerical_slopes(build.program, at, np.array(slots, int))
    # Rounding is no fault of the gradient either.
    rounding = rounding_errors(of.value_and_grad._build(traced).program, at)[1:]
    errors = errors + np.where(np.isfinite(given), rounding, 0.0)
    verdicts = _verdicts(given, slopes, errors, rtol)
    columns = zip(names, given.tolist(), slopes.tolist(), errors.tolist(), verdicts, strict=True)
    report = GradCheck(f.name, method, tuple(Component(*column) for column in columns))
    if raises and not report.ok:
        raise GradCheckError(report)
    return report


def _verdicts(given: AnyArray, slopes: AnyArray, errors: AnyArray, rtol: float) -> list[str]:
    """Compare each component with its numerical slope, up to the error of that."""
    sizes = np.fmax(abs(given), abs(slopes))
    sizes[np.isinf(sizes)] = 0.0
    distances = np.array([_distance(*pair) for pair in zip(given, slopes, strict=True)])
    # A slope that cannot be told from 0 is no measure of what the others should be known to.
    decided = errors <= COARSE * max(sizes[sizes > errors], default=1.0)
    different = distances > np.fmax(rtol * sizes, 0.0) + errors
    # Towards an infinite slope difference quotients grow for ever: no finite one contradicts it.
    different &= decided | ~np.isinf(given)
    verdicts = np.where(different, "differs", np.where(decided, "agrees", "undecided"))
    return list(map(str, verdicts))


def _distance(a: float, b: float) -> float:
    """Measure how far two numbers are apart: inf if one is nan, 0 for equal infinities."""
    if a == b:
        return 0.0
    return math.inf if math.isnan(a - b) else float(abs(a - b))
