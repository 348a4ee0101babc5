"""Slopes of a program at a point, found without any rule of differentiation.

Where every operation extends to complex numbers, a tiny step along the imaginary axis gives a slope
without cancellation (Squire and Trapp, Using complex variables to estimate derivatives of real
functions, SIAM Review 40, 1998). Elsewhere central differences over many steps are extrapolated to
step 0 (Ridders, Accurate computation of F'(x) and F'(x)F''(x), Advances in Engineering Software 4,
1982). Both estimate their own error.

The program is run on many points at once, each value an array: the expressions of the op table are
read over numpy's functions.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from gradcompile import ieee
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import Const, Operand, Program, Var
from gradcompile.ops import table
from gradcompile.ops.op import Op
from gradcompile.ops.syntax import ExpressionError, evaluate
from gradcompile.passes.dce import dce
from gradcompile.support.arrays import AnyArray

Functions = Mapping[str, Callable[..., Any]]

EPS = float(np.finfo(np.float64).eps)
SMALLEST = float(np.finfo(np.float64).tiny)

COARSE = 1e-3
"""A number that is uncertain by more than this part of its size says too little."""

SAMPLES = 8
"""How often results are shaken."""

SAFETY = 8.0
"""By how much errors that are seen in a few samples are taken to be larger."""


class Slopes(NamedTuple):
    """Numerical slopes.

    Attributes:
        method: "complex step" or "central differences".
        values: one slope an input.
        errors: how far each may be off, by its own estimate; inf if it says nothing.
    """

    method: str
    values: AnyArray
    errors: AnyArray


def numerical_slopes(program: Program, at: AnyArray, slots: AnyArray) -> Slopes:
    """Find the slopes of a program with one output; what `stop_gradient` gives is held.

    At a kink the error spans the slopes of both sides. Stairs that are narrower than the smallest
    step, such as those of floor(x) for x > 2**52, are taken for a slope.

    Args:
        program: the program.
        at: its inputs, a float64 vector.
        slots: the indices of the inputs to differentiate by.

    Example:
        >>> import gradcompile as gdc
        >>> program = gdc.compile(lambda x: x * x).value.program
        >>> method, values, _ = numerical_slopes(program, np.array([3.0]), np.array([0]))
        >>> method, values
        ('complex step', array([6.]))
    """
    with np.errstate(all="ignore"):
        point = _Point(_held(program, at), at)
        found = _complex_step(point, slots) if point.is_tame() else None
        if found is not None:
            return Slopes("complex step", *found)
        return Slopes("central differences", *_central_differences(point, slots))


def rounding_errors(program: Program, at: AnyArray) -> AnyArray:
    """Estimate how far rounding may move each output of a program, seen by rounding at random.

    Args:
        program: the program.
        at: its inputs, a float64 vector.
    """
    with np.errstate(all="ignore"):
        return _Point(program, at).rounding()


def _held(program: Program, at: AnyArray) -> Program:
    """Replace what `stop_gradient` gives at a point by a constant."""
    values = _intermediates(program, at)
    constants: dict[Operand, Operand] = {
        x.result: Const(values[x.result])
        for x in program.instructions
        if x.op is table.stop_gradient
    }
    instructions = tuple(
        x._replace(operands=tuple(constants.get(operand, operand) for operand in x.operands))
        for x in program.instructions
        if x.result not in constants
    )
    (output,) = program.flat_outputs
    outputs = (constants.get(output, output),)
    # What only the constants needed, such as the maximum in logsumexp, may have no complex form.
    return dce(replace(program, instructions=instructions, outputs=outputs))


def _intermediates(program: Program, at: AnyArray) -> dict[Operand, float]:
    """Compute every value of a program."""
    results = tuple(x.result for x in program.instructions)
    numbers = np.array(interpret(replace(program, outputs=results), at.tolist())).tolist()
    return dict(zip((*program.inputs, *results), (*at.tolist(), *numbers), strict=True))


# --- a program on many points at once --------------------------------------------------------

MAX_NUMBERS_KEPT = 10_000_000
"""How many numbers one run may keep at a time."""

SHAKE = 2.0**-50
"""How far operands are moved, relatively, to see what rounding does: some units in the last place.

