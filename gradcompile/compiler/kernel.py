"""Kernels: the functions derived from one traced function, each built on first use.

A kernel owns one `Build` for each structure of arguments it was called with, and a plan how to call
it. The call of a kernel is a function written for the arguments that it got last; if it is given
others, those before are tried, and then the general way, which converts or explains.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from gradcompile.compiler.arguments import Arguments, Call
from gradcompile.compiler.flat_arguments import placed, told
from gradcompile.compiler.inspection import Inspection
from gradcompile.compiler.options import VALUE, Kind
from gradcompile.compiler.pickles import Portable
from gradcompile.graph.nested import Structure
from gradcompile.graph.trace import Traced
from gradcompile.support.arrays import FloatArray

if TYPE_CHECKING:
    from gradcompile.compiler.build import Build
    from gradcompile.compiler.machine_code import Machines
    from gradcompile.compiler.plans import Plan
    from gradcompile.compiler.request import Request

MAX_WRITTEN = 8
"""So many structures of arguments have a call of their own at a time."""

FlatCalls = tuple[Callable[[Any, Any, Mapping[str, Any]], Any], Callable[..., Any]]
"""A call on a vector written for what it will get, and the general one."""

Structures = tuple[tuple[str, Structure], ...]


class Kernel(Inspection, Portable):
    """One derived function, compiled on first use and open to inspection.

    Calling it takes the arguments of the original function. What it shows (`source`, `program`,
    ...) belongs to the latest new structure of arguments that it was called with; before the first
    call it assumes that every argument is a number.
    """

    # A slot, so that each kernel has a call of its own, with nothing between it and the caller.
    __slots__ = (
        "__call__",
        "__weakref__",
        "_arguments",
        "_builds",
        "_flats",
        "_kind",
        "_path",
        "_plans",
        "_related",
        "_requests",
        "_written",
    )  # fmt: skip

    __call__: Callable[..., Any]
    """What the kernel computes, for the arguments of the original function."""

    def __init__(self, arguments: Arguments, kind: Kind, path: str = "") -> None:
        self._arguments = arguments
        self._kind = kind
        self._path = path or kind.name
        self._builds: dict[Traced, Build] = {}
        self._requests: dict[Traced, Request] = {}
        self._related: dict[str, Kernel] = {}
        self._plans: dict[tuple[Traced, Structures], Plan] = {}
        self._flats: dict[Traced | None, FlatCalls] = {}
        self._written = 0
        self._take_calls(self._by_any)

    @property
    def __signature__(self) -> inspect.Signature:
        """The signature of the original function."""
        return self._arguments.signature

    def _by_any(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._general(args, kwargs)

    def _general(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call the kernel with any arguments, converted if need be."""
        call = self._read(args, kwargs)
        if call.traced is None:
            return self._call_on_values(args, kwargs)
        if self._arguments.options.check_domain:
            return self._checked(call)
        return self._plan(call)(call.given)

    def _read(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Read the arguments of a call, and find the program for them."""
        return self._arguments.read(args, kwargs)

    def _request(self, traced: Traced) -> "Request":
        """What is to be built of one of the programs."""
        if traced not in self._requests:
            request = self._asked(traced)
            if self._kind.is_matrix:
                from gradcompile.compiler.derivatives import located

                request = located(request)
            self._requests.setdefault(traced, request)
        return self._requests[traced]

    def _asked(self, traced: Traced) -> "Request":
        """What is asked for, before it is known where there are nonzeros."""
        return self._arguments.request(self._kind, traced)

    def _checked(self, call: Call) -> Any:
        """Call the kernel by the interpreter, up to the first nan or inf."""
        from gradcompile.compiler.programs import interpreted

        assert call.traced is not None
        build = self._build(call.traced)
        plan = self._made_plan(build, call)
        signature = build.request.signature
        return plan.unpack(interpreted(build.program, signature, plan.arguments(call.given)))

    def _plan(self, call: Call) -> "Plan":
        """How to call the kernel with arguments of these structures; from now on without detour."""
        assert call.traced is not None
        key = (call.traced, tuple(call.structures.items()))
        if key not in self._plans:
            build = self._build(call.traced)
            plan = self._plans.setdefault(key, self._made_plan(build, call))
            self._write(plan, build.machines)
        return self._plans[key]

    def _made_plan(self, build: "Build", call: Call) -> "Plan":
        from gradcompile.compiler.plans import plan

        name = f"{self._arguments.name}.{self._path}"
        run = build.run if not self._arguments.options.check_domain else _not_run
        return plan(build.request, self.__signature__, call, name, run, self._wrap(build.request))

    def _wrap(self, request: "Request") -> Callable[[Any], Any] | None:
        """What is made of the last part that is returned; None if it is given as it is."""
        return None

    def _write(self, plan: "Plan", machines: "Machines") -> None:
        """Let a function written for these arguments take the next call."""
        before = self._takes_calls if 0 < self._written < MAX_WRITTEN else None
        written = plan.written(machines, before, self._by_any)
        if written is not None:
            self._written = self._written % MAX_WRITTEN + 1
            self._take_calls(written)

    def _take_calls(self, call: Callable[..., Any]) -> None:
        """Let a function take the next call."""
        self.__call__ = call

    @property
    def _takes_calls(self) -> Callable[..., Any]:
        """What takes the next call."""
        return self.__call__

    def _call_on_values(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Give what builds a graph: so compiled functions and their derivatives compose."""
        from gradcompile.compiler.composition import compose

        if self._kind == VALUE and self._arguments.function is not None:
            return self._arguments.function(*args, **kwargs)
        return compose(*self._read_values(args, kwargs))

    def _read_values(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> "tuple[Request, Mapping[str, list[Any]], Mapping[str, Structure]]":
        """Read a call with Values: what is built, what each argument is made of, and how."""
        call = self._arguments.read(args, kwargs)
        bound = self._arguments.parameters.bind(args, kwargs)
        traced = self._arguments.traced(bound, call.structures, call.statics)
        return self._request(traced), call.given, call.structures

    def _build(self, traced: Traced | None = None) -> "Build":
        traced = traced or self._arguments.latest()
        if traced not in self._builds:
            self._builds.setdefault(traced, self._new_build(traced))
        return self._builds[traced]

    def _new_build(self, traced: Traced) -> "Build":
        return self._arguments.build(self._request(traced))

    def flat(
        self, x: Any, p: Any = None, /, *args: Any, out: FloatArray | None = None, **others: Any
    ) -> Any:
        """Call the kernel on one flat vector, as `scipy.optimize` wants it.

        The vector, and the rows of a batched function, are read as the arguments of calls before,
        the latest new structure of them. So a function of several differentiated arguments has to
        be called once before; a graph, or a function of one vector, need not.

        Args:
            x: the differentiated inputs, in order, as one vector.
            p: the direction as one vector, where the kernel takes one: tangents or the vector of
                `hvp`, as long as `x`; cotangents or weights, as many as there are outputs.
            args: the arguments that are not differentiated by, in order, as solvers give them;
                where the kernel takes no direction they begin with `p`.
            out: an array that the derivative, or a value of several numbers, is put into.
            others: the same by name; static ones tell which of the calls before is meant.

        Returns:
            A float, a float64 vector, a matrix of shape (outputs, inputs) for a Jacobian, or
            several of these, by kernel. Where there is a result for each row, the axis of the rows
            comes first.

        Raises:
            ValueError: a vector has another length, or the kernel differentiates by rows.
            TypeError: an argument is missing, something in a vector is no real number, or there
                is an `out` for a value that is one number.
        """
        if args or (p is not None and not self._kind.direction):
            given = args if self._kind.direction else (p, *args)
            p = p if self._kind.direction else None
            others = placed(self._arguments, given, others)
        named: Mapping[str, Any] = others
        traced = self._arguments.newest
        if traced is None or (others and not others.keys() <= traced.arguments.keys()):
            traced, named = told(self._arguments, x, others)
        known = self._flats.get(traced)
        if known is None:
            return self._first_flat(traced, x, p, out, named)
        written, general = known
        return written(x, p, named) if out is None else general(x, p, out, named)

    def _first_flat(
        self, traced: Traced | None, x: Any, p: Any, out: Any, named: Mapping[str, Any]
    ) -> Any:
        """Call a structure of arguments on a vector; later calls are written ones."""
        from gradcompile.compiler.flat_calls import flat_call, written_flat

        traced = traced or self._arguments.latest()
        build = self._build(traced)

        def run(*given: Any) -> Any:
            return build.run(*given)  # machine code is made when the arguments were looked at

        general = flat_call(build.request, self._arguments, run)
        result = general(x, p, out, named)
        written = written_flat(build.request, build.run, general)
        wrap = self._wrap(build.request)
        if wrap is None:
            self._flats.setdefault(traced, (written, general))
            return result
        self._flats.setdefault(
            traced,
            (lambda *given: wrap(written(*given)), lambda *given: wrap(general(*given))),
        )
        return wrap(result)

    def _origin(self) -> tuple[Arguments, Callable[[Arguments], Any], str]:
        make = partial(type(self), kind=self._kind, path=self._path)
        return self._arguments, make, self._path

    def _relative(self, name: str, make: Callable[..., Any], kind: Kind) -> Any:
        """A kernel that belongs to this one, made when it is first asked for."""
        if name not in self._related:
            self._related.setdefault(name, make(self._arguments, kind, f"{self._path}.{name}"))
        return self._related[name]

    def _with_first(self, first: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """What the kernel is called with where its first argument is an object it is bound to."""
        return (first, *args)

    def __repr__(self) -> str:
        return f"<kernel {self._arguments.name}.{self._path}>"


def _not_run(*arguments: Any) -> Any:
    raise AssertionError("a checked call is run by the interpreter")
