"""The parameters of a function: how they are passed, and what `compile` was told of each."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gradcompile.compiler.options import Options, Wrt
from gradcompile.graph.static import Static, is_static
from gradcompile.graph.trace import Traced

SEVERAL = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Parameters:
    """The parameters of a function or a graph.

    Attributes:
        name: of the function, in messages.
        signature: their names, and how they are passed.
        static: the names of those that are static, whatever they are.
        data: the names of those that are data, whatever they are: a default is as well.
        wrt: the names of those that are differentiated by, if they are data.
        takes_statics: may an argument be static by itself? None of a graph may.
    """

    name: str
    signature: inspect.Signature
    static: tuple[str, ...]
    data: tuple[str, ...]
    wrt: tuple[str, ...]
    takes_statics: bool

    @cached_property
    def defaults(self) -> frozenset[str]:
        """The names of those that have a default."""
        parameters = self.signature.parameters.values()
        return frozenset(p.name for p in parameters if p.default is not p.empty)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """The arguments of a call by name; of defaults only those that are data.

        Raises:
            TypeError: one is missing, or too many.
        """
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            given = f"{len(args)} positional" + (f" and {sorted(kwargs)}" if kwargs else "")
            raise TypeError(f"{self.name}{self.signature}: {error} (given: {given})") from None
        kept = {
            name
            for name, parameter in self.signature.parameters.items()
            if name not in bound.arguments
            and name not in self.data
            and parameter.kind not in SEVERAL
        }
        bound.apply_defaults()
        bound.arguments = {k: x for k, x in bound.arguments.items() if k not in kept}
        return bound

    def statics(self, named: Mapping[str, Any]) -> dict[str, Static]:
        """Find those of some arguments that are static: by their names, or by themselves.

        Raises:
            TypeError: one is not hashable.
        """
        statics = {}
        for name, argument in named.items():
            is_data = name in self.data or not (self.takes_statics and is_static(argument))
            if name not in self.static and is_data:
                continue
            try:
                statics[name] = Static(argument)
            except TypeError as error:
                raise TypeError(f"{self.name}: argument {name!r}: {error}") from None
        return statics

    def require_data(self, named: Mapping[str, Any], statics: Mapping[str, Static]) -> None:
        """Raise a TypeError if no argument that was given is data, though there might be one."""
        if len(statics) < len(named) or not self.signature.parameters:
            return
        if not statics:
            raise TypeError(
                f"{self.name}: no argument was given, and a default that is left out is no input; "
                "give one in the call, or name it by wrt="
            )
        name, static = next(iter(statics.items()))
        raise TypeError(
            f"{self.name}: argument {name!r}: expected numbers, as no other argument holds "
            f"any, got {type(static.value).__name__} {static}"
        )

    def numbers(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """A call with a number for each argument that has no default."""
        args: list[float] = []
        kwargs: dict[str, float] = {}
        takes_more = True  # in the place of a default that is left out there cannot be a number
        for parameter in self.signature.parameters.values():
            is_positional = parameter.kind is not parameter.KEYWORD_ONLY
            if parameter.default is not parameter.empty or parameter.kind is parameter.VAR_KEYWORD:
                takes_more = takes_more and not is_positional
            elif not is_positional:
                kwargs[parameter.name] = 1.0
            elif takes_more:
                args.append(1.0)
        return tuple(args), kwargs or ({} if args else self._numeric_defaults())

    def _numeric_defaults(self) -> dict[str, float]:
        """A number for each default that is one: of these a function may have nothing else."""
        parameters = self.signature.parameters.values()
        by_name = [p for p in parameters if p.kind is not p.POSITIONAL_ONLY]
        return {p.name: 1.0 for p in by_name if type(p.default) in (int, float)}


def parameters_of(
    name: str, function: Callable[..., Any] | None, graph: Traced | None, options: Options
) -> Parameters:
    """The parameters of a function, or of a graph.

    Args:
        name: of the function, in messages.
        function: the user's; None for a graph.
        graph: a finished one; None for a function.
        options: what `compile` was asked for.

    Raises:
        TypeError: Python cannot tell the parameters, or `wrt` is no names.
        ValueError: an option names no argument, or one that cannot be what it says.
    """
    signature = _signature(function, graph)
    names = list(signature.parameters)
    static = _static(options, names, graph)
    named = () if options.wrt is None else _wrt(options.wrt, names, static)
    wrt = tuple(x for x in names if x not in static) if options.wrt is None else named
    return Parameters(name, signature, static, (*named, *options.batched), wrt, graph is None)


def _signature(function: Callable[..., Any] | None, graph: Traced | None) -> inspect.Signature:
    if graph is not None:
        return _by_names(list(graph.arguments), inspect.Parameter.POSITIONAL_OR_KEYWORD)
    assert function is not None
    if isinstance(function, np.ufunc):
        names = ["x"] if function.nin == 1 else [f"x{k + 1}" for k in range(function.nin)]
        return _by_names(names, inspect.Parameter.POSITIONAL_ONLY)
    try:
        return inspect.signature(function)
    except ValueError:
        name = getattr(function, "__name__", repr(function))
        raise TypeError(
            f"compile: Python does not tell the arguments of {name}; "
            f"compile a function that calls it, such as lambda x: {name}(x)"
        ) from None


def _by_names(names: Sequence[str], kind: Any) -> inspect.Signature:
    return inspect.Signature([inspect.Parameter(name, kind) for name in names])


def _wrt(wrt: Wrt, names: list[str], static: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(wrt, str | Sequence):
        raise TypeError(
            f"wrt: expected the names of arguments, got {type(wrt).__name__} {wrt!r:.60}"
        )
    chosen = [wrt] if isinstance(wrt, str) else list(wrt)
    for name in chosen:
        if name not in names:
            raise ValueError(f"wrt: {name!r} is not an argument; the arguments are {names}")
        if name in static:
            raise ValueError(f"wrt: {name!r} is static, so nothing is differentiated by it")
    return tuple(name for name in names if name in chosen)


def _static(options: Options, names: list[str], graph: Traced | None) -> tuple[str, ...]:
    for name in options.static:
        if graph is not None:
            raise ValueError(f"static: a graph takes numbers alone, and {name!r} cannot be static")
        if name not in names:
            raise ValueError(f"static: {name!r} is not an argument; the arguments are {names}")
        if name in options.batched:
            raise ValueError(f"static: {name!r} is batched, so it holds numbers")
    return options.static
