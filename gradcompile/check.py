"""A numerical check of gradients: what torch calls `gradcheck`, for compiled functions.

The gradient that machine code gives is compared with slopes of the value's program, which are found
here without any rule of differentiation. Where every operation extends to complex numbers, a tiny
step along the imaginary axis gives a slope without cancellation (Squire and Trapp, Using complex
variables to estimate derivatives of real functions, SIAM Review 40, 1998). Elsewhere central
differences over many steps are extrapolated to step 0 (Ridders, Accurate computation of F'(x) and
F'(x)F''(x), Advances in Engineering Software 4, 1982). Both estimate their own error, and what
lies within it is not held against the gradient.

    >>> import gradcompile as gdc
    >>> from gradcompile.check import check_grad
    >>> check_grad(gdc.compile(lambda x, y: x * gdc.exp(y)), 2.0, 0.5).ok
    True
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcompile import ieee, ops
from gradcompile.compiler import CompiledFunction
from gradcompile.interpret import interpret
from gradcompile.ir import Const, Operand, Program
from gradcompile.passes import dce
from gradcompile.syntax import ExpressionError, evaluate
from gradcompile.tree import flatten

Array = np.ndarray[Any, np.dtype[Any]]
Functions = Mapping[str, Callable[..., Any]]

COARSE = 1e-3
"""A slope that is uncertain by more than this part of the gradient's largest decides nothing."""

LISTED = 10
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
        """The components of one verdict, the worst first."""
        found = [component for component in self.components if component.verdict == verdict]
        return sorted(found, key=lambda component: -component.relative_error)

    def __str__(self) -> str:
        different, undecided = self._that("differs"), self._that("undecided")
        counts = [f"{len(self._that('agrees'))} agree"]
        counts += [f"{len(different)} differ"] if different else []
        counts += [f"{len(undecided)} undecided"] if undecided else []
        lines = [f"gradient of {self.name} by {self.method}: {', '.join(counts)}"]
        shown = different + undecided or [x for x in [self.worst] if x is not None]
        lines += [f"  {component}" for component in shown[:LISTED]]
        lines += [f"  and {len(shown) - LISTED} more"] if len(shown) > LISTED else []
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
        TypeError: `f` is no compiled function, or does not return one number.

    Example:
        >>> import gradcompile as gdc
        >>> f = gdc.compile(lambda w, x: gdc.tanh(w[0] * x + w[1]))
        >>> report = check_grad(f, [0.5, -1.0], 3.0)
        >>> report.method, [component.name for component in report.components]
        ('complex step', ['w0', 'w1', 'x'])
    """
    if not isinstance(f, CompiledFunction):
        kind = type(f).__name__
        raise TypeError(f"check_grad: expected a compiled function, got {kind} {f!r:.60}")
    _, gradient = f.value_and_grad(*args, **kwargs)
    given = np.array(flatten(gradient)[0], dtype=np.float64)
    leaves, traced = f._trace(args, kwargs)
    build = f.value._build(traced)
    names = [build.program.inputs[slot].name for slot in build.slots]
    with np.errstate(all="ignore"):
        method, slopes, errors = _numerical_gradient(
            build.program, np.array(leaves, np.float64), np.array(build.slots, int)
        )
        verdicts = _verdicts(given, slopes, errors, rtol)
    columns = zip(names, given.tolist(), slopes.tolist(), errors.tolist(), verdicts, strict=True)
    report = GradCheck(f.name, method, tuple(Component(*column) for column in columns))
    if raises and not report.ok:
        raise GradCheckError(report)
    return report


def _verdicts(given: Array, slopes: Array, errors: Array, rtol: float) -> list[str]:
    sizes = np.fmax(abs(given), abs(slopes))
    distances = np.array([_distance(*pair) for pair in zip(given, slopes, strict=True)])
    different = distances > np.where(np.isfinite(sizes), rtol * sizes, 0.0) + errors
    unit = max(sizes[np.isfinite(sizes) & (sizes > errors)], default=1.0)
    decided = errors <= COARSE * unit
    # No difference quotient is infinite, but one of an infinite slope does not converge either.
    different &= decided | ~np.isinf(given)
    verdicts = np.where(different, "differs", np.where(decided, "agrees", "undecided"))
    return list(map(str, verdicts))


def _distance(a: float, b: float) -> float:
    """How far two numbers are apart: inf if one is nan, 0 for equal infinities."""
    if a == b:
        return 0.0
    return math.inf if math.isnan(a - b) else float(abs(a - b))


def _numerical_gradient(program: Program, at: Array, slots: Array) -> tuple[str, Array, Array]:
    """The method, and by each input in `slots` the slope at a point and its error."""
    program = _held(program, at)
    found = _complex_step(program, at, slots) if _is_smooth(program, at) else None
    if found is not None:
        return "complex step", *found
    return "central differences", *_central_differences(program, at, slots)


# --- programs on many points at once ---------------------------------------------------------

ROOM = 10_000_000
"""How many numbers one run may keep."""

SHAKE = 2.0**-50
"""How far results are moved, relatively, to see what rounding does: a few units in the last place.

