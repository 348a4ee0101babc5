"""The command line: `gradcompile demo`, `gradcompile show` and `gradcompile verify`.

Expressions are Python text, read by `ops/syntax.py` and never executed. Whatever is wrong with a
command is one line on stderr and exit code 2.
"""

import argparse
import ast
import contextlib
import inspect
import io
import math
import os
import re
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from gradcompile import __version__, api
from gradcompile.compiler.function import CompiledFunction
from gradcompile.demos.moons import moons
from gradcompile.demos.neuron import neuron
from gradcompile.graph.value import Value
from gradcompile.ops import functions
from gradcompile.ops.syntax import LIST, evaluate, free_names, parse, shorten
from gradcompile.ops.table import TABLE
from gradcompile.show.terminal import console, print_code, print_derivative

if TYPE_CHECKING:
    from rich.console import Console

    from gradcompile.show.drawing import Picture

NAMED_NUMBERS = {"pi": math.pi, "inf": math.inf, "nan": math.nan}
"""The names that are numbers; every other name is an input."""

COMPOSITE = {
    f.__name__: f
    for f in (
        functions.dot, functions.sum, functions.prod, functions.mean, functions.norm,
        functions.logsumexp, functions.cross_entropy, functions.softmax, functions.log_softmax,
        functions.matmul,
    )
}  # fmt: skip
"""The functions of lists. What the last three give is a list, which others make a number of."""

FUNCTIONS = {
    **TABLE, "max": TABLE["maximum"], "min": TABLE["minimum"],
    **COMPOSITE, LIST: lambda *items: list(items),
}  # fmt: skip
"""The functions of expressions: the op table's, Python's names for two of them, those of lists."""

DEMOS: "Mapping[str, Callable[[Console, str | None], None]]" = {"neuron": neuron, "moons": moons}
"""The demos by name."""

Point = dict[str, float]


class UsageError(ValueError):
    """A command that cannot be understood."""


# --- expressions -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExpressionFunction:
    """An expression as the function of its names, in the order in which they appear.

    Raises:
        ValueError: it is no expression over known operations, or has no inputs.

    Example:
        >>> ExpressionFunction("a*b + 1")(2.0, 3.0)
        7.0
    """

    text: str

    def __post_init__(self) -> None:
        try:
            root = self.graph(dict.fromkeys(self.names, 1.0))
        except TypeError as error:
            raise UsageError(str(error)) from None
        if np.ndim(root):
            raise UsageError(f"{shorten(self.text)!r} is a list, and not one number")
        if not self.names:
            raise UsageError(f"{shorten(self.text)!r} has no inputs to differentiate by")

    @cached_property
    def tree(self) -> ast.expr:
        """Its syntax tree."""
        return parse(self.text)

    @cached_property
    def names(self) -> list[str]:
        """The inputs."""
        return [name for name in free_names(self.tree) if name not in NAMED_NUMBERS]

    @property
    def __signature__(self) -> inspect.Signature:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Signature([inspect.Parameter(name, kind) for name in self.names])

    def __call__(self, *operands: Any) -> Any:
        """Compute the value for numbers, a graph for Values."""
        names = {**NAMED_NUMBERS, **dict(zip(self.names, operands, strict=True))}
        return evaluate(self.tree, names, FUNCTIONS)

    def graph(self, at: Point) -> Any:
        """Build the expression graph with its numbers at a point."""
        return self(*[Value(at[name], name) for name in self.names])

    def compiled(self, wrt: list[str] | None = None) -> CompiledFunction:
        """Compile the function; not cached, as an expression is typed to be looked at once."""
        function: CompiledFunction = api.compile(self, wrt=wrt, cache=False, name="f")
        return function


def _point(expression: ExpressionFunction, at: Point) -> Point:
    """Return `at`, if it has a number for each input and for nothing else."""
    inputs = ", ".join(expression.names)
    for name in at:
        if name not in expression.names:
            raise UsageError(f"--at: {shorten(name)!r} is not an input; the inputs are {inputs}")
    missing = [name for name in expression.names if name not in at]
    if missing:
        raise UsageError(f"--at: no number for {', '.join(missing)}")
    return at


# --- commands ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """What `show` has to show: an expression, compiled, and perhaps a point."""

    expression: ExpressionFunction
    function: CompiledFunction
    point: Point | None

    @property
    def picture(self) -> "Picture":
        """The program; at a point, the graph with its numbers."""
        from gradcompile.show.drawing import draw  # graphviz loads on first use

        if self.point is None:
            return self.function.draw()
        root = self.expression.graph(self.point)
        root.backward()
        return draw(root)


VIEWS: Mapping[str, tuple[str, Callable[[Shown], str]]] = {
    "python": ("python", lambda shown: shown.function.source),
    "ir": ("text", lambda shown: str(shown.function.program)),
    "llvm": ("llvm", lambda shown: shown.function.value_and_grad.llvm()),
    "asm": ("gas", lambda shown: shown.function.value_and_grad.asm()),
    "dot": ("dot", lambda shown: shown.picture.source),
    "svg": ("xml", lambda shown: shown.picture.svg()),
}
"""What `show --as` offers: the language to highlight, and how to make the text."""


