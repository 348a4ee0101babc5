"""What Python calls: the C function around machine code, which borrows the arrays it is given.

numba's own takes a reference to each array, with memory to keep it in, and gives it back behind the
call, with the interpreter locked: some 150 ns an array. But whoever calls a function holds its
arguments anyway, until it returns.
"""

from copy import copy
from typing import Any

from numba.core import cgutils
from numba.core.callwrapper import PyCallWrapper
from numba.core.lowering import Lower

from gradcompile.jit.boxing import Boxing


class LowerBorrowing(Lower):
    """numba's lowering to LLVM IR, with another wrapper for Python."""

    def create_cpython_wrapper(self, release_gil: bool = False) -> None:
        """Add the wrapper to the library, as numba asks for it."""
        context, descriptor = self.context, self.fndesc
        module = context.create_module("wrapper")
        kind = context.call_conv.get_function_type(descriptor.restype, descriptor.argtypes)
        callee = cgutils.get_or_insert_function(module, kind, descriptor.llvm_func_name)
        _Borrowing(
            context, module, callee, descriptor, self.env, self.call_helper, release_gil
        ).build()
        self.library.add_ir_module(module)


class _Borrowing(PyCallWrapper):
    def build_wrapper(self, api: Any, builder: Any, closure: Any, args: Any, kws: Any) -> None:
        """Write the body: unbox the arguments, call, and box the result."""
        convention, descriptor = self.context.call_conv, self.fndesc
        failed = api.get_null_object()
        objects = [api.alloca_obj() for _ in descriptor.argtypes]
        count = len(objects)
        parsed = api.unpack_tuple(args, descriptor.qualname, count, count, *objects)
        with cgutils.if_unlikely(builder, cgutils.is_null(builder, parsed)):
            builder.ret(failed)
        given = []
        borrowing = self._without_references()
        unboxing = borrowing.get_python_api(builder)
        for kind, place in zip(descriptor.argtypes, objects, strict=True):
            native = unboxing.to_native_value(kind, builder.load(place))
            with cgutils.if_unlikely(builder, native.is_error):
                builder.ret(failed)
            given.append(native.value)
        environment = self.get_env(api, builder)
        thread = api.save_thread() if self.release_gil else None
        status, result = convention.call_function(
            builder, self.func, descriptor.restype, descriptor.argtypes, given, attrs=("noinline",)
        )
        if thread is not None:
            api.restore_thread(thread)
        with builder.if_then(status.is_ok, likely=True):
            boxing = Boxing(self.context, borrowing, builder, environment)
            builder.ret(boxing.boxed(descriptor.restype, result))
        convention.raise_error(builder, api, status)
        builder.ret(failed)

    def _without_references(self) -> Any:
        """The context, but arrays are unboxed as where numba counts no references."""
        context = copy(self.context)
        context.enable_nrt = False
        return context