Each at random, so that it also shows where large numbers cancel; the method is CESTAC's (Vignes, A
stochastic arithmetic for reliable scientific computation, Mathematics and Computers in Simulation
35, 1993).
"""

_NUMPY: dict[str, Callable[..., Any]] = {
    op.name: getattr(np, op.ufunc or op.name)
    for op in table.TABLE.values()
    if isinstance(getattr(np, op.ufunc or op.name, None), np.ufunc)
}

REAL: dict[str, Callable[..., Any]] = {
    **{name: np.vectorize(getattr(ieee, name), otypes=[float]) for name in ieee.FUNCTIONS},
    **_NUMPY,
    "where": np.where, "max": np.maximum, "float64": np.float64, "bool": np.bool_,
    "copysign": np.vectorize(ieee.copysign, otypes=[float]),  # numpy's reads the sign of a nan
}  # fmt: skip
"""What the names in the table's expressions mean on arrays."""


@dataclass(frozen=True)
class _Point:
    """A program, and the inputs at which its slopes are asked for."""

    program: Program
    at: AnyArray

    @cached_property
    def width(self) -> int:
        """How many numbers a run keeps at a time for each point."""
        waiting, kept = _reads(self.program), len(self.at)
        width = kept
        for instruction in self.program.instructions:
            kept += 1
            width = max(width, kept)
            for operand in instruction.operands:
                waiting[operand] -= 1
                kept -= isinstance(operand, Var) and not waiting[operand]
        return width

    def is_tame(self) -> bool:
        """Is every operation inside its domain here, and no number infinite or nearly 0?"""
        values = _intermediates(self.program, self.at)
        return all(x == 0.0 or MIN_TAME < abs(x) < math.inf for x in values.values()) and all(
            _inside(op, [x.value if isinstance(x, Const) else values[x] for x in operands])
            for _, op, operands, _ in self.program.instructions
        )

    def moved(
        self,
        slots: AnyArray,
        places: AnyArray,
        functions: Functions = REAL,
        seed: int | None = None,
    ) -> AnyArray:
        """Run the program with one input moved, `slots[k]` to each of `places[..., k]`.

        Args:
            slots: indices of inputs.
            places: the last axis is that of the slots.
            functions: what operations mean.
            seed: of rounding at random.
        """
        targets = np.broadcast_to(slots, places.shape).ravel()
        ends, values = places.ravel(), np.empty(places.size, places.dtype)
        size = max(1, MAX_NUMBERS_KEPT // self.width)
        for start in range(0, len(ends), size):
            part = slice(start, start + size)
            count = len(ends[part])
            inputs = np.repeat(self.at[:, np.newaxis], count, axis=1).astype(places.dtype)
            inputs[targets[part], np.arange(count)] = ends[part]
            (values[part],) = _run(self.program, inputs, functions, seed)
        return values.reshape(places.shape)

    def rounding(self) -> AnyArray:
        """Estimate how far rounding may move each output."""
        here = np.reshape(_run(self.program, self.at[:, np.newaxis], REAL), -1)
        shaken = _run(self.program, np.repeat(self.at[:, np.newaxis], SAMPLES, axis=1), REAL, 1)
        spread = abs(np.reshape(shaken, (-1, SAMPLES)) - here[:, np.newaxis]).max(axis=1)
        total: AnyArray = SAFETY * (spread + EPS * abs(here) + SMALLEST)
        return total


def _run(
    program: Program, inputs: AnyArray, functions: Functions, seed: int | None = None
) -> list[AnyArray]:
    """Run a program for each column of inputs.

    With a seed every operand is shaken that is no constant and has a slope; what has none may be a
    condition or a count, of which rounding would make another.
    """
    values: dict[Operand, Any] = dict(zip(program.inputs, inputs, strict=True))
    waiting = _reads(program)
    rng = np.random.default_rng(seed)
    count = inputs.shape[1]

    def read(operand: Operand) -> Any:
        return operand.value if isinstance(operand, Const) else values[operand]

    for result, op, operands, _ in program.instructions:
        numbers = [read(operand) for operand in operands]
        if seed is not None and not op.gate:  # a gate gives one of its operands, exactly
            numbers = [
                x if partial is None or isinstance(operand, Const) else _shaken(x, count, rng)
                for x, operand, partial in zip(numbers, operands, op.partials, strict=True)
            ]
        names = dict(zip(op.operand_names, numbers, strict=True))
        own = {op.name: np.vectorize(op.evaluate, otypes=[float])} if op.is_opaque else {}
        values[result] = evaluate(op.template, names, {**functions, **own} if own else functions)
        for operand in operands:
            waiting[operand] -= 1
            if not waiting[operand]:
                values.pop(operand, None)
    return [np.broadcast_to(read(output), count) for output in program.flat_outputs]


def _reads(program: Program) -> Counter[Operand]:
    """Count how often each operand is read, or returned."""
    reads = Counter(program.flat_outputs)
    for instruction in program.instructions:
        reads.update(instruction.operands)
    return reads


def _inside(op: Op, operands: list[float]) -> bool:
    try:
        return op.contains(*operands)
    except ArithmeticError:  # the domain of fmod divides
        return False


def _shaken(values: Any, count: int, rng: np.random.Generator) -> Any:
    """Move each value, and each part of a complex one, by a few units in the last place."""
    moves = 1.0 + SHAKE * rng.uniform(-1.0, 1.0, (2, count))
    if not np.iscomplexobj(values):
        return values * moves[0]
    return np.real(values) * moves[0] + 1j * (np.imag(values) * moves[1])


# --- a step along the imaginary axis ---------------------------------------------------------

IMAGINARY = 2.0**-100
"""The step, relative to the input: so small that its square vanishes beside any real part."""

MIN_TAME = 2.0**-800
"""Beside smaller numbers the step would underflow."""


def _complex_log1p(z: Any) -> Any:
    # By its real part alone: 1 + z would lose the digits of a small z.
    return np.log1p(np.real(z)) + 1j * np.arctan2(np.imag(z), 1.0 + np.real(z))


def _complex_cbrt(z: Any) -> Any:
    sign = np.sign(np.real(z))
    return sign * np.exp(np.log(sign * z) / 3.0)


def _complex_hypot(a: Any, b: Any) -> Any:
    scale = np.maximum(abs(np.real(a)), abs(np.real(b)))
    return scale * np.sqrt((a / scale) ** 2 + (b / scale) ** 2)


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
    "hypot": _complex_hypot,
    "atan2": _complex_atan2,
    "logaddexp": _complex_logaddexp,
    "softplus": lambda x: _complex_logaddexp(x, 0.0),
}  # fmt: skip
"""The functions that extend to complex numbers; what compares numbers does not."""


