"""Python function → program, and Value graph → program: what a call of `compile` starts from."""

import inspect
import keyword
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, islice
from typing import Any

import numpy as np

from gradcompile.graph import bindings
from gradcompile.graph.arrays import advising, value_array
from gradcompile.graph.branches import traced_ways
from gradcompile.graph.lower import lower
from gradcompile.graph.nested import Structure, flatten, paths, unflatten
from gradcompile.graph.runs import Outcome, UnbuiltError
from gradcompile.graph.users import TraceError, user_line
from gradcompile.graph.value import MADE, Constant, TracedValue, Value, topological
from gradcompile.ir.packed import PackedProgram
from gradcompile.ir.program import Program
from gradcompile.support.arrays import BoolArray
from gradcompile.support.collector import collector_paused
from gradcompile.support.names import Names
from gradcompile.support.timing import Stages

MAX_BRANCHES = 32
"""So many ways a function may go, if nobody says otherwise."""


@dataclass(frozen=True, eq=False)
class Traced:
    """What a function computes, and how its arguments and its result map to that.

    Attributes:
        lowered: the instructions, from flat inputs to flat outputs.
        arguments: each argument's name and structure, in order.
        result: the structure of what the function returns.
        seconds: how long tracing and lowering took.
    """

    lowered: PackedProgram
    arguments: Mapping[str, Structure]
    result: Structure
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def program(self) -> Program:
        """The program, made of the numbers when it is asked for."""
        return self.lowered.program

    @property
    def places(self) -> dict[str, range]:
        """For each argument, the indices of its leaves among the flat inputs."""
        ends = list(accumulate(argument.size for argument in self.arguments.values()))
        bounds = zip([0, *ends], ends, strict=False)
        return {name: range(*pair) for name, pair in zip(self.arguments, bounds, strict=True)}

    @property
    def is_read(self) -> BoolArray:
        """For each flat input: is it an operand of some instruction, or returned?"""
        packed = self.lowered.instructions
        is_read = np.zeros(packed.operand_count + 1, np.bool_)
        is_read[packed.operands] = is_read[packed.outputs] = True
        return is_read[: len(self.lowered.names)]


@collector_paused()
def trace_function(
    function: Callable[..., Any],
    name: str,
    bound: inspect.BoundArguments,
    structures: Mapping[str, Structure],
    *,
    branches: int = MAX_BRANCHES,
    record_lines: bool = False,
) -> Traced:
    """Run `function` on traced values, once for each way through it, and lower what it builds.

    Args:
        function: the user's.
        name: of the program.
        bound: a call of it; of the arguments in `structures`, only the shapes matter.
        structures: the structures of the arguments that are data.
        branches: so many ways it may go, at most, where it branches on traced values.
        record_lines: remember the user's line of every operation.

    Raises:
        TraceError: the function branches too often, or returns what holds no numbers, or Values
            that are not built from its inputs.
    """
    names = [path for argument, s in structures.items() for path in paths(s, argument)]
    inputs = [TracedValue(None, (), label) for label in names]

    def call() -> Outcome:
        # Made anew for each run: a function may change the lists that it is given.
        supply = iter(inputs)
        made = {
            argument: unflatten(s, list(islice(supply, s.size)), value_array)
            for argument, s in structures.items()
        }
        given = inspect.BoundArguments(bound.signature, {**bound.arguments, **made})
        with advising():
            returned = bindings.call(function, given.args, given.kwargs)
        return _outcome(returned, name)

    lines: dict[int, str] = {}
    stages = Stages()
    token = MADE.set(partial(_record_line, lines) if record_lines else None)
    try:
        with stages("trace"):
            outputs, result = traced_ways(call, branches, lines)
    finally:
        MADE.reset(token)  # to what the trace asks for that this one is part of, if it is
    with stages("lower"):
        lowered = lower(outputs, inputs, names, name, lines)
    return Traced(lowered, structures, result, stages.seconds)


def _record_line(lines: dict[int, str], value: TracedValue) -> None:
    lines[id(value)] = user_line()


def _outcome(returned: Any, name: str) -> Outcome:
    """Read what one way through the function returned; numbers become constants."""
    try:
        leaves, structure = flatten(returned, is_leaf=lambda x: isinstance(x, Value))
    except TypeError:
        raise _not_built(returned, name) from None
    if not leaves:
        raise TraceError(f"{name} returned {returned!r:.60}, which holds no value")
    outputs = [Constant(leaf) if isinstance(leaf, float) else leaf for leaf in leaves]
    for output in outputs:
        if not isinstance(output, TracedValue | Constant):
            raise _not_built(output, name)
    return Outcome(outputs, structure)


