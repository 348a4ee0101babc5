"""`CompiledFunction`, the face of it all: what a user calls, looks at and has checked."""

import functools
import html
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from gradcompile.compiler import options as kinds
from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.kernel import Kernel
from gradcompile.compiler.kernels import Derivatives
from gradcompile.compiler.methods import Bound, Methods
from gradcompile.compiler.pickles import Portable
from gradcompile.graph.users import TraceError
from gradcompile.ir.program import Program
from gradcompile.show.html import highlighted

if TYPE_CHECKING:
    from gradcompile.compiler.build_report import BuildReport
    from gradcompile.show.drawing import Picture
    from gradcompile.verify.report import Report


class CompiledFunction(Derivatives, Portable):
    """A function compiled for its value and its gradient.

    Calling it gives the value. `value`, `grad` and `value_and_grad` are kernels: they take the
    same arguments, and each shows its `.source`, `.program`, `.njit`, `.llvm()`, `.asm()`
    and `.flat(x)`. Gradients are namedtuples in the structure of the arguments. A batched function
    is called with any number of rows; see `compile(batched=...)`.

    Example:
        >>> import gradcompile as gdc
        >>> neuron = gdc.compile(lambda w, x, b: gdc.tanh(w[0] * x[0] + w[1] * x[1] + b))
        >>> value, grads = neuron.value_and_grad([-3.0, 1.0], [2.0, 0.0], 6.881373587019543)
        >>> round(value, 12), [round(x, 12) for x in grads.w]
        (0.707106781187, [1.0, 0.0])
    """

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.name = arguments.name
        self.options = arguments.options
        self.wrt = arguments.wrt
        self.value = Kernel(arguments, kinds.VALUE)
        self.grad = Kernel(arguments, kinds.GRAD)
        self.value_and_grad = Kernel(arguments, kinds.VALUE_AND_GRAD)
        if arguments.function is not None:
            functools.update_wrapper(self, arguments.function, updated=())
        self.__name__ = self._attribute = self.name
        self._methods = Methods(arguments, CompiledFunction)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """The value."""
        return self.value(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind the function to an object, if Python would bind what was compiled."""
        if instance is None or not isinstance(self.arguments.function, FunctionType):
            return self
        return Bound(self, instance, self._attribute)

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = name

    def _origin(self) -> tuple[Arguments, Callable[[Arguments], Any], str]:
        return self.arguments, CompiledFunction, ""

    @property
    def source(self) -> str:
        """The emitted source of `value_and_grad`."""
        return self.value_and_grad.source

    @property
    def program(self) -> Program:
        """The program of `value_and_grad`."""
        return self.value_and_grad.program

    def explain(self) -> str:
        """Tell what the passes did to the program of `value_and_grad`: each rule, and why it fired.

        Example:
            >>> import gradcompile as gdc
            >>> print(gdc.compile(lambda x: gdc.log(1 + x)).explain())
            log(1.0 + x) → log1p(x) (1 + x drops the digits of a small x): 1×
            x * 1.0 → x (a factor of one): 1×
        """
        return self.value_and_grad.explain()

    def draw(self) -> "Picture":
        """Draw the graph of the function's program."""
        from gradcompile.show.drawing import draw  # graphviz loads on first use

        return draw(self.value.program)

    def verify(self) -> "Report":
        """Check every derivative in the emitted source, symbolically where that can be decided.

        Returns:
            A report with `.ok` and, for each derivative, `.name` and `.verdict`: "proved",
            "confirmed" or "refuted".
        """
        return self.value_and_grad.verify()

    def report(self) -> "BuildReport":
        """Tell where the compile time of `value_and_grad` went, what was rolled, which rules fired.

        Example:
            >>> import gradcompile as gdc
            >>> f = gdc.compile(lambda x: x * x)
            >>> f.report().seconds["numba"] > 0
            True
        """
        return self.value_and_grad.report()

    def __repr__(self) -> str:
        return f"<CompiledFunction {self.name}{self.arguments.signature}>"

    def _repr_html_(self) -> str:
        try:
            source = self.source
        except (TraceError, TypeError, ValueError):
            return f"<code>{html.escape(repr(self))}</code>"
        return highlighted(source)
