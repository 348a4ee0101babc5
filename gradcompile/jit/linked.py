"""Translated text as a numba function: one that calls LLVM functions of ours.

numba compiles `def f(x, y): return run(code, x, y)`, with our wrapper, its cache and its linker.
What `run` means is written here: the translated functions go into numba's module as text.
"""

import builtins
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from weakref import ref

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import OpaqueModel
from numba.core.imputils import lower_constant
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, register_model, typeof_impl
from numba.np.arrayobj import _empty_nd_impl

from gradcompile.ir.signature import Bundle
from gradcompile.jit.called import add_called
from gradcompile.jit.instructions import POWER, Callee, RefusedError
from gradcompile.jit.meanings import primitive
from gradcompile.jit.scratch import CACHE_LINE_BYTES, MAX_BYTES_ON_STACK
from gradcompile.jit.translate import MadeArray, Returned, Translation, size_of, symbol, translate

DOUBLE, WORD = ir.DoubleType(), ir.IntType(64)

BUILTINS = {name: getattr(builtins, name) for name in ("abs", "bool", "max", "min")}
"""The functions of Python's that emitted text calls."""


@dataclass(frozen=True, eq=False)
class StraightSource:
    """A function of straight-line text, and all that its translation needs.

    Attributes:
        function: as CPython runs it.
        source: the module that it is in.
        parameters: what it takes.
    """

    function: Callable[..., Any]
    source: str
    parameters: tuple[Bundle, ...]

    def linked(self, kinds: Sequence[Any]) -> Callable[..., Any] | None:
        """Make the function that numba is to compile for arguments of these types.

        None if the text, or a type, is none that is translated.
        """
        if not self.source or not all(map(_fits, self.parameters, kinds)):
            return None
        name, scope = self.function.__name__, self.function.__globals__
        try:
            code = _code(name, self.source, self.parameters, {**BUILTINS, **scope})
        except RefusedError:
            return None
        names = [bundle.name for bundle in self.parameters]
        more = "_" * max([1, *map(len, names)])  # no parameter has a name so long
        given = ", ".join(names)
        text = f"def {name}({given}):\n    return run{more}(code{more}, {given})\n"
        own: dict[str, Any] = {f"run{more}": run, f"code{more}": code}
        if "__name__" in scope:  # numba looks for the module when it loads what it has kept
            own["__name__"] = scope["__name__"]
        exec(compile(text, self.function.__code__.co_filename, "exec"), own)  # our own text
        function: Callable[..., Any] = own[name]
        return function


def _fits(bundle: Bundle, kind: Any) -> bool:
    """Are elements of an argument where the text of its shape says, if it is of that shape?"""
    if bundle.is_row:
        return False
    if bundle.shape is None:
        return bool(kind == types.float64)
    is_array = isinstance(kind, types.Array) and kind.dtype == types.float64
    return is_array and kind.layout == "C" and kind.aligned and kind.ndim == len(bundle.shape)


@dataclass(frozen=True, eq=False)
class Code:
    """A translated function, and what it calls.

    Attributes:
        translation: of its text.
        functions: what numba is asked for, for each call.
        number: tells it from all others.
    """

    translation: Translation
    functions: Mapping[Callee, Any]
    number: int = field(default_factory=count().__next__)


def _code(name: str, source: str, parameters: Sequence[Bundle], known: Mapping[str, Any]) -> Code:
    shapes = {bundle.name: bundle.shape for bundle in parameters}
    translation = translate(source, name, shapes, known)
    return Code(translation, {call: _called(call, known) for call in translation.calls})


def _called(call: Callee, known: Mapping[str, Any]) -> Any:
    function = operator.pow if call.name == POWER else known.get(call.name)
    found = function if function in (abs, operator.pow) else primitive(function)
    if found is None:
        raise RefusedError(f"a call of {call.name}")
    return found


# --- what numba knows of it ----------------------------------------------------------------------


def run(code: Code, *operands: Any) -> Any:
    """Call translated code; known to numba alone."""
    raise NotImplementedError


class CodeType(types.Type):
    """The numba type of translated code: there is one for each.

    numba keeps types as long as the process lives, and so they must not keep the code.
    """

    def __init__(self, code: Code) -> None:
        super().__init__(f"code {code.number} of {code.translation.name}")
        self._kept = ref(code)

    @property
    def code(self) -> Code:
        """The code, which the function that is compiled has among its names."""
        code = self._kept()
        assert code is not None
        return code


