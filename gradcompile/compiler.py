"""The pipeline end to end: `compile` and `CompiledFunction`."""

import functools
import html
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gradcompile.ir import Program
from gradcompile.kernel import Kernel
from gradcompile.names import identifier
from gradcompile.options import GRAD, VALUE, VALUE_AND_GRAD, Mode, Options
from gradcompile.threads import cores
from gradcompile.trace import Inputs, Traced, trace_function, trace_graph
from gradcompile.tree import Structure, flatten
from gradcompile.value import TraceError, Value

if TYPE_CHECKING:
    from gradcompile.drawing import Picture
    from gradcompile.report import Report
    from gradcompile.stages import BuildReport

UNLIKE = "the loops compute something else than the text without loops, which was verified"

Wrt = str | Sequence[str] | None


def compile(  # as numba's jit and jax's jit, it is meant to be used qualified
    target: Any = None,
    inputs: Inputs = None,
    *,
    wrt: Wrt = None,
    batched: str | Sequence[str] = (),
    reduce: str | None = "mean",
    parallel: bool | int = False,
    cache: bool = True,
    name: str | None = None,
    check_domain: bool = False,
    roll: bool | str = "auto",
    strict: bool = False,
    progress: bool = False,
) -> Any:
    """Compile a function or a finished expression graph.

    Args:
        target: a Python function of numbers (in lists, tuples, dicts or arrays, nested in any
            way), which is traced on its first call for each structure of arguments; or a `Value`.
            Without it, `compile` is a decorator with options.
        inputs: for a `Value`: the arguments of the compiled function. A sequence of Values, or a
            mapping of names to Values or to nested lists or arrays of them; without it, the
            labelled leaves. Every other leaf is a constant.
        wrt: the names of the arguments to differentiate by; if not given, all that are not batched
            (all, if every one is).
        batched: the names of the arguments that hold rows of data: arrays, or dicts of arrays,
            whose first axis is that of the rows. The function (or the graph) is that of one row;
            it is compiled for any number of rows.
        reduce: what becomes of the rows' values: their "mean", their "sum", or None for one value
            and one gradient for each row.
        parallel: spread the rows over threads: True for one a core, or how many. Results are the
            same bits for the same number of threads and rows.
        cache: keep source and machine code on disk, for the next process.
        name: the function's name in emitted code and messages.
        check_domain: run by the interpreter, slowly, and raise `FloatingPointError` where an
            operation makes nan or inf from finite numbers; it names the operation and your line.
        roll: find the loops that the trace unrolled again: "auto" (large regular programs; small
            ones stay straight-line, for reading), True or False.
        strict: keep the order of every sum, and so every bit; otherwise sums that became loops may
            be added in another order.
        progress: show a progress bar while a large program is compiled.

    Returns:
        A `CompiledFunction`.

    Raises:
        TypeError: the target is neither a function nor a Value; `wrt` or `batched` are no names.
        ValueError: `inputs` names a Value that the graph does not contain, or one twice; `wrt`
            or `batched` names no argument; `reduce` or `roll` is none of its values.

    Example:
        >>> import gradcompile as gdc
        >>> @gdc.compile
        ... def f(x):
        ...     return 3 * x**2 - 4 * x + 5
        >>> f(3.0)
        20.0
        >>> f.value_and_grad(3.0)
        (20.0, Gradient(x=14.0))
    """
    if target is None:
        return functools.partial(
            compile, inputs=inputs, wrt=wrt, batched=batched, reduce=reduce, parallel=parallel,
            cache=cache, name=name, check_domain=check_domain, roll=roll, strict=strict,
            progress=progress,
        )  # fmt: skip
    if roll not in (True, False, "auto"):
        raise ValueError(f'roll: expected True, False or "auto", got {roll!r:.60}')
    if not isinstance(batched, str | Sequence):
        raise TypeError(
            f"batched: expected names of arguments, got {type(batched).__name__} {batched!r:.60}"
        )
    names = (batched,) if isinstance(batched, str) else tuple(batched)
    threads = _threads(parallel, names)
    options = Options(wrt, cache, check_domain, roll, strict, progress, names, reduce, threads)
    compiled = _batched_function(options) if names else CompiledFunction
    if isinstance(target, Value):
        label = identifier(name or target.label) or "f"
        return compiled(None, trace_graph(target, inputs, label), label, options)
    if not callable(target):
        given = type(target).__name__
        raise TypeError(f"compile: expected a function or a Value, got {given} {target!r:.60}")
    if inputs is not None:
        raise TypeError("compile: inputs= is for a Value; a function has its own arguments")
    given = name or str(getattr(target, "__name__", type(target).__name__))
    label = "f" if given == "<lambda>" else identifier(given) or "f"
    return compiled(target, None, label, options)


def _threads(parallel: Any, batched: Sequence[str]) -> int:
    if not isinstance(parallel, int) or parallel < 0:
        raise ValueError(f"parallel: expected a bool or how many threads, got {parallel!r:.60}")
    if parallel and not batched:
        raise ValueError("parallel: rows are spread over threads, so it needs batched=")
    return cores() if parallel is True else max(1, int(parallel))


def _batched_function(options: Options) -> "type[CompiledFunction]":
    if options.reduce not in ("mean", "sum", None):
        raise ValueError(f'reduce: expected "mean", "sum" or None, got {options.reduce!r:.60}')
    if options.roll is False:
        raise ValueError("batched: the rows are a loop, so roll=False is not possible")
    if options.check_domain:
        raise ValueError("batched: check_domain=True is for a function without batched arguments")
    from gradcompile.batch import BatchedFunction  # the passes load with it

    return BatchedFunction


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
        from gradcompile.drawing import draw  # graphviz loads on first use

        return draw(self.value.program)

    def verify(self) -> "Report":
        """Check every derivative in the emitted source, symbolically where that can be decided.

        Returns:
            A report with `.ok` and, for each derivative, `.name` and `.verdict`: "proved",
            "confirmed" or "refuted".
        """
        from tqdm import tqdm  # loads on first use, as sympy does

        from gradcompile.verify import verify_source

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
        return _highlighted(source)

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


def _highlighted(source: str) -> str:
    from pygments import highlight  # only notebooks need it
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return str(
        highlight(source, PythonLexer(), HtmlFormatter(noclasses=True, cssstyles="color: #1f2328"))
    )
