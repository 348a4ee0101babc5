"""The public functions: `compile`, `draw` and `check_grad`."""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gradcompile import compiler
from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.function import CompiledFunction
from gradcompile.compiler.methods import of_class
from gradcompile.compiler.options import Options, Wrt
from gradcompile.graph import value as values
from gradcompile.graph.trace import MAX_BRANCHES, Inputs, Traced, trace_graph
from gradcompile.graph.value import Value
from gradcompile.support.names import identifier

if TYPE_CHECKING:
    from gradcompile.check import GradCheck
    from gradcompile.show.drawing import Picture


def compile(  # as numba's jit and jax's jit, it is meant to be used qualified
    target: Any = None,
    inputs: Inputs = None,
    *,
    wrt: Wrt = None,
    static: str | Sequence[str] = (),
    batched: str | Sequence[str] = (),
    reduce: str | None = "mean",
    parallel: bool | int = False,
    cache: bool = True,
    name: str | None = None,
    check_domain: bool = False,
    roll: bool | str = "auto",
    strict: bool = False,
    branches: int = MAX_BRANCHES,
    mode: str = "auto",
    progress: bool = False,
) -> Any:
    """Compile a function or a finished expression graph.

    Args:
        target: a Python function of numbers (in lists, tuples, dicts, arrays, namedtuples,
            dataclasses, attrs classes or `SimpleNamespace`s, nested in any way), which is traced on
            its first call for each structure of arguments; or a `Value`, or several in lists,
            tuples, dicts, arrays or records, which the compiled function returns in that form. A
            default that is left out keeps its value, and is no input. Without a target, `compile`
            is a decorator with options, of methods as well.
        inputs: for a `Value`: the arguments of the compiled function. A sequence of Values, or a
            mapping of names to Values or to nested lists or arrays of them; without it, the
            labelled leaves. Every other leaf is a constant.
        wrt: the names of the arguments to differentiate by; if not given, all that are not batched
            (all, if every one is) and not static.
        static: the names of arguments that are no data, but hashable Python objects, such as
            counts; the function is traced for each value of them. None, strings, bools, callables,
            enums, types and ranges are static by themselves.
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
        branches: so many ways a function may go, at most, where it branches on its arguments (`if`,
            `while`, `max`, `sorted`): each is traced, and the results are joined by `where`.
        mode: how Jacobians are computed: "forward" (by columns), "reverse" (by rows), or "auto" for
            what takes less work by the structure of the program. Second derivatives are forward
            over reverse.
        progress: show a progress bar while a large program is compiled.

    Returns:
        A `CompiledFunction`.

    Raises:
        TypeError: the target is neither a function nor made of Values; `wrt`, `static` or `batched`
            are no names.
        ValueError: `inputs` names a Value that the graph does not contain, or one twice; `wrt`,
            `static` or `batched` names no argument; `reduce`, `roll` or `mode` is none of its
            values.

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
    if target is None or isinstance(target, staticmethod | classmethod):
        decorator = functools.partial(
            compile, inputs=inputs, wrt=wrt, static=static, batched=batched, reduce=reduce,
            parallel=parallel, cache=cache, name=name, check_domain=check_domain, roll=roll,
            strict=strict, branches=branches, mode=mode, progress=progress,
        )  # fmt: skip
        return decorator if target is None else of_class(target, decorator)
    if roll not in (True, False, "auto"):
        raise ValueError(f'roll: expected True, False or "auto", got {roll!r:.60}')
    if type(branches) is not int or branches < 1:
        raise ValueError(f"branches: expected how many ways, 1 or more, got {branches!r:.60}")
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f'mode: expected "auto", "forward" or "reverse", got {mode!r:.60}')
    names = _names("batched", batched)
    options = Options(
        wrt, _names("static", static), cache, check_domain, roll, strict, progress, names, reduce,
        _threads(parallel, names), branches,
        None if mode == "auto" else mode,
    )  # fmt: skip
    if names:
        _require_batchable(options)
    if isinstance(target, Value) or not (callable(target) or isinstance(target, Traced)):
        label = identifier(name or getattr(target, "label", None) or "") or "f"
        return _compiled(None, trace_graph(target, inputs, label), label, options)
    if inputs is not None:
        raise TypeError("compile: inputs= is for a Value; a function has its own arguments")
    if isinstance(target, Traced):
        return _compiled(None, target, target.lowered.name, options)
    given = name or str(getattr(target, "__name__", type(target).__name__))
    label = "f" if given == "<lambda>" else identifier(given) or "f"
    return _compiled(target, None, label, options)


def _names(option: str, names: Any) -> tuple[str, ...]:
    if not isinstance(names, str | Sequence):
        raise TypeError(
            f"{option}: expected names of arguments, got {type(names).__name__} {names!r:.60}"
        )
    return (names,) if isinstance(names, str) else tuple(names)


def _threads(parallel: Any, batched: Sequence[str]) -> int:
    if not isinstance(parallel, int) or parallel < 0:
        raise ValueError(f"parallel: expected a bool or how many threads, got {parallel!r:.60}")
    if parallel and not batched:
        raise ValueError("parallel: rows are spread over threads, so it needs batched=")
    if parallel is not True:
        return max(1, int(parallel))
    from gradcompile.batch.threads import cores  # loads on first use

    return cores()


def _require_batchable(options: Options) -> None:
    if options.reduce not in ("mean", "sum", None):
        raise ValueError(f'reduce: expected "mean", "sum" or None, got {options.reduce!r:.60}')
    if options.roll is False:
        raise ValueError("batched: the rows are a loop, so roll=False is not possible")
    if options.check_domain:
        raise ValueError("batched: check_domain=True is for a function without batched arguments")


def _compiled(
    function: Callable[..., Any] | None, graph: Traced | None, name: str, options: Options
) -> CompiledFunction:
    if not options.batched:
        return CompiledFunction(Arguments(function, graph, name, options))
    from gradcompile.batch.arguments import BatchedArguments  # loads on first use

    return CompiledFunction(BatchedArguments(function, graph, name, options))


def from_sympy(
    expression: Any, symbols: Any, *, name: str = "f", **options: Any
) -> CompiledFunction:
    """Compile a sympy expression: a fast `lambdify` with derivatives.

    What occurs in it several times is computed once. Everything is real: where sympy's result would
    be complex, that of the compiled function is nan.

    Args:
        expression: of real numbers; or a matrix, an array, a list, a tuple or a dict of expressions
            in any nesting, in which the values are returned.
        symbols: the arguments, in order: a symbol, or a list, a matrix or another structure of
            them for each; or a mapping of the arguments' names to these. What may stand for a
            symbol is an element of a MatrixSymbol or an IndexedBase, and a function such as `q(t)`.
        name: the function's name in emitted code and messages.
        options: those of `compile`, such as `wrt`.

    Returns:
        A `CompiledFunction`, as for a graph.

    Raises:
        ValueError: the expression contains what is not among the symbols, or a function that has no
            row in the op table; or a symbol is given twice.
        TypeError: there is something else than expressions or symbols.

    Example:
        >>> import sympy
        >>> x, y = sympy.symbols("x y")
        >>> f = from_sympy(sympy.exp(-(x**2)) * y, [x, y])
        >>> f(0.0, 2.0), f.grad(0.0, 2.0).y
        (2.0, 1.0)
    """
    from gradcompile.symbolic.reading import read  # sympy loads on first use

    traced = read(expression, symbols, identifier(name) or "f")
    compiled: CompiledFunction = compile(traced, **options)
    return compiled


def to_sympy(target: Any, *symbols: Any) -> Any:
    """Write what a compiled function, a kernel, a graph or a program computes in sympy's terms.

    Floats become the constants and small fractions that they are the nearest floats to. sympy
    simplifies as it does when you write the expression yourself; more than 100 operations are left
    as they are, for it takes long then.

    Args:
        target: a `CompiledFunction`, whose value is written; a kernel of it, such as `f.grad`; a
            `Value`; or a `Program`.
        symbols: the arguments, in the structure in which the function is called; without them, real
            symbols with the names of the arguments, for the latest structure it was called with.

    Returns:
        An expression; or what the function returns, with matrices and arrays of sympy's.

    Raises:
        TypeError: the target is none of these, or a batched function.
        ValueError: the arguments have another structure than those of the graph.

    Example:
        >>> import gradcompile as gdc
        >>> to_sympy(gdc.compile(lambda x, w: gdc.tanh(x) / 3 + w))
        w + tanh(x)/3
        >>> to_sympy(gdc.compile(lambda x, y: gdc.sin(x) * y).jacobian)
        Gradient(x=y*cos(x), y=sin(x))
    """
    from gradcompile.symbolic.writing import write  # sympy loads on first use

    return write(target, symbols)


def draw(target: Any, **options: Any) -> "Picture":
    """The picture of a `Value`'s graph, of a program or of a compiled function.

    Args:
        target: what to draw.
        options: `rankdir`, where the graph grows to: "LR" (the default), "TB", "RL" or "BT".

    Returns:
        A picture: `.save(path)`, `.svg()`, `.png()`, `.source`; notebooks show it.

    Raises:
        TypeError: the target is none of these.
    """
    from gradcompile.show import drawing  # graphviz loads on first use

    graph = target.value.program if isinstance(target, CompiledFunction) else target
    return drawing.draw(graph, **options)


def check_grad(function: CompiledFunction, *args: Any, **options: Any) -> "GradCheck":
    """Compare the gradient of a compiled function with numerical slopes.

    See `gradcompile.check.check_grad` for the options and the report.
    """
    from gradcompile import check  # loads on first use

    return check.check_grad(function, *args, **options)


def _svg(value: Value) -> str:
    from gradcompile.show.drawing import svg  # graphviz loads on first use

    return svg(value)


values.svg = _svg
vars(compiler)["compile"] = compile  # `gradcompile.compiler.compile` is a name that users know