All at random, so that it also shows where large numbers cancel; the method is CESTAC's (Vignes, A
stochastic arithmetic for reliable scientific computation, Mathematics and Computers in Simulation
35, 1993).
"""


def _held(program: Program, at: Array) -> Program:
    """`program` with what `stop_gradient` gives at a point as a constant: derivatives see none."""
    values = _intermediates(program, at)
    constants: dict[Operand, Operand] = {
        x.result: Const(values[x.result]) for x in program.instructions if x.op is ops.stop_gradient
    }
    instructions = tuple(
        x._replace(operands=tuple(constants.get(operand, operand) for operand in x.operands))
        for x in program.instructions
        if x.result not in constants
    )
    (output,) = program.flat_outputs
    outputs = (constants.get(output, output),)
    return dce(replace(program, instructions=instructions, outputs=outputs))


def _is_smooth(program: Program, at: Array) -> bool:
    """Is every operation finite at a point, and the point inside its domain?"""
    values = _intermediates(program, at)
    if not all(map(math.isfinite, values.values())):
        return False
    return all(
        op.contains(*[x.value if isinstance(x, Const) else values[x] for x in operands])
        for _, op, operands, _ in program.instructions
    )


def _intermediates(program: Program, at: Array) -> dict[Operand, float]:
    """Every value of `program` at a point."""
    results = tuple(x.result for x in program.instructions)
    numbers = np.array(interpret(replace(program, outputs=results), at.tolist())).tolist()
    return dict(zip((*program.inputs, *results), (*at.tolist(), *numbers), strict=True))


def _values(
    program: Program,
    at: Array,
    slots: Array,
    places: Array,
    functions: Functions,
    *,
    seed: int | None = None,
) -> Array:
    """What `program` gives when one input is moved: `slots[k]` to `places[k]`, for each k."""
    values = np.empty(len(slots), places.dtype)
    size = max(1, ROOM // (len(program) + len(at)))
    for start in range(0, len(slots), size):
        part = slice(start, start + size)
        count = len(slots[part])
        inputs = np.repeat(at[:, np.newaxis], count, axis=1).astype(places.dtype)
        inputs[slots[part], np.arange(count)] = places[part]
        values[part] = _run(program, inputs, functions, seed=seed)
    return values


def _run(program: Program, inputs: Array, functions: Functions, *, seed: int | None = None) -> Any:
    """What `program` gives for each column of inputs; a seed has every result shaken."""
    values: dict[Operand, Any] = dict(zip(program.inputs, inputs, strict=True))
    rng = np.random.default_rng(seed)

    def read(operand: Operand) -> Any:
        return operand.value if isinstance(operand, Const) else values[operand]

    for result, op, operands, _ in program.instructions:
        names = dict(zip(op.operand_names, map(read, operands), strict=True))
        values[result] = evaluate(op.template, names, functions)
        if seed is not None:
            values[result] = _shaken(values[result], inputs.shape[1:], rng)
    (output,) = program.flat_outputs
    return read(output)


def _shaken(values: Any, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """`values` moved at random by a few units in the last place, each part of a complex number."""
    moves = 1.0 + SHAKE * rng.uniform(-1.0, 1.0, (2, *shape))
    if not np.iscomplexobj(values):
        return np.multiply(values, moves[0])
    return np.real(values) * moves[0] + 1j * (np.imag(values) * moves[1])


_NUMPY: dict[str, Callable[..., Any]] = {
    op.name: getattr(np, op.ufunc or op.name)
    for op in ops.TABLE.values()
    if hasattr(np, op.ufunc or op.name)
}

REAL: dict[str, Callable[..., Any]] = {
    **{name: np.vectorize(getattr(ieee, name), otypes=[float]) for name in ieee.FUNCTIONS},
    **_NUMPY,
    "max": np.maximum, "float64": np.float64, "bool": np.bool_,
}  # fmt: skip
"""The functions of the table's expressions on arrays."""