def register_linked() -> None:
    """Tell numba what translated code is, and what running it means."""
    register_model(CodeType)(OpaqueModel)
    typeof_impl.register(Code)(lambda code, _: CodeType(code))
    lower_constant(CodeType)(lambda context, *_: context.get_dummy_value())
    infer_global(run)(_Run)
    lower_builtin(run, CodeType, types.VarArg(types.Any))(_lower_run)


class _Run(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        """Infer the type of a call, by what the text returns."""
        translation = args[0].code.translation

        def type_of(returned: Returned) -> Any:
            if isinstance(returned, tuple):
                return types.BaseTuple.from_types([type_of(item) for item in returned])
            if isinstance(returned, int):
                return types.float64
            return _array(translation.arrays[returned])

        return signature(type_of(translation.returned), *args)


def _lower_run(context: Any, builder: Any, sig: Any, args: Sequence[Any]) -> Any:
    """Write the call: make the arrays, call our function, and put together what it returns."""
    code = sig.args[0].code
    translation = code.translation
    for call, function in code.functions.items():
        add_called(context, builder.module, call, function)
    given = [
        context.make_array(kind)(context, builder, argument).data
        if isinstance(kind, types.Array)
        else argument
        for kind, argument in zip(sig.args[1:], args[1:], strict=True)
    ]
    results = _Results(context, builder, translation)
    operands = [*given, *results.places, results.numbers]
    kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
    builder.call(_Text(builder.module, kind, translation), operands)
    return results.returned(sig.return_type, translation.returned)


class _Text(ir.Function):  # type: ignore[misc]
    """Functions that are text already, as llvmlite's module prints them."""

    def __init__(self, module: Any, kind: Any, translation: Translation) -> None:
        super().__init__(module, kind, symbol(translation.name))
        self.translation = translation

    def __str__(self) -> str:
        return "\n".join(self.translation.functions.values())


class _Results:
    """Writes what is before and behind the call: the arrays, and what is returned.

    Args:
        context: numba's, of the target.
        builder: where the code goes.
        translation: says which arrays there are.
    """

    def __init__(self, context: Any, builder: Any, translation: Translation) -> None:
        self.context, self.builder = context, builder
        leaves = list(_leaves(translation.returned))
        self.names = [leaf for leaf in leaves if isinstance(leaf, str)]
        self.heap: dict[str, Any] = {}
        self.places = [self._place(*pair) for pair in translation.arrays.items()]
        self.numbers = self._on_stack(len(leaves) - len(self.names))

    def _place(self, name: str, made: MadeArray) -> Any:
        """Make an array: what is not returned lies on the stack, where it is small."""
        size = size_of(made)
        if name in self.names or 8 * size > MAX_BYTES_ON_STACK:
            kind = _array(made)
            shape = [WORD(extent) for extent in made.shape]
            self.heap[name] = kind, _empty_nd_impl(self.context, self.builder, kind, shape)
            place = self.heap[name][1].data
        else:
            place = self._on_stack(size)
        if made.is_zero:
            cgutils.memset(self.builder, place, WORD(8 * size), 0)
        return place

    def _on_stack(self, size: int) -> Any:
        with self.builder.goto_entry_block():
            memory = self.builder.alloca(ir.ArrayType(DOUBLE, max(size, 1)))
            memory.align = CACHE_LINE_BYTES
        return self.builder.bitcast(memory, DOUBLE.as_pointer())

    def returned(self, kind: Any, tree: Returned) -> Any:
        """Put together what is returned, which owns its arrays; the others are given back."""
        result = self._tree(kind, tree)
        for name, (array_kind, array) in self.heap.items():
            value, count = array._getvalue(), self.names.count(name)
            for _ in range(count - 1):
                self.context.nrt.incref(self.builder, array_kind, value)
            if not count:
                self.context.nrt.decref(self.builder, array_kind, value)
        return result

    def _tree(self, kind: Any, tree: Returned) -> Any:
        if isinstance(tree, tuple):
            parts = [self._tree(*pair) for pair in zip(kind, tree, strict=True)]
            return self.context.make_tuple(self.builder, kind, parts)
        if isinstance(tree, int):
            return self.builder.load(self.builder.gep(self.numbers, [WORD(tree)]))
        return self.heap[tree][1]._getvalue()


def _array(made: MadeArray) -> Any:
    return types.Array(types.float64, len(made.shape), "C")


def _leaves(returned: Returned) -> Iterator[int | str]:
    if not isinstance(returned, tuple):
        yield returned
        return
    for part in returned:
        yield from _leaves(part)