def _not_built(returned: Any, name: str) -> UnbuiltError:
    kind = "nothing" if returned is None else f"{type(returned).__name__} {returned!r:.60}"
    return UnbuiltError(
        f"{name} returned {kind}, which is not built from its inputs; "
        "return a value computed from the arguments"
    )


Inputs = Iterable[Any] | Mapping[str, Any] | Value | None


@collector_paused()
def trace_graph(target: Any, inputs: Inputs, name: str) -> Traced:
    """Lower a finished graph.

    Args:
        target: the Value to return, or nested lists, tuples, dicts, records or arrays of Values and
            numbers.
        inputs: the arguments of the function: a sequence or a mapping of names to Values, or to
            nested lists, tuples, dicts or arrays of them; None for every labelled leaf.
        name: of the program.

    Raises:
        ValueError: an input is not part of the graph, or is given twice.
        TypeError: an input is no Value, or there is none to return.
    """
    roots, result = _roots(target)
    arguments = _named_inputs(roots, inputs)
    leaves: list[Value] = []
    labels: list[str] = []
    structures: dict[str, Structure] = {}
    for argument, tree in arguments.items():
        values, structures[argument] = _values(tree, argument)
        leaves.extend(values)
        labels.extend(
            value.label or path
            for value, path in zip(values, paths(structures[argument], argument), strict=True)
        )
    _require_distinct(leaves, labels)
    stages = Stages()
    with stages("lower"):
        lowered = lower(roots, leaves, labels, name)
    traced = Traced(lowered, structures, result, stages.seconds)
    _require_read(traced)
    return traced


def _roots(target: Any) -> tuple[list[Value], Structure]:
    """List the Values to return; numbers among them become constants."""
    expected = "compile: expected a function, a Value, or a structure of Values"
    try:
        leaves, result = flatten(target, is_leaf=lambda x: isinstance(x, Value))
    except TypeError:
        raise TypeError(f"{expected}, got {type(target).__name__} {target!r:.60}") from None
    for found in [*(static.value for static in result.statics), *leaves]:
        if not isinstance(found, Value | float):
            raise TypeError(f"{expected}, got {type(found).__name__} {found!r:.60} in it")
    if not any(isinstance(leaf, Value) for leaf in leaves):
        raise TypeError(f"{expected}, got {type(target).__name__} {target!r:.60}")
    return [Constant(leaf) if isinstance(leaf, float) else leaf for leaf in leaves], result


def _require_read(traced: Traced) -> None:
    """Require that each argument is read; elements of it, like a rare word's, need not be."""
    name, names, is_read = traced.lowered.name, traced.lowered.names, traced.is_read
    for places in traced.places.values():
        if places and not is_read[places].any():
            raise ValueError(f"inputs: {names[places[0]]!r} is not part of the graph of {name}")


def _named_inputs(roots: Sequence[Value], inputs: Inputs) -> dict[str, Any]:
    """Name the arguments: labels made identifiers, each distinct."""
    names = Names(frozenset(keyword.kwlist))
    if isinstance(inputs, Mapping):
        return {names.fresh(str(name), "x"): tree for name, tree in inputs.items()}
    if isinstance(inputs, Value) or inputs is None:
        inputs = [inputs] if isinstance(inputs, Value) else _labelled_leaves(roots)
    if not hasattr(inputs, "__iter__"):
        kind = type(inputs).__name__
        raise TypeError(f"inputs: expected Values, or names to Values, got {kind} {inputs!r:.60}")
    inputs = list(inputs)
    labels = [tree.label if isinstance(tree, Value) else "" for tree in inputs]
    return {names.fresh(label, "x"): tree for label, tree in zip(labels, inputs, strict=True)}


def _labelled_leaves(roots: Sequence[Value]) -> list[Value]:
    leaves = [v for v in topological(*roots) if v.op is None and not isinstance(v, Constant)]
    if not any(value.label for value in leaves):
        raise ValueError("compile: no leaf of the graph has a label; name the inputs with inputs=")
    return [value for value in leaves if value.label]


def _values(tree: Any, argument: str) -> tuple[list[Value], Structure]:
    try:
        values, structure = flatten(tree, is_leaf=lambda x: isinstance(x, Value))
    except TypeError as error:
        raise TypeError(f"inputs: {argument!r}: {error}") from None
    for value in [*(static.value for static in structure.statics), *values]:
        if not isinstance(value, Value):
            raise TypeError(
                f"inputs: {argument!r}: expected Values, got {type(value).__name__} {value!r:.60}"
            )
    return values, structure


def _require_distinct(values: Sequence[Value], labels: Sequence[str]) -> None:
    seen: dict[int, str] = {}
    for value, label in zip(values, labels, strict=True):
        if id(value) in seen:
            raise ValueError(f"inputs: {label!r} is given twice")
        seen[id(value)] = label