SAFETY = 8.0
"""By how much errors that are seen in a few samples are taken to be larger."""

# --- a step along the imaginary axis ---------------------------------------------------------

IMAGINARY = 2.0**-200
"""So small that its square vanishes beside any real part; a power of two, so division is exact."""


def _complex_log1p(z: Any) -> Any:
    # By its real part alone: 1 + z would lose the digits of a small z.
    return np.log1p(np.real(z)) + 1j * np.arctan2(np.imag(z), 1.0 + np.real(z))


def _complex_cbrt(z: Any) -> Any:
    sign = np.sign(np.real(z))
    return sign * np.exp(np.log(sign * z) / 3.0)


def _complex_atan2(a: Any, b: Any) -> Any:
    # Turned back by the real angle, so that what is left is a small arctangent in every quadrant.
    angle = np.arctan2(np.real(a), np.real(b))
    c, s = np.cos(angle), np.sin(angle)
    return angle + np.arctan((a * c - b * s) / (b * c + a * s))


def _complex_logaddexp(a: Any, b: Any) -> Any:
    swap = np.real(a) < np.real(b)
    high, low = np.where(swap, b, a), np.where(swap, a, b)
    return high + _complex_log1p(np.exp(low - high))


COMPLEX: dict[str, Callable[..., Any]] = {
    **{
        name: _NUMPY[name]
        for name in (
            "add", "sub", "mul", "div", "neg", "copy", "pow",
            "exp", "exp2", "expm1", "log", "log2", "log10", "sqrt",
            "sin", "cos", "tan", "asin", "acos", "atan",
            "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
        )
    },
    "log1p": _complex_log1p,
    "cbrt": _complex_cbrt,
    "hypot": lambda a, b: np.sqrt(a * a + b * b),
    "atan2": _complex_atan2,
    "logaddexp": _complex_logaddexp,
    "softplus": lambda x: _complex_logaddexp(x, 0.0),
}  # fmt: skip
"""The functions that extend to complex numbers; what compares numbers does not."""


def _complex_step(program: Program, at: Array, slots: Array) -> tuple[Array, Array] | None:
    """The slopes and their errors; None where an operation has no complex extension."""
    places = at[slots] + 1j * IMAGINARY
    try:
        slopes, *shaken = [
            _values(program, at, slots, places, COMPLEX, seed=seed).imag / IMAGINARY
            for seed in (None, 1, 2)
        ]
    except ExpressionError:
        return None
    spread = np.max([abs(other - slopes) for other in shaken], axis=0)
    errors = SAFETY * (spread + np.finfo(float).eps * abs(slopes))
    return (slopes, errors) if np.isfinite(errors).all() else None


# --- central differences ---------------------------------------------------------------------

RATIO = 4.0
"""Each step is this much smaller than the one before."""

STEPS = 21
"""How many steps; from 1/16 of the input's scale to 2**-44 of it."""

LEVELS = 4
"""How often differences are extrapolated."""


