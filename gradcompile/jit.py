"""Emitted source → machine code, by numba; the only module that imports it.

numba compiles the emitted function itself. The functions of `ieee.py` that its text calls are
given their machine-code meaning here: the C library's function of the same name. Those of
`vector.py` are compiled from their text, once, and inlined wherever they are called.
"""

import functools
import hashlib
import hmac
import math
import pickle
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from llvmlite import binding as llvm
from llvmlite import ir
from numba import types
from numba.core.caching import _Cache
from numba.core.cgutils import get_or_insert_function
from numba.core.compiler import CompileResult
from numba.core.datamodel.models import PointerModel
from numba.core.registry import CPUDispatcher
from numba.core.serialize import dumps
from numba.core.typeconv.castgraph import Conversion
from numba.core.typing.templates import ConcreteTemplate, Signature, infer_global
from numba.extending import lower_builtin, lower_cast, overload, register_model

from gradcompile import batches, cache, ieee, vector
from gradcompile.wide import rare_call

Array = np.ndarray[Any, Any]

SIGNATURE = (numba.float64[::1],)
"""A kernel takes one contiguous float64 array."""

BATCH = types.Array(types.float64, 2, "A", readonly=True)
"""A matrix of rows may be a view of any kind, and is only read."""

_UNKNOWN = {"cbrt": types.ExternalFunction("cbrt", numba.float64(numba.float64))}
"""Functions of the C library that numba does not know by their name in `math`."""

_registered: list[bool] = []

_compiled: dict[FunctionType, Any] = {}
"""The dispatchers of the functions of `vector.py`."""


def register_numba() -> None:
    """Tell numba what the functions of `ieee.py` mean; numba calls this itself when it starts."""
    if _registered:
        return
    _registered.append(True)
    for name in ieee.MATH:
        _register(getattr(ieee, name), _calling(_UNKNOWN.get(name) or getattr(math, name)))
    for name in ieee.NUMPY:
        _register(getattr(ieee, name), _calling(getattr(np, name)))
    _register(ieee._copysign, _calling(math.copysign))
    _register(batches.columns, batches.columns)
    for name in (*ieee.WRITTEN, "_sinpi"):
        _register(getattr(ieee, name), getattr(ieee, name))
    for name, (signature, build) in INSTRUCTIONS.items():
        _register_instruction(getattr(vector, name), signature, build)
    for function in _written(vector):
        _compiled[function] = _inlined(function)  # numba's type alone would not keep it
        infer_global(function, types.Dispatcher(_compiled[function]))
    register_model(Entries)(PointerModel)
    lower_cast(types.Array, Entries)(_entries_of)


def _register(function: Callable[..., Any], meaning: Callable[..., Any]) -> None:
    overload(function, strict=False)(lambda *operands: meaning)


def _calling(function: Callable[..., Any]) -> Callable[..., Any]:
    # numba overloads by functions, not by built-ins; it reads how many operands there are.
    return lambda *operands: function(*operands)  # noqa: PLW0108


def _rarely(name: str) -> Callable[..., Any]:
    """What builds a call of a function of `vector.RARE`, as `wide.py` defines it."""

    def build(context: Any, builder: Any, x: Any, y: Any) -> Any:
        dispatcher = _compiled[getattr(vector, vector.RARE[name])]
        dispatcher.compile((numba.float64,))
        called = dispatcher.overloads[(numba.float64,)]
        context.active_code_library.add_linking_library(called.library)
        symbol = f"gradcompile_{name}"
        text = rare_call(symbol, called.fndesc.llvm_func_name, vector.FAR)
        context.active_code_library.add_llvm_module(llvm.parse_assembly(text))
        double = ir.DoubleType()
        signature = ir.FunctionType(double, [double, double])
        return builder.call(get_or_insert_function(builder.module, signature, symbol), [x, y])

    return build


INSTRUCTIONS: dict[str, tuple[Signature, Callable[..., Any]]] = {
    "bits": (
        numba.int64(numba.float64),
        lambda _, builder, x: builder.bitcast(x, ir.IntType(64)),
    ),
    "from_bits": (
        numba.float64(numba.int64),
        lambda _, builder, n: builder.bitcast(n, ir.DoubleType()),
    ),
    "where": (
        numba.float64(numba.boolean, numba.float64, numba.float64),
        lambda _, builder, c, a, b: builder.select(c, a, b),
    ),
    **{name: (numba.float64(numba.float64, numba.float64), _rarely(name)) for name in vector.RARE},
}
"""What machine code has for the functions `vector.INTRINSIC` and `vector.RARE`."""


def _register_instruction(
    function: Callable[..., Any], signature: Signature, build: Callable[..., Any]
) -> None:
    def lower(context: Any, builder: Any, _: Any, operands: Sequence[Any]) -> Any:
        return build(context, builder, *operands)

    infer_global(function)(type(function.__name__, (ConcreteTemplate,), {"cases": [signature]}))
    lower_builtin(function, *signature.args)(lower)


