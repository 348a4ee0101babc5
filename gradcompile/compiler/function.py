"""The pipeline end to end: `compile` and `CompiledFunction`."""

import functools
import html
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gradcompile.compiler.kernel import Kernel
from gradcompile.compiler.options import GRAD, VALUE, VALUE_AND_GRAD, Mode, Options, Wrt
from gradcompile.graph.nested import Structure, flatten
from gradcompile.graph.trace import Traced, trace_function
from gradcompile.graph.value import TraceError, Value
from gradcompile.ir.program import Program
from gradcompile.show.html import highlighted

if TYPE_CHECKING:
    from gradcompile.compiler.build_report import BuildReport
    from gradcompile.show.drawing import Picture
    from gradcompile.verify.report import Report

UNLIKE = "the loops compute something else than the text without loops, which was verified"


class CompiledFunction:
    """A function compiled for its value and its gradient.

    Calling it gives the value. `value`, `grad` and `value_and_grad` are kernels: they take the
    same arguments, and each shows its `.source`, `.program`, `.dispatcher`, `.llvm()`, `.asm()`
    and `.flat(x)`. Gradients are namedtuples in the structure of the arguments.

    Example:
        >>> import gradcompile as gdc
        >>> neuron = gdc.compile(lambda w, x, b: gdc.tanh(w[0] * x[0] + w[1] * x[1] + b))
        >>> value, grads = neuron.value_and_grad([-3.0, 1.0], [2.0, 0.0], 6.881373587019543)
        >>> round(value, 12), [round(x, 12) for x in grads.w]
        (0.707106781187, [1.0, 0.0])
    """

    def __init__(
        self,
        function: Callable[..., Any] | None,
        graph: Traced | None,
        name: str,
        options: "Options",
    ) -> None:
        self.name = name
        self.options = options
        self._function = function
        self._graph = graph
        self._signature = _signature(function, graph)
        self._traces: dict[tuple[tuple[str, Structure], ...], Traced] = {}
        self._newest = graph
        self.wrt = _wrt_names(options.wrt, list(self._signature.parameters))
        self.value = self._kernel(VALUE)
        self.grad = self._kernel(GRAD)
        self.value_and_grad = self._kernel(VALUE_AND_GRAD)
        if function is not None:
            functools.update_wrapper(self, function, updated=())
        self.__name__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The value."""
        return self.value(*args, **kwargs)

    @property
    def source(self) -> str:
        """The emitted source of `value_and_grad`."""
        return self.value_and_grad.source

    @property
    def program(self) -> Program:
        """The program of `value_and_grad`."""
        return self.value_and_grad.program

    def explain(self) -> str:
        """What the passes did to the program of `value_and_grad`: each rule that fired, and why.

        Example:
            >>> import gradcompile as gdc
            >>> print(gdc.compile(lambda x: gdc.log(1 + x)).explain())
            log(1.0 + x) → log1p(x) (1 + x drops the digits of a small x): 1×
            x * 1.0 → x (a factor of one): 1×
        """
        return "\n".join(self.program.notes)

    def draw(self) -> "Picture":
        """The graph of the function's program, as a picture."""
        from gradcompile.show.drawing import draw  # graphviz loads on first use

        return draw(self.value.program)

    def verify(self) -> "Report":
        """Check every derivative in the emitted source, symbolically where that can be decided.

        Returns:
            A report with `.ok` and, for each derivative, `.name` and `.verdict`: "proved",
            "confirmed" or "refuted".
        """
        from tqdm import tqdm  # loads on first use, as sympy does

        from gradcompile.verify.adjoints import verify_source

        # With None there is no bar where the output is no terminal; but a notebook can show one.
        options = {} if "ipykernel" in sys.modules else {"disable": None}

        def progress(values: Iterable[str]) -> Iterable[str]:
            bar: Iterable[str] = tqdm(list(values), "verify", delay=1, leave=False, **options)
            return bar

        build = self.value_and_grad._build()
        names = [build.program.inputs[slot].name for slot in build.slots]
        source = build.straight_source if build.has_loops else build.source
        report = verify_source(source, names, build.slots, progress)
        if build.has_loops:
            report = report.refute({place - 1 for place in build.differing()}, UNLIKE)
        return report

    def report(self) -> "BuildReport":
        """Where the compile time of `value_and_grad` went, what was rolled, which rules fired.

        Example:
            >>> import gradcompile as gdc
            >>> f = gdc.compile(lambda x: x * x)
            >>> f.report().seconds["numba"] > 0
            True
        """
        return self.value_and_grad._build().report()

    def __repr__(self) -> str:
        return f"<CompiledFunction {self.name}{self._signature}>"

    def _repr_html_(self) -> str:
        try:
            source = self.source
        except (TraceError, TypeError, ValueError):
            return f"<code>{html.escape(repr(self))}</code>"
        return highlighted(source)

    # --- what the kernels ask ----------------------------------------------------------------

    def _kernel(self, mode: Mode) -> Kernel:
        return Kernel(self, mode)

    def _trace(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[list[float], Traced | None]:
        """The flat arguments, and the program for their structure; None if they are Values."""
        bound = self._bind(args, kwargs)
        leaves: list[Any] = []
        structures: dict[str, Structure] = {}
        for name, argument in bound.arguments.items():
            found, structures[name] = self._flatten(name, argument)
            leaves.extend(found)
        if any(isinstance(leaf, Value) for leaf in leaves):
            return [], None
        if self._graph is not None:
            for name, expected in self._graph.arguments.items():
                self._require(name, expected, structures[name])
            return leaves, self._graph
        key = tuple(structures.items())
        if key not in self._traces:
            assert self._function is not None
            self._newest = self._traces[key] = trace_function(
                self._function, self.name, bound, structures, self.options.check_domain
            )
        return leaves, self._traces[key]

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            given = f"{len(args)} positional" + (f" and {sorted(kwargs)}" if kwargs else "")
            raise TypeError(f"{self.name}{self._signature}: {error} (given: {given})") from None
        bound.apply_defaults()
        return bound

    def _flatten(self, name: str, argument: Any) -> tuple[list[Any], Structure]:
        try:
            return flatten(argument, self._is_leaf)
        except TypeError as error:
            raise TypeError(f"{self.name}: argument {name!r}: {error}") from None
        except RecursionError:
            raise ValueError(f"{self.name}: argument {name!r} is nested too deeply") from None

    def _is_leaf(self, node: Any) -> bool:
        """Is it something in an argument that is taken for a number, though it is none?"""
        return isinstance(node, Value)

    def _leaves(self, name: str, argument: Any, expected: Structure) -> list[float]:
        leaves, structure = self._flatten(name, argument)
        self._require(name, expected, structure)
        return leaves

    def _require(self, name: str, expected: Structure, given: Structure) -> None:
        if given != expected:
            raise ValueError(f"{self.name}: argument {name!r}: expected {expected}, got {given}")

    def _latest(self) -> Traced:
        """The program to show when no arguments are given."""
        if self._newest is None:
            try:
                self._trace(*self._numbers())
            except Exception as error:
                raise TraceError(
                    f"{self.name} has not been called yet, so the shapes of its arguments are not "
                    f"known, and it does not work on plain numbers ({error}); call it once first"
                ) from error
        assert self._newest is not None
        return self._newest

    def _numbers(self) -> tuple[tuple[float, ...], dict[str, float]]:
        """A call with a number for each argument."""
        parameters = self._signature.parameters.values()
        keywords = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
        return (1.0,) * (len(self._signature.parameters) - len(keywords)), dict.fromkeys(
            keywords, 1.0
        )

    def _on_values(self, mode: Mode, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Called on Values, the function builds a graph: so compiled functions compose."""
        if self._function is None or mode is not VALUE:
            raise TypeError(f"{self.name}.{mode.name}: expected numbers, got Values")
        return self._function(*args, **kwargs)


def _signature(function: Callable[..., Any] | None, graph: Traced | None) -> inspect.Signature:
    if function is not None:
        return inspect.signature(function)
    assert graph is not None
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind) for name in graph.arguments])


def _wrt_names(wrt: Wrt, names: list[str]) -> tuple[str, ...]:
    if wrt is None:
        return tuple(names)
    if not isinstance(wrt, str | Sequence):
        raise TypeError(
            f"wrt: expected the names of arguments, got {type(wrt).__name__} {wrt!r:.60}"
        )
    chosen = [wrt] if isinstance(wrt, str) else list(wrt)
    for name in chosen:
        if name not in names:
            raise ValueError(f"wrt: {name!r} is not an argument; the arguments are {names}")
    return tuple(name for name in names if name in chosen)
