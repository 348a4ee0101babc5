"""Kernels in a direction: they take tangents, cotangents, a vector or weights beside the arguments.

A direction has a number for each differentiated argument, or for each output. To the program it is
more inputs, and to the emitted function more parameters: `x_dot` for the tangent of `x`.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gradcompile.compiler.arguments import Arguments, Call
from gradcompile.compiler.conversion import converted
from gradcompile.compiler.flat_arguments import free_names
from gradcompile.compiler.kernel import Kernel
from gradcompile.compiler.options import Kind, weighted
from gradcompile.compiler.plain_arguments import ABSENT
from gradcompile.graph.nested import Structure, flatten, paths
from gradcompile.graph.trace import Traced
from gradcompile.graph.value import Value
from gradcompile.ir.program import ADJOINT, TANGENT
from gradcompile.support.arrays import FloatArray
from gradcompile.support.names import Names

if TYPE_CHECKING:
    from gradcompile.compiler.request import Request

WEIGHTS = "weights"
"""The argument that says of which sum of several outputs something is."""

NONE: Mapping[str, Any] = MappingProxyType({})
"""No arguments by name."""


class DirectedKernel(Kernel):
    """A kernel that takes a direction.

    It is called as `jvp(args, tangents)`: with the arguments of the function as a tuple (or a dict
    of them by name), and the direction in the structure of what it is one of.
    """

    __slots__ = ("_names", "_signature")

    def __init__(self, arguments: Arguments, kind: Kind, path: str = "") -> None:
        self._names = direction_names(arguments, kind)
        self._signature = _extended(arguments.signature, tuple(self._names.values()))
        super().__init__(arguments, kind, path)

    def __call__(
        self, args: Any = None, direction: Any = ABSENT, *others: Any, **named: Any
    ) -> Any:
        """Compute it at some arguments, in a direction.

        Args:
            args: the arguments of the function: a tuple of them, or a dict by name.
            direction: a number for each number of the arguments that are differentiated by (a
                tuple of their structures, or a dict by name), or of the value, in its structure.
            others: nothing; they are refused.
            named: nothing either: the arguments of the function are in `args`.

        Raises:
            TypeError: an argument is missing, or something is no number.
            ValueError: a part of the direction has another shape than what it belongs to.
        """
        if named:
            raise TypeError(
                f"{self._says}: expected the arguments as a tuple, or a dict by name, and the "
                f"{self._kind.direction}, got {sorted(named)} by name"
            )
        if direction is ABSENT or others:
            given = len(others) + 2 if others else int(args is not None)
            raise TypeError(
                f"{self._says}: expected the arguments as a tuple and then the "
                f"{self._kind.direction}, got {given} arguments"
            )
        if type(args) is tuple or type(args) is list:
            return _call_of(self)(*args, **self._named(direction, args))
        if isinstance(args, dict):
            return _call_of(self)(**args, **self._named(direction, (), args))
        raise TypeError(
            f"{self._says}: expected the arguments as a tuple, or a dict by name, "
            f"got {type(args).__name__} {args!r:.60}"
        )

    @property
    def _says(self) -> str:
        """What it is called in messages."""
        return f"{self._arguments.name}.{self._path}"

    def _named(
        self, direction: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] = NONE
    ) -> dict[str, Any]:
        """The parts of a direction, by the names of the parameters that take them.

        Args:
            direction: all of them.
            args: the arguments of the call; what is left out or static has no part.
            kwargs: those given by name.
        """
        names = self._names
        if self._kind.of_outputs:
            return dict.fromkeys(names.values(), direction)
        if isinstance(direction, dict):
            unknown = [name for name in direction if name not in names]
            if not unknown:
                return {names[name]: part for name, part in direction.items()}
            got = f"a dict with keys {list(direction)}"
        elif isinstance(direction, tuple | list):
            fields = getattr(direction, "_fields", None) or tuple(names)
            if len(fields) != len(direction):
                fields = _given(self._arguments, names, args, kwargs)
            if len(fields) == len(direction) and all(name in names for name in fields):
                return {names[name]: x for name, x in zip(fields, direction, strict=True)}
            got = f"a {type(direction).__name__} of length {len(direction)}"
        else:
            got = f"{type(direction).__name__} {direction!r:.60}"
        raise TypeError(
            f"{self._says}: {self._kind.direction}: expected a tuple "
            f"with a part for each of the arguments {list(names)}, got {got}"
        )

    def _take_calls(self, call: Callable[..., Any]) -> None:
        Kernel.__dict__["__call__"].__set__(self, call)

    @property
    def _takes_calls(self) -> Callable[..., Any]:
        return _call_of(self)

    @property
    def __signature__(self) -> inspect.Signature:
        """The signature of the original function, and the direction by name."""
        return self._signature

    def _with_first(self, first: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        match args:
            case [tuple() | list() as given, *rest]:
                return ((first, *given), *rest)
            case [dict() as given, *rest]:
                return ({next(iter(self._arguments.signature.parameters)): first, **given}, *rest)
        return args

    def _read(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        own, others = self._divided(kwargs)
        call = self._arguments.read(args, others)
        if call.traced is None or any(map(_holds_values, own.values())):
            return call._replace(traced=None)
        request = self._request(call.traced)
        given, structures = self._taken(request, call.given, own)
        return Call({**call.given, **given}, {**call.structures, **structures}, *call[2:])

    def _read_values(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> "tuple[Request, Mapping[str, list[Any]], Mapping[str, Structure]]":
        own, others = self._divided(kwargs)
        request, given, structures = super()._read_values(args, others)
        made, forms = self._taken(request, given, own)
        return request, {**given, **made}, {**structures, **forms}

    def _divided(self, kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The parts of the direction, and the other arguments that are given by name."""
        names = self._names.values()
        own = {name: x for name, x in kwargs.items() if name in names}
        return own, {name: x for name, x in kwargs.items() if name not in names}

    def _taken(
        self, request: "Request", beside: Mapping[str, list[Any]], named: Mapping[str, Any]
    ) -> tuple[dict[str, list[Any]], dict[str, Structure]]:
        """What the parts of a direction are made of, and their structures."""
        taker = copy(self._arguments)
        taker.options, taker.called = request.options, self._called
        given, structures = {}, {}
        for name in request.directions:
            expected = request.traced.arguments[name]
            if name not in named:
                raise TypeError(f"{self._called(name)}: expected {expected}, got nothing")
            part = named[name]
            if name in request.options.batched:
                part = _keyed(part, expected)
            made, structure = taker.take(name, part)
            taker.require(name, expected, structure)
            given[name] = converted(made, structure, expected)
            structures[name] = expected
        taker.require_equal({**beside, **given})
        return given, structures

    def _called(self, name: str) -> str:
        """What messages call a part of the direction."""
        of = next(of for of, parameter in self._names.items() if parameter == name)
        return f"{self._says}: {self._kind.direction}" + (f": part {of!r}" if of else "")

    def _asked(self, traced: Traced) -> "Request":
        return directed(super()._asked(traced), self._names)