INLINED: dict[str, Any] = {"fastmath": False, "forceinline": True, "no_cpython_wrapper": True}
"""How functions of `vector.py` are compiled."""


def _written(module: ModuleType) -> list[FunctionType]:
    """The functions of `vector.py` that are compiled from their text."""
    return [
        function
        for name, function in vars(module).items()
        if isinstance(function, FunctionType)
        and function.__module__ == module.__name__
        and name not in (*INSTRUCTIONS, "_public")
    ]


def _inlined(function: FunctionType) -> Any:
    """The dispatcher of a function of `vector.py`, part of whatever calls it.

    Fast-math flags belong to instructions, so without them it keeps its roundings also where it is
    inlined into loops that have them. They are denied in words, for numba compiles a function that
    says nothing as it compiles the one that calls it.
    """
    text = getattr(function, "__wrapped__", function)
    dispatcher = numba.njit(text, **INLINED, **SETTINGS)
    dispatcher._cache = FunctionCache(function.__name__)
    return dispatcher


@functools.cache
def _meanings() -> str:
    """A digest of what emitted code imports: machine code has it compiled in."""
    texts = (Path(str(module.__file__)).read_bytes() for module in (ieee, vector, batches))
    return hashlib.sha256(b"".join(texts)).hexdigest()


def jit(
    function: Callable[..., Any],
    constants: Sequence[Array] = (),
    *,
    loops: bool = False,
    strict: bool = False,
    use_cache: bool = True,
    matrices: int = 0,
) -> Any:
    """The numba dispatcher of an emitted function, compiled for flat arrays.

    Args:
        function: from executing an emitted module.
        constants: what it takes after the inputs; only their types matter.
        loops: is it made of loops? Then sums may be added in any order, as vector code needs it.
        strict: keep the order of sums nevertheless.
        use_cache: keep the machine code beside the function's source file.
        matrices: how many matrices of rows it takes, as a tuple between inputs and constants.
    """
    register_numba()
    settings = {**SETTINGS, "fastmath": REASSOCIATION if loops and not strict else False}
    if matrices:
        settings["nogil"] = True  # rows may be spread over threads
    part = LoopPart if loops else Part
    with_parts = _with_parts(function, lambda f: part(f, targetoptions={**PART, **settings}))
    rows = (types.UniTuple(BATCH, matrices),) if matrices else ()
    dispatcher = numba.njit(with_parts, **settings)
    path = Path(function.__code__.co_filename)
    keeps = use_cache and path.is_file()
    if keeps:
        dispatcher._cache = KernelCache(path, strict)
    with _keeping(keeps):
        dispatcher.compile((*SIGNATURE, *rows, *map(numba.typeof, constants)))
    if matrices:  # other kinds of arrays are read as what it was compiled for
        dispatcher.disable_compile()
    return dispatcher


def entry(dispatcher: Any) -> Any:
    """The machine code that `jit` made, without the dispatcher, which looks at types in every call.

    It is for arguments that are known to be float64 arrays of the right dimensions, aligned, and
    contiguous where that was said; only their dimensions are looked at.
    """
    return next(iter(dispatcher.overloads.values())).entry_point


class Entries(types.CPointer):
    """The entries of an array, as the parts of a split text are given them.

    A part does nothing with its arrays but read and write entries, thousands of them, and numba
    compiles that three times as fast through a pointer.
    """

    def can_convert_from(self, typingctx: Any, other: Any) -> Conversion | None:
        """An array may be passed where its entries are asked for."""
        return Conversion.safe if other == SIGNATURE[0] else None


ENTRIES = Entries(numba.float64)


def _entries_of(context: Any, builder: Any, array: Any, _: Any, value: Any) -> Any:
    """The cast of an array to its entries, as LLVM IR."""
    return context.make_array(array)(context, builder, value).data


SETTINGS: dict[str, Any] = {"error_model": "numpy"}
"""How everything is compiled: a division by zero is inf or nan."""

REASSOCIATION = {"reassoc", "contract", "nsz"}
"""What LLVM may do to the sums of loops; inf and nan are honoured in any case."""

PART = {"nopython": True, "no_cpython_wrapper": True}
"""How a part is compiled; only machine code calls it."""

LoopPart = CPUDispatcher
"""The dispatcher of a part that is made of loops: it makes matrices of its arrays."""


