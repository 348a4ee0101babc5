"""numpy's arrays as C code sees them: where their fields are, and the function that makes them.

All of it is part of numpy's binary interface, which extensions are compiled against.
"""

import ctypes
from importlib import import_module
from typing import Any

from llvmlite import binding as llvm
from llvmlite import ir

HEAD = object.__basicsize__
TYPE = HEAD - 8
"""Where the type of an object is, in bytes."""

DATA, DIMENSIONS, EXTENTS, STRIDES, DTYPE, FLAGS = (HEAD + k for k in (0, 8, 16, 24, 40, 48))
"""Where the fields of an array are: `PyArrayObject_fields` of ndarraytypes.h."""

KIND_OF_ENTRY, BYTE_ORDER = HEAD, HEAD + 10
"""The same of the type of its entries, `_PyArray_Descr`; there may be several objects alike."""

NATIVE = ord("=")
"""The order of bytes that the processor has."""

CONTIGUOUS, ALIGNED = 0x1, 0x100
"""Flags of an array."""

BYTES = ir.IntType(8).as_pointer()

NEW_ARRAY = "gradcompile_new_array"
"""The name by which machine code knows `PyArray_New`."""

_INDEX_OF_NEW = 93
"""Its place in the table of numpy's functions, by __multiarray_api.h."""


def register_new_array() -> None:
    """Tell LLVM where numpy's function is."""
    pointer_in = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_in.restype, pointer_in.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    table = pointer_in(import_module("numpy._core.multiarray")._ARRAY_API, None)
    functions = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))
    address = functions[_INDEX_OF_NEW]
    assert address is not None
    llvm.add_symbol(NEW_ARRAY, address)


def field(builder: Any, thing: Any, offset: int, kind: Any) -> Any:
    """Load a field of an object, so many bytes behind its start."""
    start = builder.bitcast(thing, BYTES)
    place = builder.gep(start, [ir.Constant(ir.IntType(64), offset)])
    return builder.load(builder.bitcast(place, kind.as_pointer()))
