"""The arguments of a function: what its calls bind, and the program for each structure of them.

This is all that a kernel knows of the function that it belongs to.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gradcompile.compiler.conversion import converted, misfit
from gradcompile.compiler.options import Options, Wrt
from gradcompile.graph.nested import Structure, read
from gradcompile.graph.trace import Traced, trace_function
from gradcompile.graph.users import TraceError
from gradcompile.graph.value import Value


class Call(NamedTuple):
    """A call as machine code sees it.

    Attributes:
        given: what each argument is made of, as the program expects it: numbers, float64 arrays.
        structures: of the arguments, or of a row where they are batched.
        traced: the program for these; None if there are Values among them, which build a graph.
    """

    given: dict[str, list[Any]]
    structures: dict[str, Structure]
    traced: Traced | None


class Arguments:
    """The arguments of a function or of a finished graph.

    A function is traced anew for each structure that its arguments have. Threads that ask for one
    at the same time may both trace it; the first program is the one that both go on with.

    Attributes:
        function: the user's; None for a graph.
        graph: the program of a finished graph, which has no other; None for a function.
        name: of the function, in messages.
        options: what `compile` was asked for.
        signature: the names of the arguments, and how they are passed.
        wrt: the names of the arguments that are differentiated by.
        traces: the program for each structure.
        newest: the program that was traced last; None before the first call.
    """

    def __init__(
        self,
        function: Callable[..., Any] | None,
        graph: Traced | None,
        name: str,
        options: Options,
    ) -> None:
        self.function = function
        self.graph = self.newest = graph
        self.name = name
        self.options = options
        self.signature = _signature(function, graph)
        self.wrt = _wrt_names(options.wrt, list(self.signature.parameters))
        self.traces: dict[tuple[tuple[str, Structure], ...], Traced] = {}

    def read(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Read the arguments of a call, and find the program for their structures."""
        bound = self.bind(args, kwargs)
        given: dict[str, list[Any]] = {}
        structures: dict[str, Structure] = {}
        for name, argument in bound.arguments.items():
            given[name], structures[name] = self.take(name, argument)
        if any(isinstance(item, Value) for items in given.values() for item in items):
            return Call(given, structures, None)
        return self.call(bound, given, structures)

    def call(
        self,
        bound: inspect.BoundArguments,
        given: dict[str, list[Any]],
        structures: dict[str, Structure],
    ) -> Call:
        """Find the program for the structures of arguments, which are converted for a graph."""
        traced = self.traced(bound, structures)
        if self.graph is not None:
            expected = self.graph.arguments
            given = {k: converted(x, structures[k], expected[k]) for k, x in given.items()}
        return Call(given, structures, traced)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """The arguments of a call by name, with the defaults of those that are not given."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            given = f"{len(args)} positional" + (f" and {sorted(kwargs)}" if kwargs else "")
            raise TypeError(f"{self.name}{self.signature}: {error} (given: {given})") from None
        bound.apply_defaults()
        return bound

    def take(self, name: str, argument: Any) -> tuple[list[Any], Structure]:
        """List what an argument is made of, and its structure."""
        try:
            return read(argument, self.is_leaf)
        except TypeError as error:
            raise TypeError(f"{self.name}: argument {name!r}: {error}") from None
        except RecursionError:
            raise ValueError(f"{self.name}: argument {name!r} is nested too deeply") from None

    def is_leaf(self, node: Any) -> bool:
        """Is it something in an argument that is taken for a number, though it is none?"""
        return isinstance(node, Value)

    def take_as(self, name: str, argument: Any, expected: Structure) -> list[Any]:
        """List what an argument is made of, converted to a known structure."""
        given, structure = self.take(name, argument)
        self.require(name, expected, structure)
        return converted(given, structure, expected)

    def require(self, name: str, expected: Structure, given: Structure) -> None:
        """Raise an error if an argument cannot be converted to the structure that is expected."""
        found = misfit(expected, given)
        if found is not None:
            part = f"{name}{found.place} to be " if found.place else ""
            raise ValueError(
                f"{self.name}: argument {name!r}: expected {part}{found.expected}, "
                f"got {found.given}"
            )

    def require_equal(self, given: Mapping[str, list[Any]]) -> None:
        """Raise an error if batched arguments do not have equally many rows: here are none."""

    def traced(self, bound: inspect.BoundArguments, structures: dict[str, Structure]) -> Traced:
        """The program for arguments of these structures, traced if it is not known yet."""
        if self.graph is not None:
            for name, expected in self.graph.arguments.items():
                self.require(name, expected, structures[name])
            return self.graph
        key = tuple(structures.items())
        if key not in self.traces:
            self.newest = self.traces.setdefault(key, self.trace(bound, structures))
        return self.traces[key]

    def trace(self, bound: inspect.BoundArguments, structures: dict[str, Structure]) -> Traced:
        """The program of the function for arguments of these structures."""
        assert self.function is not None
        check = self.options.check_domain
        return trace_function(self.function, self.name, bound, structures, check)

    def latest(self) -> Traced:
        """The program to show when no arguments are given."""
        if self.newest is None:
            try:
                self.read(*self.numbers())
            except Exception as error:
                raise TraceError(
                    f"{self.name} has not been called yet, so the shapes of its arguments are not "
                    f"known, and it does not work on plain numbers ({error}); call it once first"
                ) from error
        assert self.newest is not None
        return self.newest

    def numbers(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """A call with a number for each argument."""
        parameters = self.signature.parameters.values()
        keywords = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
        positional = (1.0,) * (len(parameters) - len(keywords))
        return positional, dict.fromkeys(keywords, 1.0)


def _signature(function: Callable[..., Any] | None, graph: Traced | None) -> inspect.Signature:
    if function is not None:
        return inspect.signature(function)
    assert graph is not None
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind) for name in graph.arguments])


def _wrt_names(wrt: Wrt, names: list[str]) -> tuple[str, ...]:
    if wrt is None:
        return tuple(names)
    if not isinstance(wrt, str | Sequence):
        raise TypeError(
            f"wrt: expected the names of arguments, got {type(wrt).__name__} {wrt!r:.60}"
        )
    chosen = [wrt] if isinstance(wrt, str) else list(wrt)
    for name in chosen:
        if name not in names:
            raise ValueError(f"wrt: {name!r} is not an argument; the arguments are {names}")
    return tuple(name for name in names if name in chosen)
