"""The arguments of a function: what its calls bind, and the program for each structure of them.

This is all that a kernel knows of the function that it belongs to.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gradcompile.compiler.conversion import converted, misfit
from gradcompile.compiler.options import Kind, Options
from gradcompile.compiler.parameters import parameters_of
from gradcompile.graph.nested import Structure, read
from gradcompile.graph.static import Static
from gradcompile.graph.trace import Traced, trace_function
from gradcompile.graph.users import TraceError
from gradcompile.graph.value import Value

if TYPE_CHECKING:
    from gradcompile.compiler.build import Build
    from gradcompile.compiler.request import Request


NUMERIC = (complex, np.ndarray, np.generic, list, tuple, dict)
"""Of what is none of these, and no number either, one may have meant that it is static."""

MAY_BE_STATIC = "; if it is no data, say so by static={!r}"

NOT_CALLED = (
    "{} has not been called yet, so the shapes of its arguments are not known, and it does not "
    "work on plain numbers ({}); call it once first"
)

Key = tuple[tuple[tuple[str, Structure], ...], tuple[tuple[str, Static], ...]]
"""The structures of the arguments that are data, and those that are static."""


class Call(NamedTuple):
    """A call as machine code sees it.

    Attributes:
        given: what each argument is made of, as the program expects it: numbers, float64 arrays.
        structures: of the arguments, or of a row where they are batched.
        statics: the arguments that are no data; a default that was left out is in none of these.
        traced: the program for these; None if there are Values among them, which build a graph.
    """

    given: dict[str, list[Any]]
    structures: dict[str, Structure]
    statics: dict[str, Static]
    traced: Traced | None


class Arguments:
    """The arguments of a function or of a finished graph.

    A function is traced anew for each structure that its arguments have, and for each value of
    those that are static. A default that is left out keeps its value, whatever it is. Threads may
    both trace it at the same time; the first program is the one that both go on with.

    Attributes:
        function: the user's; None for a graph.
        graph: the program of a finished graph, which has no other; None for a function.
        name: of the function, in messages.
        options: what `compile` was asked for.
        parameters: how the arguments are passed, and which are static.
        signature: the names of the arguments.
        wrt: the names of the arguments that are differentiated by, if they are data.
        traces: the program for each structure, and for what is static.
        newest: the program that was traced last; None before the first call.
        called: what messages call an argument.
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
        self.called: Callable[[str], str] = partial("{}: argument {!r}".format, name)
        self.options = options
        self.parameters = parameters_of(name, function, graph, options)
        self.signature = self.parameters.signature
        self.wrt = self.parameters.wrt
        self.traces: dict[Key, Traced] = {}

    def read(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Read the arguments of a call, and find the program for their structures."""
        bound = self.parameters.bind(args, kwargs)
        statics = self.parameters.statics(bound.arguments)
        self.parameters.require_data(bound.arguments, statics)
        given: dict[str, list[Any]] = {}
        structures: dict[str, Structure] = {}
        for name in self.order([name for name in bound.arguments if name not in statics]):
            given[name], structures[name] = self.take(name, bound.arguments[name])
        if any(isinstance(item, Value) for items in given.values() for item in items):
            return Call(given, structures, statics, None)
        self.require_equal(given)
        traced = self.traced(bound, structures, statics)
        if self.graph is not None:
            expected = self.graph.arguments
            given = {k: converted(x, structures[k], expected[k]) for k, x in given.items()}
        return Call(given, structures, statics, traced)

    def order(self, names: list[str]) -> list[str]:
        """The names of arguments in the order of the program's inputs."""
        return names

    def take(self, name: str, argument: Any) -> tuple[list[Any], Structure]:
        """List what an argument is made of, and its structure."""
        try:
            return read(argument, self.is_leaf)
        except TypeError as error:
            may_be_static = name in self.signature.parameters and not isinstance(argument, NUMERIC)
            advice = MAY_BE_STATIC.format(name) if may_be_static else ""
            raise TypeError(f"{self.called(name)}: {error}{advice}") from None
        except RecursionError:
            raise ValueError(f"{self.called(name)} is nested too deeply") from None

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
                f"{self.called(name)}: expected {part}{found.expected}, got {found.given}"
            )

    def require_equal(self, given: Mapping[str, list[Any]]) -> None:
        """Raise an error if batched arguments do not have equally many rows: here are none."""

    def traced(
        self,
        bound: inspect.BoundArguments,
        structures: dict[str, Structure],
        statics: dict[str, Static],
    ) -> Traced:
        """The program for arguments of these structures, traced if it is not known yet."""
        if self.graph is not None:
            for name, expected in self.graph.arguments.items():
                self.require(name, expected, structures[name])
            return self.graph
        key = tuple(structures.items()), tuple(statics.items())
        if key not in self.traces:
            self.newest = self.traces.setdefault(key, self.trace(bound, structures))
        return self.traces[key]

    def trace(self, bound: inspect.BoundArguments, structures: dict[str, Structure]) -> Traced:
        """The program of the function for arguments of these structures."""
        assert self.function is not None
        try:
            return trace_function(
                self.function, self.name, bound, structures,
                branches=self.options.branches, record_lines=self.options.check_domain,
            )  # fmt: skip
        except Exception as error:  # text that should have been a number shows in the user's code
            _note_statics(error, self.name, bound, structures)
            raise

    def latest(self) -> Traced:
        """The program to show when no arguments are given."""
        if self.newest is None:
            try:
                self.read(*self.numbers())
            except Exception as error:
                raise TraceError(NOT_CALLED.format(self.name, error)) from error
        assert self.newest is not None
        return self.newest

    def request(self, kind: Kind, traced: Traced) -> "Request":
        """What is to be built of one of the programs."""
        from gradcompile.compiler.request import Request  # loads when something is compiled

        data = tuple(name for name in self.signature.parameters if name in traced.arguments)
        wrt = tuple(name for name in self.wrt if name in traced.arguments)
        return Request(kind, traced, wrt, self.options, data)

    def build(self, request: "Request") -> "Build":
        """Start the build of a kernel."""
        # The passes load when something is compiled.
        from gradcompile.compiler.build import Build
        from gradcompile.compiler.strategies import choose

        return Build(request, choose)

    def numbers(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """A call with a number for each argument that has no default."""
        return self.parameters.numbers()


def _note_statics(
    error: Exception, name: str, bound: inspect.BoundArguments, structures: Mapping[str, Structure]
) -> None:
    """Add to an error in the user's code what it was traced with."""
    kept = {x: argument for x, argument in bound.arguments.items() if x not in structures}
    if kept:
        given = ", ".join(f"{x} = {argument!r:.60}" for x, argument in kept.items())
        error.add_note(f"{name} was traced with what is static: {given}")


def told_by(
    arguments: Arguments, named: Mapping[str, Any]
) -> tuple[Traced | None, Mapping[str, Any]]:
    """The latest program for the static ones among some arguments; and the others of them.

    A default that is not among them is left out.

    Raises:
        TypeError: none was traced for them.
    """
    statics = arguments.parameters.statics(named)
    data = {name: x for name, x in named.items() if name not in statics}
    defaults = arguments.parameters.defaults.difference(named)
    for (structures, of), traced in reversed(arguments.traces.items()):
        others = {*dict(structures), *dict(of)}.difference(arguments.wrt)
        if statics.items() <= dict(of).items() and defaults.isdisjoint(others):
            return traced, data
    if arguments.graph is not None or (arguments.newest is None and not statics):
        return arguments.newest, data
    left_out = [f"the default of {name}" for name in sorted(defaults)]
    given = [f"{name} = {x}" for name, x in statics.items()] or left_out
    raise TypeError(
        f"{arguments.name} has not been called with {', '.join(given)} yet; call it so once first"
    )
