"""Emitted source → machine code, by numba; the only module that imports it.

numba compiles the emitted function itself. The functions of `ieee.py` that its text calls are
given their machine-code meaning here: the C library's function of the same name.
"""

import functools
import hashlib
import hmac
import math
import pickle
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.datamodel.models import PointerModel
from numba.core.registry import CPUDispatcher
from numba.core.serialize import dumps
from numba.core.typeconv.castgraph import Conversion
from numba.extending import lower_cast, overload, register_model

from gradcompile import batches, cache, ieee

Array = np.ndarray[Any, Any]

SIGNATURE = (numba.float64[::1],)
"""A kernel takes one contiguous float64 array."""

BATCH = types.Array(types.float64, 2, "A", readonly=True)
"""A matrix of rows may be a view of any kind, and is only read."""

_UNKNOWN = {"cbrt": types.ExternalFunction("cbrt", numba.float64(numba.float64))}
"""Functions of the C library that numba does not know by their name in `math`."""

_registered: list[bool] = []


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
    register_model(Entries)(PointerModel)
    lower_cast(types.Array, Entries)(_entries_of)


def _register(function: Callable[..., Any], meaning: Callable[..., Any]) -> None:
    overload(function, strict=False)(lambda *operands: meaning)


def _calling(function: Callable[..., Any]) -> Callable[..., Any]:
    # numba overloads by functions, not by built-ins; it reads how many operands there are.
    return lambda *operands: function(*operands)  # noqa: PLW0108


@functools.cache
def _meanings() -> str:
    """A digest of what emitted code imports: machine code has it compiled in."""
    sources = [Path(module.__file__ or "").read_bytes() for module in (ieee, batches)]
    return hashlib.sha256(b"".join(sources)).hexdigest()


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
    part = LoopPart if loops else Part
    with_parts = _with_parts(function, lambda f: part(f, targetoptions={**PART, **settings}))
    rows = (types.UniTuple(BATCH, matrices),) if matrices else ()
    dispatcher = numba.njit(with_parts, **settings)
    path = Path(function.__code__.co_filename)
    if use_cache and path.is_file():
        dispatcher._cache = KernelCache(path, strict)
    dispatcher.compile((*SIGNATURE, *rows, *map(numba.typeof, constants)))
    return dispatcher


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
