"""Batched functions: traced for one row of data, compiled for any number of rows.

The program is that of one row. Rolling gives it one more dimension, the rows, and the emitted code
goes through them block by block. What is not batched, the parameters, is the same for all rows.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gradcompile.batch.build import BatchBuild
from gradcompile.batch.rows import BatchedRows, Matrices, as_row, rows_of
from gradcompile.compiler.build import Build
from gradcompile.compiler.function import CompiledFunction
from gradcompile.compiler.kernel import Kernel
from gradcompile.compiler.options import Mode, Options
from gradcompile.graph.nested import Structure
from gradcompile.graph.trace import Traced, trace_function
from gradcompile.graph.value import Value


class BatchedFunction(CompiledFunction):
    """A function of one row, compiled for any number of rows; see `compile(batched=...)`.

    Example:
        >>> import gradcompile as gdc
        >>> import numpy as np
        >>> @gdc.compile(batched=("x", "y"), reduce="mean")
        ... def loss(w, x, y):
        ...     return (gdc.dot(w, x) - y) ** 2
        >>> X, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 2.0])
        >>> value, grads = loss.value_and_grad([1.0, 1.0], X, y)
        >>> value, grads.w
        (14.5, [17.0, 24.0])
    """

    def __init__(
        self,
        function: Callable[..., Any] | None,
        graph: Traced | None,
        name: str,
        options: Options,
    ) -> None:
        super().__init__(function, graph, name, options)
        parameters = self._signature.parameters
        for batched in options.batched:
            if batched not in parameters:
                raise ValueError(
                    f"batched: {batched!r} is not an argument; the arguments are {list(parameters)}"
                )
            if parameters[batched].kind is inspect.Parameter.VAR_POSITIONAL:
                raise ValueError(
                    f"batched: {batched!r} stands for any number of arguments; name each of them"
                )
        # In the order of the arguments, in which their matrices are passed.
        options = replace(options, batched=tuple(x for x in parameters if x in options.batched))
        self.options = options
        self._newest = self._graph = graph and _batched_graph(graph, options)
        if options.wrt is None and len(parameters) > len(options.batched):
            self.wrt = tuple(name for name in parameters if name not in options.batched)

    def _kernel(self, mode: Mode) -> Kernel:
        return BatchKernel(self, mode)

    def read(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[list[float], Matrices, Traced]:
        """The flat arguments that are not batched, the rows, and the program for both."""
        bound = self._bind(args, kwargs)
        leaves: list[float] = []
        structures: dict[str, Structure] = {}
        found: dict[str, BatchedRows] = {}
        for name in self._ordered(bound.arguments):
            argument = bound.arguments[name]
            if name not in self.options.batched:
                numbers, structures[name] = self._flatten(name, argument)
                leaves.extend(numbers)
            else:
                found[name] = self._rows(name, argument)
                structures[name] = found[name].structure
        self._require_equal(found)
        matrices = tuple(matrix for rows in found.values() for matrix in rows.matrices)
        return leaves, matrices, self._traced(bound, structures)

    def _is_leaf(self, node: Any) -> bool:
        if isinstance(node, Value):
            raise TypeError(
                "expected numbers, got Values; a batched function cannot be a part of a graph"
            )
        return False

    def _ordered(self, names: Mapping[str, Any]) -> list[str]:
        batched = self.options.batched
        return sorted(names, key=lambda name: name in batched)

    def _rows(self, name: str, argument: Any) -> BatchedRows:
        try:
            return rows_of(argument)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.name}: argument {name!r}: {error}") from None

    def _require_equal(self, found: Mapping[str, BatchedRows]) -> None:
        shapes = [(name, shape) for name, rows in found.items() for shape in rows.shapes]
        first, shape = shapes[0]
        for name, other in shapes:
            if other[0] != shape[0]:
                raise ValueError(
                    f"{self.name}: batched arguments need equally many rows: {first!r} has "
                    f"{shape[0]} (shape {shape}), {name!r} has {other[0]} (shape {other})"
                )
        if not shape[0] and self.options.reduce == "mean":
            raise ValueError(f"{self.name}: the mean of no rows: {first!r} has shape {shape}")

    def matrices(self, rows: Mapping[str, Any], traced: Traced) -> Matrices:
        """The matrices of all batched arguments, for a program that exists."""
        missing = [name for name in self.options.batched if name not in rows]
        if missing:
            raise TypeError(f"{self.name}: missing arguments: {missing}")
        found = {name: self._rows(name, rows[name]) for name in self._ordered(rows)}
        for name, given in found.items():
            self._require(name, traced.arguments[name], given.structure)
        self._require_equal(found)
        return tuple(matrix for given in found.values() for matrix in given.matrices)

    def _require(self, name: str, expected: Structure, given: Structure) -> None:
        if name not in self.options.batched:
            super()._require(name, expected, given)
        elif given != expected:
            raise ValueError(
                f"{self.name}: argument {name!r}: expected rows of which each is {expected}, "
                f"got {given}"
            )

    def _traced(self, bound: inspect.BoundArguments, structures: dict[str, Structure]) -> Traced:
        if self._graph is not None:
            for name, expected in self._graph.arguments.items():
                self._require(name, expected, structures[name])
            return self._graph
        key = tuple(structures.items())
        if key not in self._traces:
            assert self._function is not None
            try:
                traced = trace_function(self._function, self.name, bound, structures)
            except Exception as error:  # a wrong shape of the rows shows in the user's function
                given = ", ".join(f"{name!r} is {row}" for name, row in structures.items())
                error.add_note(f"{self.name} was traced for one row, in which {given}")
                raise
            self._newest = self._traces[key] = _with_rows(traced, self.options)
        return self._traces[key]

    def _trace(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[list[float], Traced | None]:
        leaves, _, traced = self.read(args, kwargs)
        return leaves, traced

    def _numbers(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = super()._numbers()
        one: dict[str, Any] = {name: np.ones(1) for name in self.options.batched}
        pairs = zip(self._signature.parameters, args, strict=False)
        mixed = [one.get(name, number) for name, number in pairs]
        return tuple(mixed), {name: one.get(name, x) for name, x in kwargs.items()}


def _with_rows(traced: Traced, options: Options) -> Traced:
    rows = sum(traced.arguments[name].size for name in options.batched)
    if not rows:
        names = ", ".join(map(repr, options.batched))
        raise ValueError(f"{traced.lowered.name}: no number is in a row of the arguments {names}")
    return replace(traced, lowered=replace(traced.lowered, rows=rows))


def _batched_graph(graph: Traced, options: Options) -> Traced:
    """The graph with its batched arguments last, each as the rows of an array."""
    names = sorted(graph.arguments, key=lambda name: name in options.batched)
    lowered = graph.lowered.with_inputs([k for name in names for k in graph.places[name]])
    arguments = {name: graph.arguments[name] for name in names}
    for name in options.batched:
        arguments[name] = as_row(name, arguments[name])
    return _with_rows(replace(graph, lowered=lowered, arguments=arguments), options)


class BatchKernel(Kernel):
    """A kernel of a batched function."""

    _owner: BatchedFunction

    def _general_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        leaves, matrices, traced = self._owner.read(args, kwargs)
        build = self._build(traced)
        result = build.unpack(build.run(np.array(leaves, np.float64), matrices))
        self._remember(build, args, kwargs)
        return result

    def _new_build(self, traced: Traced) -> "BatchBuild":
        return BatchBuild(self._mode, traced, self._owner.wrt, self._owner.options)

    def _general_flat(self, build: Build, x: Any, others: dict[str, Any]) -> Any:
        owner = self._owner
        if any(name in owner.options.batched for name in owner.wrt):
            raise ValueError(f"flat: {owner.name} is differentiated by its rows, {list(owner.wrt)}")
        vector = self._vector(build, x)
        rows = {name: others.pop(name) for name in owner.options.batched if name in others}
        matrices = owner.matrices(rows, build.traced)
        if len(build.slots) != build.traced.lowered.given:
            vector = self._with_others(build, vector, others)
        elif others:
            raise TypeError(f"flat: unexpected arguments {list(others)}")
        return build.run(vector, matrices)