def show(options: argparse.Namespace) -> int:
    """Print a view of an expression; the numbers at a point go to stderr."""
    expression = ExpressionFunction(options.expression)
    point = None if options.at is None else _point(expression, options.at)
    function = expression.compiled(options.wrt)
    language, text = VIEWS[options.view]
    print_code(console(), text(Shown(expression, function, point)), language)
    if point is not None:
        sys.stdout.flush()
        _print_numbers(function, point, expression.names)
    return 0


def _print_numbers(function: CompiledFunction, point: Point, names: list[str]) -> None:
    """Run the emitted text at a point, and print what it returns."""
    kernel = function.value_and_grad
    signature = kernel._build().request.signature
    given = signature.arguments(np.array([point[name] for name in names]))
    value, gradient = kernel.python(*given)
    numbers = np.hstack(gradient).tolist()
    slopes = {f"d/d{name}": x for name, x in zip(function.wrt, numbers, strict=True)}
    rows = {"value": float(value), **slopes}
    out = console(stderr=True)
    at = ", ".join(f"{name}={point[name]!r}" for name in names)
    out.print(f"at {at}", style="dim", markup=False, soft_wrap=True)
    for title, number in rows.items():
        width = max(map(len, rows))
        out.print(f"{title:{width}}  {number!r}", markup=False, soft_wrap=True)


def verify(options: argparse.Namespace) -> int:
    """Print the verification report of an expression; exit code 1 if a derivative is refuted."""
    report = ExpressionFunction(options.expression).compiled().verify()
    for derivative in report:
        print_derivative(console(), derivative)
    return 0 if report.ok else 1


def run_demo(options: argparse.Namespace) -> int:
    """Tell the story of one of the demos."""
    DEMOS[options.demo](console(), options.output)
    return 0


# --- arguments ---------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _names(text: str) -> list[str]:
    # Normalized as Python's parser does with the names in an expression.
    return [unicodedata.normalize("NFKC", name.strip()) for name in text.split(",")]


def _numbers(text: str) -> Point:
    point: Point = {}
    for item in _names(text):
        name, equals, number = (part.strip() for part in item.partition("="))
        try:
            value = float(number)
        except ValueError:
            value = None
        if not (name and equals) or value is None:
            raise argparse.ArgumentTypeError(f"expected name=number, got {shorten(item)!r}")
        if name in point:
            raise argparse.ArgumentTypeError(f"{shorten(name)!r} is given twice")
        point[name] = value
    return point


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gradcompile",
        description="A compiler for scalar expression graphs.",
        epilog="An expression is Python: numbers, names, + - * / **, and or not, comparisons, "
        f"`a if c else b`, the functions {', '.join(TABLE)}, "
        f"and of lists such as [x, 2*y] {', '.join(COMPOSITE)}. "
        f"The names {', '.join(NAMED_NUMBERS)} are numbers; every other name is an input.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser(
        "demo", help="see the whole way from an expression to machine code"
    )
    command.add_argument("demo", metavar="DEMO", choices=DEMOS, help=" or ".join(DEMOS))
    command.add_argument(
        "--output", metavar="PATH", help="where to save the picture (.svg or .png)"
    )
    command.set_defaults(run=run_demo)

    command = commands.add_parser("show", help="print the code of an expression and its gradient")
    command.add_argument("expression", metavar="EXPR", help='such as "tanh(x*w + b)"')
    command.add_argument(
        "--at", type=_numbers, metavar="a=1,b=2", help="print value and gradient there, on stderr"
    )
    command.add_argument(
        "--wrt", type=_names, metavar="a,b", help="differentiate by these inputs only"
    )
    command.add_argument(
        "--as",
        dest="view",
        choices=VIEWS,
        default="python",
        help="what to print (default: %(default)s)",
    )
    command.set_defaults(run=show)

    command = commands.add_parser(
        "verify", help="check each derivative in the code of an expression"
    )
    command.add_argument("expression", metavar="EXPR", help='such as "tanh(x*w + b)"')
    command.set_defaults(run=verify)
    return parser


def _protected(arguments: Sequence[str]) -> list[str]:
    """Put a space before arguments like `-x**2`, so that argparse takes them for no options."""
    return [f" {text}" if re.match(r"-[^-]", text) and text != "-h" else text for text in arguments]


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Print warnings as one line without the line of code, which says nothing to a user."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(
            f"gradcompile: warning: {message}", file=sys.stderr
        )
        yield


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments; those of the process, if not given.

    Returns:
        The exit code: 0; 1 if `verify` refutes a derivative; 2 after an error.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows no µ
    try:
        with _plain_warnings():
            options = _parser().parse_args(_protected(sys.argv[1:] if argv is None else argv))
            code: int = options.run(options)
            sys.stdout.flush()
            return code
    except BrokenPipeError:
        # The reader has enough; without this, Python would report the pipe once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        print(f"gradcompile: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