def _given(
    arguments: Arguments, names: Iterable[str], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[str, ...]:
    """The arguments that are data in a call, of those that have a direction."""
    given = arguments.parameters.bind(tuple(args), kwargs).arguments
    statics = arguments.parameters.statics(given)
    return tuple(name for name in names if name in given and name not in statics)


class WeightedKernel(Kernel):
    """A kernel of one number; or, of several outputs, of their sum with `weights=`."""

    __slots__ = ()

    _directed: type[DirectedKernel] = DirectedKernel

    @property
    def weighted(self) -> DirectedKernel:
        """The kernel of the sum with weights: `weighted(args, weights)`."""
        kernel: DirectedKernel = self._relative("weighted", self._directed, weighted(self._kind))
        return kernel

    def _general(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if WEIGHTS not in kwargs or WEIGHTS in self._arguments.signature.parameters:
            return super()._general(args, kwargs)
        others = {name: x for name, x in kwargs.items() if name != WEIGHTS}
        kernel = self.weighted
        return _call_of(kernel)(*args, **others, **kernel._named(kwargs[WEIGHTS]))

    def flat(
        self, x: Any, p: Any = None, /, *args: Any, out: FloatArray | None = None, **others: Any
    ) -> Any:
        """Call the kernel on one flat vector; `p`, or `weights=`, for several outputs."""
        given = args if p is None else (p, *args)
        if WEIGHTS in others and WEIGHTS not in self._arguments.signature.parameters:
            given = (others.pop(WEIGHTS), *given)
        if given and len(given) > len(free_names(self._arguments, others)):
            return self.weighted.flat(x, *given, out=out, **others)
        return super().flat(x, *given, out=out, **others)


def _holds_values(part: Any) -> bool:
    """Is a part of a direction made of Values?"""
    try:
        leaves, _ = flatten(part, is_leaf=lambda x: isinstance(x, Value))
    except TypeError:  # it is no direction at all, which is said where it is taken
        return False
    return any(isinstance(leaf, Value) for leaf in leaves)


def _call_of(kernel: DirectedKernel) -> Callable[..., Any]:
    """What takes the arguments, and the parts of the direction by name."""
    call: Callable[..., Any] = Kernel.__dict__["__call__"].__get__(kernel)
    return call


def direction_names(arguments: Arguments, kind: Kind) -> dict[str, str]:
    """Name the parameters that take a direction, by what each belongs to: an argument, or "".

    Example:
        `{"w": "w_dot", "x": "x_dot"}` for tangents, `{"": "value_bar"}` for cotangents.
    """
    names = Names(frozenset(arguments.signature.parameters))
    if kind.direction == "weights":
        return {"": names.fresh("weights")}
    if kind.direction == "cotangents":
        return {"": names.fresh(f"value{ADJOINT}")}
    return {name: names.fresh(f"{name}{TANGENT}") for name in arguments.wrt}


@lru_cache(maxsize=1024)
def _extended(signature: inspect.Signature, names: tuple[str, ...]) -> inspect.Signature:
    """The signature with more parameters, which are given by name."""
    more = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
    before = list(signature.parameters.values())
    after = [before.pop()] if before and before[-1].kind is before[-1].VAR_KEYWORD else []
    return signature.replace(parameters=[*before, *more, *after])


def directed(request: "Request", names: Mapping[str, str]) -> "Request":
    """What is to be built where a direction is given: the program has more inputs.

    Args:
        request: without the direction.
        names: of the parameters that take its parts, from `direction_names`.
    """
    traced, options = request.traced, request.options
    if request.kind.of_outputs:
        by_row = bool(options.batched) and options.reduce is None
        parts = {names[""]: (_by_keys(traced.result) if by_row else traced.result, by_row)}
    else:
        parts = {
            names[name]: (traced.arguments[name], name in options.batched) for name in request.wrt
        }
    given = {name: part for name, (part, is_row) in parts.items() if not is_row}
    rows = {name: part for name, (part, is_row) in parts.items() if is_row}
    own = traced.arguments
    arguments = {
        **{name: part for name, part in own.items() if name not in options.batched},
        **given,
        **{name: part for name, part in own.items() if name in options.batched},
        **rows,
    }
    lowered = traced.lowered.with_more_inputs(_labels(given), _labels(rows))
    return replace(
        request,
        traced=replace(traced, lowered=lowered, arguments=arguments),
        options=replace(options, batched=(*options.batched, *rows)),
        parameters=(*request.parameters, *parts),
        directions=tuple(parts),
    )


def _labels(arguments: Mapping[str, Structure]) -> list[str]:
    return [path for name, structure in arguments.items() for path in paths(structure, name)]


def _by_keys(structure: Structure) -> Structure:
    """The structure with dicts for lists and tuples, as rows of data have them."""
    parts = tuple(map(_by_keys, structure.parts))
    if structure.kind in (list, tuple):
        return Structure(dict, tuple(range(len(parts))), parts)
    return replace(structure, parts=parts)


def _keyed(part: Any, expected: Structure) -> Any:
    """What is given for a structure that `_by_keys` made, with dicts for its lists and tuples."""
    if expected.kind is not dict:
        return part
    if isinstance(part, list | tuple) and len(part) == len(expected.keys):
        part = dict(enumerate(part))
    if not isinstance(part, dict) or tuple(part) != expected.keys:
        return part
    return {k: _keyed(part[k], x) for k, x in zip(expected.keys, expected.parts, strict=True)}
