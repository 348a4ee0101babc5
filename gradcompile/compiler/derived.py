"""What a kernel is, before it is called: what is asked for, and a build for each structure."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.inspection import Inspection
from gradcompile.compiler.options import Kind
from gradcompile.compiler.pickles import Portable
from gradcompile.graph.trace import Traced

if TYPE_CHECKING:
    from gradcompile.compiler.build import Build
    from gradcompile.compiler.request import Request


class Derived(Inspection, Portable):
    """A function derived from one traced function: built on first use and open to inspection.

    It knows the kernels that belong to it, as the sparse Hessian does to the dense one.
    """

    __slots__ = ("__weakref__", "_arguments", "_builds", "_kind", "_path", "_related", "_requests")

    def __init__(self, arguments: Arguments, kind: Kind, path: str = "") -> None:
        self._arguments = arguments
        self._kind = kind
        self._path = path or kind.name
        self._builds: dict[Traced, Build] = {}
        self._requests: dict[Traced, Request] = {}
        self._related: dict[str, Any] = {}

    @property
    def __signature__(self) -> inspect.Signature:
        """The signature of the original function."""
        return self._arguments.signature

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

    def _build(self, traced: Traced | None = None) -> "Build":
        traced = traced or self._arguments.latest()
        if traced not in self._builds:
            self._builds.setdefault(traced, self._new_build(traced))
        return self._builds[traced]

    def _new_build(self, traced: Traced) -> "Build":
        return self._arguments.build(self._request(traced))

    def _wrap(self, request: "Request") -> Callable[[Any], Any] | None:
        """What is made of the last part that is returned; None if it is given as it is."""
        return None

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
