"""Kernels: the functions derived from one traced function, each built on first use.

A kernel owns one `Build` for each structure of arguments it was called with, and a plan how to call
it. The call of a kernel is a function written for the arguments that it got last; if it is given
others, those before are tried, and then the general way, which converts or explains.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gradcompile.compiler.arguments import Arguments, Call
from gradcompile.compiler.flat import Flat
from gradcompile.compiler.options import VALUE, Kind
from gradcompile.compiler.pickles import Untraceable
from gradcompile.graph.nested import Structure
from gradcompile.graph.trace import Traced
from gradcompile.ir.program import Program

if TYPE_CHECKING:
    from gradcompile.compiler.build import Build
    from gradcompile.compiler.machine_code import Machines
    from gradcompile.compiler.plans import Plan
    from gradcompile.compiler.request import Request

MAX_WRITTEN = 8
"""So many structures of arguments have a call of their own at a time."""

Structures = tuple[tuple[str, Structure], ...]


class Kernel(Flat):
    """One derived function, compiled on first use and open to inspection.

    Calling it takes the arguments of the original function. What it shows (`source`, `program`,
    ...) belongs to the latest new structure of arguments that it was called with; before the first
    call it assumes that every argument is a number.
    """

    # A slot, so that each kernel has a call of its own, with nothing between it and the caller.
    __slots__ = ("__call__", "_plans", "_written")

    __call__: Callable[..., Any]
    """What the kernel computes, for the arguments of the original function."""

    def __init__(self, arguments: Arguments, kind: Kind, path: str = "") -> None:
        super().__init__(arguments, kind, path)
        self._plans: dict[tuple[Traced, Structures], Plan] = {}
        self._written = 0
        self._take_calls(self._by_any)

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

    @property
    def arguments(self) -> Arguments:
        """The arguments of the function that it belongs to."""
        return self._arguments

    def derived(self, traced: Traced) -> tuple[Program, Structure]:
        """Give the program for one of the traces, and the structure of what it returns."""
        from gradcompile.compiler.composition import program_of, result_structure
        from gradcompile.passes import erase

        request = self._request(traced)
        return erase(program_of(request)), result_structure(request, traced.arguments)

    def _call_on_values(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Give what builds a graph: so compiled functions and their derivatives compose."""
        from gradcompile.compiler.composition import compose

        function = self._arguments.function
        if self._kind == VALUE and function is not None and not isinstance(function, Untraceable):
            return function(*args, **kwargs)
        return compose(*self._read_values(args, kwargs))

    def _read_values(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> "tuple[Request, Mapping[str, list[Any]], Mapping[str, Structure]]":
        """Read a call with Values: what is built, what each argument is made of, and how."""
        call = self._arguments.read(args, kwargs)
        bound = self._arguments.parameters.bind(args, kwargs)
        traced = self._arguments.traced(bound, call.structures, call.statics)
        return self._request(traced), call.given, call.structures


def _not_run(*arguments: Any) -> Any:
    raise AssertionError("a checked call is run by the interpreter")
