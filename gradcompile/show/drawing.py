"""Pictures of expression graphs and programs; the only importer of graphviz.

A value is a box `{ label | data | grad }`, an operation a small ellipse between its operands and
its result, a number in an expression just the number. Inputs are blue, the reverse sweep of a
program is orange, and what is returned has a strong border.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import graphviz

from gradcompile.graph.value import Constant, TracedValue, Value, topological
from gradcompile.ir.program import Const, Operand, Program
from gradcompile.ops.op import Op

MAX_NODES = 2_000
"""The most nodes (values, numbers and operations) that are laid out, mostly in a second."""

MAX_LABEL_LENGTH = 32
"""Characters of a label that are shown."""

DIRECTIONS = {"LR": ("e", "w"), "TB": ("s", "n"), "RL": ("w", "e"), "BT": ("n", "s")}
"""Where a graph may grow to, and on which sides of a node edges then leave and enter."""

# fmt: off
_GRAPH = {
    "ordering": "in",  # operands in order from the top: a - b does not look like b - a
    "nslimit": "1",  # without it a polynomial of degree 100 in Horner's form takes a minute
    "nodesep": "0.2", "ranksep": "0.5", "pad": "0.1",
}
# From this many nodes on; the reverse sweep of such a polynomial takes minutes otherwise.
_COARSE_FROM = 300
_COARSE = {"splines": "line", "nslimit": "0.2", "mclimit": "0.1"}
# A bitmap of 15,360 pixels at most: graphviz-pure runs out of memory far beyond.
_FORMATS: dict[str, dict[str, str]] = {"svg": {}, "png": {"dpi": "192", "size": "80"}}
_NODE = {
    # graphviz-pure has Helvetica's metrics (its Arimo), and an SVG falls back to a sans-serif.
    "fontname": "Helvetica", "fontsize": "11", "fontcolor": "#1f2933",
    "shape": "record", "style": "rounded,filled", "color": "#8896a5", "fillcolor": "#f7f8fa",
    "width": "0.5", "height": "0.32", "margin": "0.1,0.04",
}
_EDGE = {"color": "#8896a5", "arrowsize": "0.55", "penwidth": "0.9"}
# fmt: on

# DOT text; of two values of an attribute the later one holds.
_INPUT = ' color="#3d7eb8" fillcolor="#e3f0fb"'
_REVERSE = ' color="#d9822b" fillcolor="#fff1e0"'
_OUTPUT = " penwidth=2"
_OPERATION = ' shape=ellipse style=filled fontsize=12 width=0.34 height=0.34 margin="0.04,0.02"'
_CONSTANT = ' shape=plaintext style="" width=0 height=0 margin="0.04,0.03" fontcolor="#7b8794"'

_ESCAPES = str.maketrans({c: f"\\{c}" for c in '\\"{|}<>'} | {"&": "&amp;"})


@dataclass(frozen=True)
class Picture:
    """A drawing of a graph; notebooks show it.

    Attributes:
        digraph: the `graphviz.Digraph`.
        nodes: how many nodes it has.

    Raises:
        ValueError: by what renders it, if it has more than `MAX_NODES` nodes.
        RuntimeError: by what renders it, if there is neither a `dot` nor a `graphviz-pure`.

    Example:
        >>> picture = draw(Value(2.0, label="a").exp())
        >>> picture.nodes, picture.png()[1:4]
        (3, b'PNG')
    """

    digraph: graphviz.Digraph
    nodes: int

    @property
    def source(self) -> str:
        """The DOT text, however large the graph."""
        return str(self.digraph.source)

    def svg(self) -> str:
        """Lay the picture out as an SVG document."""
        return self._render("svg").decode()

    def png(self) -> bytes:
        """Lay the picture out as a PNG file, sharp on screens of high resolution."""
        return self._render("png")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file and return its path.

        Args:
            path: its suffix says the format: .svg, .png, or .dot or .gv for the DOT text.

        Raises:
            ValueError: it has another suffix, or the graph is too large to render.
            OSError: the file cannot be written.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     draw(Value(2.0).exp()).save(f"{folder}/graph.svg").name
            'graph.svg'
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in (".svg", ".png", ".dot", ".gv"):
            raise ValueError(f"a picture is saved as .svg, .png, .dot or .gv, not {suffix!r}")
        format_ = suffix[1:]
        path.write_bytes(self._render(format_) if format_ in _FORMATS else self.source.encode())
        return path

    _repr_svg_ = svg

    def _render(self, format_: str) -> bytes:
        if self.nodes > MAX_NODES:
            raise ValueError(
                f"a graph of {self.nodes:,} nodes is too large to lay out, the limit is "
                f"{MAX_NODES:,}; `.source` has its DOT text"
            )
        digraph = self.digraph.copy()
        digraph.graph_attr.update(_FORMATS[format_])
        if shutil.which("dot"):
            return bytes(digraph.pipe(format=format_, quiet=True))
        # The graphviz package runs nothing that is not called `dot`.
        command, source = [_graphviz_pure(), f"-T{format_}"], digraph.source.encode()
        return bytes(subprocess.run(command, input=source, capture_output=True, check=True).stdout)


def draw(target: Value | Program, *, rankdir: str = "LR") -> Picture:
    """Draw an expression graph or a program, of any depth.

    An inner value that has neither a name nor a number to show is left out: its operation stands
    for it.

    Args:
        target: a `Value`, drawn with all it was made from; or a `Program`.
        rankdir: where the graph grows to: "LR" (left to right), "TB" (top to bottom), "RL", "BT".

    Returns:
        The picture, not laid out yet.

    Raises:
        TypeError: `target` is neither a Value nor a Program.
        ValueError: `rankdir` is none of the four.

    Example:
        >>> from gradcompile import Value
        >>> a = Value(2.0, label="a")
        >>> [line.strip() for line in draw(a * a).source.splitlines() if "->" in line]
        ['n0 -> n1', 'n0 -> n1', 'n1 -> n2:w']
    """
    if rankdir not in DIRECTIONS:
        raise ValueError(f"rankdir is one of {', '.join(DIRECTIONS)}, not {rankdir!r}")
    leave, enter = DIRECTIONS[rankdir]
    sketch = _Sketch(enter)
    if isinstance(target, Value):
        _draw_value(sketch, target)
    elif isinstance(target, Program):
        _draw_program(sketch, target)
    else:
        raise TypeError(f"draw: expected a Value or a Program, got {type(target).__name__}")
    coarse = _COARSE if sketch.nodes >= _COARSE_FROM else {}
    digraph = graphviz.Digraph(
        graph_attr={**_GRAPH, **coarse, "rankdir": rankdir},
        node_attr=_NODE,
        edge_attr={**_EDGE, "tailport": leave},
        body=sketch.body,
    )
    return Picture(digraph, sketch.nodes)


def svg(target: Value | Program) -> str:
    """Draw a graph and lay it out: `draw(target).svg()`, with the errors of both.

    >>> "data 2.0000" in svg(Value(2.0))
    True
    """
    return draw(target).svg()


class _Sketch:
    """The body of a graph under construction. Nodes are named by number, never by their labels."""

    def __init__(self, enter: str) -> None:
        self.nodes = 0
        self.body: list[str] = []
        self.enter = enter

    def node(self, label: str, style: str) -> str:
        name = f"n{self.nodes}"
        self.nodes += 1
        self.body.append(f'\t{name} [label="{label}"{style}]\n')
        return name

    def constant(self, value: float) -> str:
        return self.node(f"{value:.6g}", _CONSTANT)

    def value(self, fields: Iterable[str], style: str) -> str:
        return self.node(f"{{ {' | '.join(map(_escaped, fields))} }}", style)

    def result(
        self, op: Op, operands: Iterable[str], fields: list[str], sweep: str, output: str
    ) -> str:
        """Add an operation and its result; the operation alone if that has nothing to show."""
        style = sweep + _OPERATION + (output if not fields else "")
        operation = self.node(_escaped(op.symbol or op.name), style)
        self.body.extend(f"\t{operand} -> {operation}\n" for operand in operands)
        if not fields:
            return operation
        result = self.value(fields, sweep + output)
        self.body.append(f"\t{operation} -> {result}:{self.enter}\n")
        return result


def _draw_value(sketch: _Sketch, root: Value) -> None:
    names: dict[int, str] = {}
    for value in topological(root):
        output = _OUTPUT if value is root else ""
        if isinstance(value, Constant):
            names[id(value)] = sketch.constant(value.data)
        elif value.op is None:
            names[id(value)] = sketch.value(_fields(value) or ["input"], _INPUT + output)
        else:
            operands = [names[id(operand)] for operand in value.operands]
            names[id(value)] = sketch.result(value.op, operands, _fields(value), "", output)


def _draw_program(sketch: _Sketch, program: Program) -> None:
    outputs = dict.fromkeys(program.flat_outputs, _OUTPUT)
    names: dict[Operand, str] = {}
    for index, var in enumerate(program.inputs, start=1):
        # Without a name it is called as in the printed program.
        names[var] = sketch.value([var.full_name or f"%{index}"], _INPUT + outputs.get(var, ""))
    for result, op, operands, origin in program.instructions:
        sweep = _REVERSE if origin is not None or result.primal is not None else ""
        fields = [result.full_name] if result.full_name else []
        reads = [sketch.constant(x.value) if isinstance(x, Const) else names[x] for x in operands]
        names[result] = sketch.result(op, reads, fields, sweep, outputs.get(result, ""))
    for operand in outputs:
        if isinstance(operand, Const):
            sketch.constant(operand.value)


def _fields(value: Value) -> list[str]:
    label = [value.label] if value.label else []
    if isinstance(value, TracedValue):
        return label
    return [*label, f"data {_number(value.data)}", f"grad {_number(value.grad)}"]


def _number(x: float) -> str:
    """Write four decimals as in micrograd, unless they hide a small number or drag out a large."""
    return f"{x:.4g}" if 0.0 < abs(x) < 1e-3 or abs(x) >= 1e6 else f"{x:.4f}"


def _escaped(label: str) -> str:
    """Write a label as DOT text that shows as it is: one line, shortened, without any syntax."""
    text = " ".join(label[: 4 * MAX_LABEL_LENGTH].split())
    if len(text) > MAX_LABEL_LENGTH or len(label) > 4 * MAX_LABEL_LENGTH:
        text = f"{text[: MAX_LABEL_LENGTH - 1]}…"
    # A control character is no XML and a lone surrogate no UTF-8.
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    text = text.translate(_ESCAPES)
    # Graphviz loses the plain spaces of a record after a character that is not ASCII.
    return text if text.isascii() else text.replace(" ", "&#32;")


def _graphviz_pure() -> str:
    """Find the executable that the package graphviz-pure installed: often not on PATH."""
    files = [file for x in metadata.distributions(name="graphviz-pure") for file in x.files or ()]
    folders = [str(Path(str(x.locate())).parent) for x in files if x.stem == "graphviz-pure"]
    path = os.pathsep.join([*folders, os.environ.get("PATH", "")])
    found = shutil.which("graphviz-pure", path=path)
    if found is None:
        raise RuntimeError("pictures need Graphviz: run `pip install graphviz-pure`")
    return found