def _complex_step(point: _Point, slots: AnyArray) -> tuple[AnyArray, AnyArray] | None:
    """Find the slopes and their errors; None where an operation has no complex form."""
    x = point.at[slots]
    steps = IMAGINARY * np.where(x == 0.0, IMAGINARY**3, abs(x))
    try:
        slopes, *shaken = [
            point.moved(slots, x + 1j * steps, COMPLEX, seed).imag / steps
            for seed in (None, 1, 2, 3)
        ]
    except ExpressionError:
        return None
    spread = np.max([abs(other - slopes) for other in shaken], axis=0)
    errors = SAFETY * (spread + EPS * abs(slopes) + SMALLEST / steps)
    return (slopes, errors) if np.isfinite(errors).all() else None


# --- central differences ---------------------------------------------------------------------

RATIO = 4.0
"""Each step is this much smaller than the one before."""

STEPS = 21
"""How many steps; from 1/16 of the input's scale to 2**-44 of it."""

EXTRAPOLATIONS = 4
"""How often differences are extrapolated."""


def _central_differences(point: _Point, slots: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Find the slopes and their errors."""
    sizes = abs(point.at[slots])
    slopes, errors = _differences(point, slots, np.maximum(sizes, 1.0))
    # A small input may be small by chance (sin(x) + 1) or in its nature (log(x)).
    small = np.flatnonzero((sizes > 0.0) & (sizes < 1.0))
    others, other_errors = _differences(point, slots[small], sizes[small])
    # Where they contradict each other, the nearer steps are right.
    contradict = abs(others - slopes[small]) > errors[small] + other_errors
    better = contradict | (other_errors < errors[small])
    slopes[small] = np.where(better, others, slopes[small])
    errors[small] = np.where(better, other_errors, errors[small])
    return slopes, errors


def _differences(point: _Point, slots: AnyArray, scales: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Find the slopes and their errors, from steps that are fractions of the scales."""
    steps = scales * RATIO ** -np.arange(2.0, 2.0 + STEPS)[:, np.newaxis]
    x = point.at[slots]
    places = np.stack([x + steps, x - steps])
    # Each difference is divided by the step that was really made, after rounding.
    ahead, behind = places[0] - x, x - places[1]
    above, below = point.moved(slots, places)
    here = point.moved(slots, x)
    (rounding,) = point.rounding()
    noise = np.broadcast_to(rounding / steps, steps.shape)
    slopes, errors = _extrapolate((above - below) / (ahead + behind), noise, 2)
    right, right_error = _extrapolate((above - here) / ahead, 2.0 * noise, 1)
    left, left_error = _extrapolate((here - below) / behind, 2.0 * noise, 1)
    # Two sides that disagree make a kink, and the central slope is half way between them.
    gap, uncertain = abs(right - left), right_error + left_error
    errors += np.where(gap > uncertain, (gap + uncertain) / 2.0, 0.0)
    errors[np.isinf(uncertain)] = math.inf
    sizes = abs(np.concatenate([above, below]))
    size = np.sort(np.where(np.isfinite(sizes), sizes, 0.0), axis=0)[STEPS]
    hidden = rounding > COARSE * size + SAFETY * SMALLEST
    return slopes, np.where(hidden, math.inf, errors)


def _extrapolate(slopes: AnyArray, noise: AnyArray, order: int) -> tuple[AnyArray, AnyArray]:
    """Extrapolate difference quotients to step 0, with the error of that.

    Args:
        slopes: one row a step, the largest first, one column an input.
        noise: how far rounding may have moved each of them.
        order: the power of the step with which their error begins, and by which it goes on.
    """
    best, error = slopes[-1].copy(), np.full(slopes.shape[1], math.inf)
    # At a jump, and towards an infinite slope, quotients grow for ever.
    grows = abs(slopes[-1]) > 1.01 * abs(slopes[-2]) + noise[-1]
    for level in range(1, EXTRAPOLATIONS + 1):
        coarser, finer, noise = slopes[:-1], slopes[1:], noise[1:]
        slopes = finer + (finer - coarser) / (RATIO ** (order * level) - 1.0)
        change = np.maximum(abs(slopes - finer), abs(slopes - coarser))
        estimate = change + noise + _contradiction(slopes, noise)
        estimate[np.isnan(estimate)] = math.inf
        rows, columns = estimate.argmin(axis=0), np.arange(len(error))
        better = estimate[rows, columns] < error
        best = np.where(better, slopes[rows, columns], best)
        error = np.where(better, estimate[rows, columns], error)
    return best, np.where(grows, math.inf, error)


def _contradiction(slopes: AnyArray, noise: AnyArray) -> AnyArray:
    """Measure how far each slope lies outside of what all smaller steps allow.

    Large steps may agree with each other by chance, where a function is flat at a distance or
    oscillates between them.
    """
    lowest = np.maximum.accumulate((slopes - noise)[::-1])[::-1]
    highest = np.minimum.accumulate((slopes + noise)[::-1])[::-1]
    beyond: AnyArray = np.maximum(lowest - slopes, slopes - highest)
    return np.maximum(beyond, 0.0)
