"""The arguments of a batched function: traced for one row of data, compiled for any number of rows.

The program is that of one row. Rolling gives it one more dimension, the rows, and the emitted code
goes through them block by block. What is not batched, the parameters, is the same for all rows.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gradcompile.batch.rows import BatchedRows, Matrices, as_row, rows_of
from gradcompile.compiler.arguments import Arguments, Call
from gradcompile.compiler.options import Options
from gradcompile.graph.nested import Structure
from gradcompile.graph.trace import Traced
from gradcompile.graph.value import Value


class BatchedArguments(Arguments):
    """The arguments of a function of one row, some of which hold rows of data.

    The names in `options.batched` are in the order of the arguments, in which their matrices are
    passed to machine code.
    """

    def __init__(
        self,
        function: Callable[..., Any] | None,
        graph: Traced | None,
        name: str,
        options: Options,
    ) -> None:
        super().__init__(function, graph, name, options)
        batched = _batched_names(options.batched, self.signature)
        self.options = replace(options, batched=batched)
        if graph is not None:
            self.newest = self.graph = _batched_graph(graph, batched)
        parameters = self.signature.parameters
        if options.wrt is None and len(parameters) > len(batched):
            self.wrt = tuple(name for name in parameters if name not in batched)

    def read(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Read the flat arguments and the rows of a call, and find the program for both."""
        bound = self.bind(args, kwargs)
        leaves: list[float] = []
        structures: dict[str, Structure] = {}
        rows: dict[str, BatchedRows] = {}
        for name in self._batched_last(bound.arguments):
            argument = bound.arguments[name]
            if name not in self.options.batched:
                read, structures[name] = self.flatten(name, argument)
                leaves.extend(read)
            else:
                rows[name] = self._rows(name, argument)
                structures[name] = rows[name].structure
        matrices = self._matrices(rows)
        return Call(leaves, self.traced(bound, structures), (matrices,))

    def is_leaf(self, node: Any) -> bool:
        """Raise an error for a Value: a batched function cannot be a part of a graph."""
        if isinstance(node, Value):
            raise TypeError(
                "expected numbers, got Values; a batched function cannot be a part of a graph"
            )
        return False

    def matrices(self, arguments: Mapping[str, Any], traced: Traced) -> Matrices:
        """Read the matrices of all batched arguments, for a program that exists."""
        missing = [name for name in self.options.batched if name not in arguments]
        if missing:
            raise TypeError(f"{self.name}: missing arguments: {missing}")
        rows = {name: self._rows(name, arguments[name]) for name in self._batched_last(arguments)}
        for name, given in rows.items():
            self.require(name, traced.arguments[name], given.structure)
        return self._matrices(rows)

    def require(self, name: str, expected: Structure, given: Structure) -> None:
        """Raise an error if an argument, or a row of it, has another structure than expected."""
        if name not in self.options.batched:
            super().require(name, expected, given)
        elif given != expected:
            raise ValueError(
                f"{self.name}: argument {name!r}: expected rows of which each is {expected}, "
                f"got {given}"
            )

    def trace(self, bound: inspect.BoundArguments, structures: dict[str, Structure]) -> Traced:
        """Trace the function of one row."""
        try:
            traced = super().trace(bound, structures)
        except Exception as error:  # a wrong shape of the rows shows in the user's function
            given = ", ".join(f"{name!r} is {row}" for name, row in structures.items())
            error.add_note(f"{self.name} was traced for one row, in which {given}")
            raise
        return _with_rows(traced, self.options.batched)

    def numbers(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Make a call with a number for each argument, one row of it where it is batched."""
        args, kwargs = super().numbers()
        one: dict[str, Any] = {name: np.ones(1) for name in self.options.batched}
        pairs = zip(self.signature.parameters, args, strict=False)
        mixed = [one.get(name, number) for name, number in pairs]
        return tuple(mixed), {name: one.get(name, x) for name, x in kwargs.items()}

    def _batched_last(self, names: Mapping[str, Any]) -> list[str]:
        batched = self.options.batched
        return sorted(names, key=lambda name: name in batched)

    def _rows(self, name: str, argument: Any) -> BatchedRows:
        try:
            return rows_of(argument)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.name}: argument {name!r}: {error}") from None

    def _matrices(self, rows: Mapping[str, BatchedRows]) -> Matrices:
        """The matrices of the batched arguments, which need equally many rows."""
        shapes = [(name, shape) for name, given in rows.items() for shape in given.shapes]
        first, shape = shapes[0]
        for name, other in shapes:
            if other[0] != shape[0]:
                raise ValueError(
                    f"{self.name}: batched arguments need equally many rows: {first!r} has "
                    f"{shape[0]} (shape {shape}), {name!r} has {other[0]} (shape {other})"
                )
        if not shape[0] and self.options.reduce == "mean":
            raise ValueError(f"{self.name}: the mean of no rows: {first!r} has shape {shape}")
        return tuple(matrix for given in rows.values() for matrix in given.matrices)


def _batched_names(batched: tuple[str, ...], signature: inspect.Signature) -> tuple[str, ...]:
    """The names of the batched arguments, in the order of the arguments."""
    parameters = signature.parameters
    for name in batched:
        if name not in parameters:
            raise ValueError(
                f"batched: {name!r} is not an argument; the arguments are {list(parameters)}"
            )
        if parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            raise ValueError(
                f"batched: {name!r} stands for any number of arguments; name each of them"
            )
    return tuple(name for name in parameters if name in batched)


def _with_rows(traced: Traced, batched: tuple[str, ...]) -> Traced:
    rows = sum(traced.arguments[name].size for name in batched)
    if not rows:
        names = ", ".join(map(repr, batched))
        raise ValueError(f"{traced.lowered.name}: no number is in a row of the arguments {names}")
    return replace(traced, lowered=replace(traced.lowered, rows=rows))


def _batched_graph(graph: Traced, batched: tuple[str, ...]) -> Traced:
    """The graph with its batched arguments last, each as the rows of an array."""
    names = sorted(graph.arguments, key=lambda name: name in batched)
    lowered = graph.lowered.with_inputs([k for name in names for k in graph.places[name]])
    arguments = {name: graph.arguments[name] for name in names}
    for name in batched:
        arguments[name] = as_row(name, arguments[name])
    return _with_rows(replace(graph, lowered=lowered, arguments=arguments), batched)
