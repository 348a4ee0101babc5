"""Compiled functions as pickles: what is in one, and how it becomes a function again.

A pickle holds the compiled function by reference, if a module has it under its own name; or else
what was compiled, if that can be pickled; or else the programs for the calls that were made, and a
digest of them. It never holds machine code: that is found by its text, or compiled again. As any
pickle, it is to be loaded only from where code would be taken from.
"""

import copy
import importlib
import inspect
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from types import NoneType
from typing import Any

from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.options import Options
from gradcompile.graph.users import TraceError

KEPT_DEFAULTS = (bool, int, float, str, NoneType)
"""Defaults that a pickle of programs holds; they are shown, and nothing else."""


@dataclass(frozen=True)
class Reference:
    """Where a module has the compiled function.

    Attributes:
        module: its name.
        qualname: the names of attributes that lead from the module to the function.
        otherwise: what stands for it where the main module is another one.
    """

    module: str
    qualname: str
    otherwise: "Origin | Programs | None" = None

    def function(self) -> Any:
        """The compiled function; None if it is not there."""
        try:
            found: Any = importlib.import_module(self.module)
            for name in self.qualname.split("."):
                found = getattr(found, name)
        except (ImportError, AttributeError):
            return None
        return found if isinstance(getattr(found, "arguments", None), Arguments) else None

    def arguments(self) -> Arguments:
        """The arguments of what stands for the function.

        Raises:
            ImportError: there is no compiled function of that name.
        """
        if self.otherwise is not None:
            return self.otherwise.arguments()
        raise ImportError(
            f"the pickle refers to {self.qualname!r} of the module {self.module!r}, "
            "and there is no compiled function of that name"
        )


@dataclass(frozen=True)
class Origin:
    """What was compiled, and how.

    Attributes:
        kind: of arguments, batched or not.
        function: the user's, or the bytes that cloudpickle made of it.
        name: of the function.
        options: what `compile` was asked for.
    """

    kind: type[Arguments]
    function: Any
    name: str
    options: Options

    def arguments(self) -> Arguments:
        """The arguments of the function, which is traced when it is called."""
        is_packed = isinstance(self.function, bytes)
        function = pickle.loads(self.function) if is_packed else self.function
        return self.kind(function, None, self.name, self.options)


@dataclass(frozen=True)
class Programs:
    """The programs for the calls that were made.

    Attributes:
        kind: of arguments, batched or not.
        name: of the function.
        options: what `compile` was asked for.
        content: the signature, the graph if it is one, and the programs.
        digest: of the content.
    """

    kind: type[Arguments]
    name: str
    options: Options
    content: bytes
    digest: str

    def arguments(self) -> Arguments:
        """The arguments of a function that has programs, and is never traced.

        Raises:
            ValueError: the content is not what was pickled.
        """
        if _digest(self.content) != self.digest:
            raise ValueError(f"the pickle of {self.name} is damaged: its digest is another")
        signature, graph, traces = pickle.loads(self.content)
        function = None if graph is not None else Untraceable(self.name, signature)
        arguments = self.kind(function, graph, self.name, self.options)
        arguments.traces.update(traces)
        arguments.newest = next(reversed(arguments.traces.values()), graph)
        return arguments


@dataclass(frozen=True)
class Untraceable:
    """Stands for a function of which there are programs alone.

    Attributes:
        name: of the function.
    """

    name: str
    __signature__: inspect.Signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raise an error that says what to do."""
        raise TraceError(
            f"{self.name} comes from a pickle that holds its programs alone, and none for such "
            "arguments; call it with such before it is pickled, or define it in a module"
        )


Source = Reference | Origin | Programs


def source_of(arguments: Arguments) -> Source:
    """What a pickle holds of the function that these arguments belong to.

    Raises:
        PicklingError: it holds something that cannot be pickled.
    """
    function = arguments.function
    module, qualname = (getattr(function, x, "") for x in ("__module__", "__qualname__"))
    if isinstance(module, str) and isinstance(qualname, str) and "<" not in qualname:
        reference = Reference(module, qualname)
        found = reference.function() if module in sys.modules else None
        if found is not None and found.arguments is arguments:
            is_main = module == "__main__"
            return replace(reference, otherwise=_apart(arguments)) if is_main else reference
    return _apart(arguments)


def _apart(arguments: Arguments) -> Origin | Programs:
    """What a pickle holds where the function is in no module."""
    function, kind = arguments.function, type(arguments)
    if function is not None and not isinstance(function, Untraceable):
        # The main module of a worker may be another one.
        is_main = getattr(function, "__module__", None) == "__main__"
        for packed in (_by_value, _itself) if is_main else (_itself, _by_value):
            if (made := packed(function)) is not None:
                return Origin(kind, made, arguments.name, arguments.options)
    traces = {} if function is None else arguments.traces
    content = _signature(arguments), arguments.graph, traces
    try:
        text = pickle.dumps(content)
    except Exception as error:
        raise pickle.PicklingError(
            f"{arguments.name} is in no module, so its programs are pickled, and they hold what "
            f"cannot be: {error}"
        ) from error
    return Programs(kind, arguments.name, arguments.options, text, _digest(text))


def _itself(function: Callable[..., Any]) -> Any:
    """The function itself, if pickle takes it."""
    try:
        pickle.dumps(function)
    except Exception:  # whatever an object of the user's raises
        return None
    return function


def _by_value(function: Callable[..., Any]) -> bytes | None:
    """The function as cloudpickle writes it, where it is loaded, as joblib and dask do."""
    names = ("cloudpickle", "joblib.externals.cloudpickle")
    found = next((sys.modules[name] for name in names if name in sys.modules), None)
    if found is None:
        return None
    try:
        packed: bytes = found.dumps(function)
    except Exception:
        return None
    return packed


def _signature(arguments: Arguments) -> inspect.Signature:
    """The signature without what only the function itself needs."""
    data = arguments.parameters.data
    return inspect.Signature(
        [
            p.replace(
                annotation=p.empty,
                default=p.default
                if p.default is p.empty or p.name in data or isinstance(p.default, KEPT_DEFAULTS)
                else ...,
            )
            for p in arguments.signature.parameters.values()
        ]
    )


def _digest(content: bytes) -> str:
    import hashlib  # loads on first use

    return hashlib.sha256(content).hexdigest()


def restored(source: Source, make: Callable[[Arguments], Any], name: str) -> Any:
    """What a pickle holds: the compiled function of the module, a part of it, or a new one.

    Args:
        source: of the function.
        make: makes one of its arguments.
        name: of the part; "" for the whole function.
    """
    found = source.function() if isinstance(source, Reference) else None
    if found is None:
        return make(source.arguments())
    return attrgetter(name)(found) if name else found


class Portable:
    """What copies and pickles, as Python's functions do: a compiled function, or a kernel of it."""

    __slots__ = ()

    def _origin(self) -> tuple[Arguments, Callable[[Arguments], Any], str]:
        """The arguments, what makes such an object of others, and its name in the function."""
        raise NotImplementedError

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        arguments, make, _ = self._origin()
        function = copy.deepcopy(arguments.function, memo)
        if function is arguments.function:
            return self
        # It belongs to what is copied, as a method does.
        return make(type(arguments)(function, None, arguments.name, arguments.options))

    def __reduce__(self) -> tuple[Any, ...]:
        arguments, make, name = self._origin()
        return restored, (source_of(arguments), make, name)
