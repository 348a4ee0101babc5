"""What a kernel shows of itself: text, program, machine code, and functions of other kinds."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcompile.ir.program import Program

if TYPE_CHECKING:
    from gradcompile.compiler.build import Build
    from gradcompile.compiler.build_report import BuildReport
    from gradcompile.verify.report import Report


class Inspection:
    """What is built, open to inspection."""

    __slots__ = ()

    def _build(self) -> "Build":
        """The latest build."""
        raise NotImplementedError

    @property
    def source(self) -> str:
        """The emitted Python, one runnable module."""
        return self._build().source

    @property
    def program(self) -> Program:
        """The linear IR; `print` shows it, one instruction a line."""
        return self._build().program

    @property
    def njit(self) -> Any:
        """The emitted function compiled by numba, for use in your own `@njit` code.

        Its parameters and results are those of the text that `source` shows: floats, and float64
        arrays. Called from Python, it refuses other types and shapes. Called from machine code, it
        looks at no shape, as any numba function.
        """
        return self._build().njit

    @property
    def dispatcher(self) -> Any:
        """The same on the flat float64 array of all inputs, alike for all kernels.

        It returns the value as a number (or a flat array), and the gradient as a flat array.
        """
        return self._build().dispatcher

    @property
    def python(self) -> "Callable[..., Any]":
        """The emitted function as CPython runs it, on what `njit` takes.

        IEEE-754 says what comes out: numbers are numpy's, and its warnings of inf and nan are off.
        """
        target = self._build().target
        function, constants = target.function, target.constants

        @np.errstate(all="ignore")
        @wraps(function)
        def python(*given: Any) -> Any:
            numbers = [x if isinstance(x, np.ndarray) else np.float64(x) for x in given]
            return function(*numbers, *constants)

        return python

    def verify(self) -> "Report":
        """Check every derivative in the emitted source, symbolically where that can be decided.

        Derivatives are compared with those of the emitted text of the value; second derivatives
        with those of the emitted text of the gradient, which is checked as well.

        Returns:
            A report with `.ok` and, for each derivative, `.name` and `.verdict`: "proved",
            "confirmed" or "refuted".

        Raises:
            ValueError: the kernel returns the value alone.
        """
        from gradcompile.compiler.verification import verified  # loads on first use

        return verified(self._build())

    def explain(self) -> str:
        """Tell how it was derived: the rules that fired before and after, and a Jacobian's mode.

        Example:
            >>> import gradcompile as gdc
            >>> f = gdc.compile(lambda x: [x * 1, gdc.sin(x)], mode="forward")
            >>> f.jacobian.explain().splitlines()[1]
            'forward mode: as mode= says'
        """
        return "\n".join(self.program.notes)

    def report(self) -> "BuildReport":
        """Tell where the compile time went, what was rolled, and what `explain` says."""
        return self._build().report()

    def llvm(self) -> str:
        """Show the LLVM IR that numba made of the source."""
        dispatcher = self._compiled_anew()
        return str(dispatcher.inspect_llvm(dispatcher.signatures[0]))

    def asm(self) -> str:
        """Show the assembly code of this machine that LLVM made of it."""
        dispatcher = self._compiled_anew()
        return str(dispatcher.inspect_asm(dispatcher.signatures[0]))

    def _compiled_anew(self) -> Any:
        """The machine code with its LLVM IR: numba keeps none of what comes from a cache."""
        from gradcompile.compiler.machine_code import compiled_anew

        return compiled_anew(self._build().target)
