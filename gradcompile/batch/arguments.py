"""The arguments of a batched function: traced for one row of data, compiled for any number of rows.

The program is that of one row. Rolling gives it one more dimension, the rows, and the emitted code
goes through them block by block. What is not batched, the parameters, is the same for all rows.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcompile.batch.rows import as_row, rows_of
from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.options import Kind, Options
from gradcompile.graph.nested import Structure
from gradcompile.graph.trace import Traced
from gradcompile.graph.value import Value

if TYPE_CHECKING:
    from gradcompile.compiler.build import Build
    from gradcompile.compiler.request import Request


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
        if options.wrt is None and any(name not in batched for name in self.wrt):
            self.wrt = tuple(name for name in self.wrt if name not in batched)

    def take(self, name: str, argument: Any) -> tuple[list[Any], Structure]:
        """List what an argument is made of, and its structure: that of a row, if it is batched."""
        if name not in self.options.batched:
            return super().take(name, argument)
        try:
            rows = rows_of(argument)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.called(name)}: {error}") from None
        return list(rows.arrays), rows.structure

    def is_leaf(self, node: Any) -> bool:
        """Raise an error for a Value: a batched function cannot be a part of a graph."""
        if isinstance(node, Value):
            raise TypeError(
                "expected numbers, got Values; a batched function cannot be a part of a graph"
            )
        return False

    def require(self, name: str, expected: Structure, given: Structure) -> None:
        """Raise an error if an argument, or a row of it, has another structure than expected."""
        if name not in self.options.batched:
            super().require(name, expected, given)
        elif given != expected:
            raise ValueError(
                f"{self.called(name)}: expected rows of which each is {expected}, got {given}"
            )

    def request(self, kind: Kind, traced: Traced) -> "Request":
        """What is to be built: by the rows where a call leaves out all that is not batched."""
        request = super().request(kind, traced)
        if request.wrt or self.options.wrt is not None:
            return request
        return replace(request, wrt=request.parameters)

    def build(self, request: "Request") -> "Build":
        """Start the build of a kernel for any number of rows."""
        # The passes load when something is compiled.
        from gradcompile.batch import threads
        from gradcompile.batch.strategy import loops_over_rows
        from gradcompile.compiler.build import Build

        spread, few = partial(threads.over_threads, request), 2 * threads.MIN_ROWS_OF_A_THREAD
        return Build(request, loops_over_rows, spread, few)

    def trace(self, bound: inspect.BoundArguments, structures: dict[str, Structure]) -> Traced:
        """The program of the function of one row."""
        try:
            traced = super().trace(bound, structures)
        except Exception as error:  # a wrong shape of the rows shows in the user's function
            given = ", ".join(f"{name!r} is {row}" for name, row in structures.items())
            error.add_note(f"{self.name} was traced for one row, in which {given}")
            raise
        return _with_rows(traced, self.options.batched)

    def numbers(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """A call with a number for each argument, and one row of one number where it is batched."""
        args, kwargs = super().numbers()
        one: dict[str, Any] = {name: np.ones(1) for name in self.options.batched}
        mixed = [one.get(name, x) for name, x in zip(self.signature.parameters, args, strict=False)]
        return tuple(mixed), {name: one.get(name, x) for name, x in kwargs.items()}

    def order(self, names: list[str]) -> list[str]:
        """The names of arguments in the order of the program's inputs: the batched ones last."""
        return sorted(names, key=lambda name: name in self.options.batched)

    def require_equal(self, given: Mapping[str, list[Any]]) -> None:
        """Raise an error if the batched arguments do not have equally many rows, or none."""
        shapes = [(name, x.shape) for name in self.options.batched for x in given.get(name, ())]
        first, shape = shapes[0]
        for name, other in shapes:
            if other[0] != shape[0]:
                raise ValueError(
                    f"{self.name}: batched arguments need equally many rows: {first!r} has "
                    f"{shape[0]} (shape {shape}), {name!r} has {other[0]} (shape {other})"
                )
        if not shape[0] and self.options.reduce == "mean":
            raise ValueError(f"{self.name}: the mean of no rows: {first!r} has shape {shape}")


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