def _central_differences(program: Program, at: Array, slots: Array) -> tuple[Array, Array]:
    """The slopes and their errors."""
    sizes = abs(at[slots])
    slopes, errors = _differences(program, at, slots, np.maximum(sizes, 1.0))
    # A small input may be small by chance (sin(x) + 1) or in its nature (log(x)).
    small = np.flatnonzero((sizes > 0.0) & (sizes < 1.0))
    others, other_errors = _differences(program, at, slots[small], sizes[small])
    # Where they contradict each other, the nearer steps are right.
    contradict = abs(others - slopes[small]) > errors[small] + other_errors
    better = contradict | (other_errors < errors[small])
    slopes[small] = np.where(better, others, slopes[small])
    errors[small] = np.where(better, other_errors, errors[small])
    return slopes, errors


def _differences(program: Program, at: Array, slots: Array, scales: Array) -> tuple[Array, Array]:
    """The slopes and their errors, from steps that are fractions of the scales."""
    steps = scales * RATIO ** -np.arange(2.0, 2.0 + STEPS)[:, np.newaxis]
    x = at[slots]
    places = np.stack([x + steps, x - steps])
    # Each difference is divided by the step that was really made, after rounding.
    ahead, behind = places[0] - x, x - places[1]
    moved = np.broadcast_to(slots, places.shape).ravel()
    above, below = _values(program, at, moved, places.ravel(), REAL).reshape(places.shape)
    here = _values(program, at, slots, x, REAL)
    rounding = _rounding(program, at)
    noise = rounding / steps
    slopes, errors = _extrapolate((above - below) / (ahead + behind), noise, 2)
    right, right_error = _extrapolate((above - here) / ahead, 2.0 * noise, 1)
    left, left_error = _extrapolate((here - below) / behind, 2.0 * noise, 1)
    # Two sides that disagree make a kink; whatever lies between them is a slope.
    errors += np.fmax(abs(right - left) - right_error - left_error, 0.0)
    size = np.maximum(abs(above).max(axis=0), abs(below).max(axis=0))
    return slopes, np.where(rounding <= COARSE * size, errors, math.inf)


def _rounding(program: Program, at: Array) -> float:
    """How far rounding may move the value at a point."""
    rng = np.random.default_rng(0)
    inputs = _shaken(at[:, np.newaxis], (len(at), 8), rng)
    here = _run(program, at[:, np.newaxis], REAL)
    spread = abs(_run(program, inputs, REAL, seed=1) - here)
    return SAFETY * float(np.max(spread + np.finfo(float).eps * abs(here)))


def _extrapolate(slopes: Array, noise: Array, order: int) -> tuple[Array, Array]:
    """The limit of difference quotients at step 0, and its error.

    Args:
        slopes: one row a step, the largest first, one column an input.
        noise: how far rounding may have moved each of them.
        order: the power of the step with which their error begins, and by which it goes on.
    """
    best, error = slopes[-1].copy(), np.full(slopes.shape[1], math.inf)
    for level in range(1, LEVELS + 1):
        coarser, finer, noise = slopes[:-1], slopes[1:], noise[1:]
        slopes = finer + (finer - coarser) / (RATIO ** (order * level) - 1.0)
        change = np.maximum(abs(slopes - finer), abs(slopes - coarser))
        estimate = change + noise + _contradiction(slopes, noise)
        estimate[np.isnan(estimate)] = math.inf
        rows, columns = estimate.argmin(axis=0), np.arange(len(error))
        better = estimate[rows, columns] < error
        best = np.where(better, slopes[rows, columns], best)
        error = np.where(better, estimate[rows, columns], error)
    return best, error


def _contradiction(slopes: Array, noise: Array) -> Array:
    """How far each slope lies outside of what all smaller steps allow.

    Large steps may agree with each other by chance, where a function is flat at a distance or
    oscillates between them.
    """
    lowest = np.maximum.accumulate((slopes - noise)[::-1])[::-1]
    highest = np.minimum.accumulate((slopes + noise)[::-1])[::-1]
    beyond: Array = np.maximum(lowest - slopes, slopes - highest)
    return np.maximum(beyond, 0.0)