class Part(CPUDispatcher):
    """The dispatcher of a part: compiled when the function that calls it is."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """What a call with arrays means: a call with their entries."""
        return super().get_call_template((ENTRIES,) * len(args), kws)


def _with_parts(
    function: Callable[..., Any], dispatcher: Callable[[Callable[..., Any]], Any]
) -> Callable[..., Any]:
    """The function as numba is to see it: if it was split, the parts it calls are dispatchers.

    They go into a copy of its globals, so that under CPython it goes on calling plain functions.
    """
    parts = {
        name: dispatcher(_with_parts(part, dispatcher))
        for name in function.__code__.co_names
        if isinstance(part := function.__globals__.get(name), FunctionType)
        and part.__code__.co_filename == function.__code__.co_filename
    }
    names = {**function.__globals__, **parts}
    return FunctionType(function.__code__, names, function.__name__) if parts else function


def bind(dispatcher: Any, constants: Sequence[Array], matrices: int = 0) -> Any:
    """A dispatcher without the one or two constants that another takes after the rest."""
    if matrices:
        return _bind_batched(dispatcher, constants, matrices)
    if len(constants) == 1:
        (data,) = constants

        def bound(inputs: Any) -> Any:
            return dispatcher(inputs, data)
    else:
        data, tables = constants

        def bound(inputs: Any) -> Any:
            return dispatcher(inputs, data, tables)

    wrapped = numba.njit(bound, **SETTINGS)
    wrapped.compile(SIGNATURE)
    return wrapped


def _bind_batched(dispatcher: Any, constants: Sequence[Array], matrices: int) -> Any:
    if len(constants) == 1:
        (data,) = constants

        def bound(inputs: Any, rows: Any) -> Any:
            return dispatcher(inputs, rows, data)
    else:
        data, tables = constants

        def bound(inputs: Any, rows: Any) -> Any:
            return dispatcher(inputs, rows, data, tables)

    wrapped = numba.njit(bound, **SETTINGS)
    wrapped.compile((*SIGNATURE, types.UniTuple(BATCH, matrices)))
    return wrapped


class KernelCache(_Cache):
    """Machine code beside the source it came from, with a checksum.

    numba's own cache unpickles whatever it finds; a damaged file is an exception or a crash there.
    Here an entry that does not match its checksum is compiled again.
    """

    def __init__(self, source: Path, strict: bool = False) -> None:
        self.source = source
        self.strict = strict
        self.enabled = True

    @property
    def cache_path(self) -> str:
        """The directory of the entries."""
        return str(self.source.parent)

    def enable(self) -> None:
        """Use the cache."""
        self.enabled = True

    def disable(self) -> None:
        """Neither read nor write entries."""
        self.enabled = False

    def flush(self) -> None:
        """Remove every entry of this source."""
        for path in self.source.parent.glob(f"{self.source.stem}.*.machine"):
            path.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function for a signature; None if there is no sound entry."""
        target_context.refresh()
        if not self.enabled:
            return None
        try:
            content = self._path(sig, target_context).read_bytes()
        except OSError:
            return None
        digest, payload = content[:32], content[32:]
        if not hmac.compare_digest(digest, self._checksum(payload)):
            return None
        try:
            return CompileResult._rebuild(target_context, *pickle.loads(payload))
        except Exception:  # whatever it is, compiling anew is the answer
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function, unless it refers to objects of this process."""
        if self.enabled and not data.lifted and not data.library.has_dynamic_globals:
            payload = dumps(data._reduce())
            content = self._checksum(payload) + payload
            cache.write(self._path(sig, data.target_context), content)

    def _checksum(self, payload: bytes) -> bytes:
        # The name goes in, so that an entry counts only for the source it was made from.
        return hashlib.sha256(self.source.stem.encode() + b"\0" + payload).digest()

    def _path(self, sig: Any, target_context: Any) -> Path:
        versions = (numba.__version__, platform.python_version(), _meanings())
        key = (str(sig), target_context.codegen().magic_tuple(), versions, self.strict)
        digest = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return self.source.with_name(f"{self.source.stem}.{digest}.machine")


_keeps: ContextVar[bool] = ContextVar("_keeps", default=False)


@contextmanager
def _keeping(keeps: bool) -> Iterator[None]:
    """Whether functions of `vector.py` that are compiled now are looked for in the cache."""
    token = _keeps.set(keeps)
    try:
        yield
    finally:
        _keeps.reset(token)


class FunctionCache(KernelCache):
    """Machine code of a function of `vector.py`, in the cache directory.

    A new kernel that calls the function then loads it, where numba would compile it again in every
    process. Only a kernel that is itself kept looks here.
    """

    def __init__(self, name: str) -> None:
        super().__init__(Path(f"vector_{name}.py"))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function for a signature; None if there is no sound entry."""
        return super().load_overload(sig, target_context) if self._found() else None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function."""
        if self._found():
            super().save_overload(sig, data)

    def _found(self) -> bool:
        directory = cache.directory() if _keeps.get() else None
        if directory is not None:
            self.source = directory / self.source.name
        return directory is not None
