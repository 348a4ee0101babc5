"""Pictures of expression graphs and programs; the only importer of graphviz.

A value is a box `{ label | data | grad }`, an operation a small ellipse between its operands and
its result, a number in an expression only the number. What nothing was computed for is blue, the
reverse sweep of a program orange, and what is returned has a strong border.

    >>> from gradcompile import Value
    >>> a = Value(2.0, label="a")
    >>> draw(a * a + 1.0).svg().startswith("<?xml")
    True
"""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import graphviz

from gradcompile.ir import Const, Operand, Program, Var
from gradcompile.ops import Op
from gradcompile.value import Constant, TracedValue, Value, topological

LIMIT = 2_000
"""The most nodes (values, numbers and operations) that are laid out: beyond it takes minutes."""

LONGEST = 32
"""Characters of a label that are shown."""

DIRECTIONS = ("LR", "TB", "RL", "BT")
"""Where a graph may grow to: from left to right, from top to bottom, …"""

# graphviz-pure measures and paints Helvetica as its Arimo, and both engines write it to SVG with
# a sans-serif to fall back on; "Arimo" would become a serif in a browser that lacks it.
_FONT = {"fontname": "Helvetica", "fontsize": "11", "fontcolor": "#1f2933"}
# Operands from top to bottom in their order: a - b does not look like b - a.
_GRAPH = {"nodesep": "0.2", "ranksep": "0.3", "ordering": "in", "pad": "0.1"}
_EDGE = {"color": "#8896a5", "arrowsize": "0.55", "penwidth": "0.9"}
_NODE = {
    **_FONT,
    "shape": "record",
    "style": "rounded,filled",
    "width": "0.5",
    "height": "0.32",
    "margin": "0.1,0.04",
    "color": "#8896a5",
    "fillcolor": "#f7f8fa",
}

Style = dict[str, str]
_FORWARD: Style = {}
_REVERSE: Style = {"color": "#d9822b", "fillcolor": "#fff1e0"}
_INPUT: Style = {"color": "#3d7eb8", "fillcolor": "#e3f0fb"}
_OUTPUT: Style = {"penwidth": "2"}
_OPERATION: Style = {
    "shape": "ellipse",
    "style": "filled",
    "fontsize": "12",
    "width": "0.34",
    "height": "0.34",
    "margin": "0.04,0.02",
}
_CONSTANT: Style = {
    "shape": "plaintext",
    "width": "0",
    "height": "0",
    "margin": "0.04,0.03",
    "fillcolor": "transparent",
    "fontcolor": "#7b8794",
}

_ESCAPES = str.maketrans(
    {
        # Entities are decoded after the record's syntax is read and before backslashes are.
        "\\": r"\\",
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "{": "&#123;",
        "|": "&#124;",
        "}": "&#125;",
    }
)


@dataclass(frozen=True)
class Picture:
    """A drawing of a graph, which notebooks show.

    Args:
        digraph: the `graphviz.Digraph`, free to be restyled.
        nodes: how many nodes it has.

    Example:
        >>> from gradcompile import Value
        >>> picture = draw(Value(2.0, label="a").exp())
        >>> picture.nodes, picture.png()[1:4]
        (3, b'PNG')
    """

    digraph: graphviz.Digraph
    nodes: int

    @property
    def source(self) -> str:
        """The DOT text; there is no limit to its size.

        >>> print(draw(Value(2.0)).source.splitlines()[-2].strip())
        n0 [label="{ data 2.0000 | grad 0.0000 }" color="#3d7eb8" fillcolor="#e3f0fb"]
        """
        text: str = self.digraph.source
        return text

    def svg(self) -> str:
        """The picture as an SVG document.

        Raises:
            ValueError: it has more than `LIMIT` nodes.
            RuntimeError: there is neither a `dot` nor a `graphviz-pure`.
        """
        return self._render("svg", dpi=72).decode()

    def png(self) -> bytes:
        """The picture as the bytes of a PNG file, sharp on screens of high resolution.

        Raises:
            ValueError: it has more than `LIMIT` nodes.
            RuntimeError: there is neither a `dot` nor a `graphviz-pure`.
        """
        return self._render("png", dpi=192)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file.

        Args:
            path: the file; its suffix, .svg, .png, .dot or .gv, says the format.

        Returns:
            The path.

        Raises:
            ValueError: another suffix; or more than `LIMIT` nodes, except for .dot and .gv.
            RuntimeError: there is neither a `dot` nor a `graphviz-pure`.
            OSError: the file cannot be written.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     draw(Value(2.0).exp()).save(f"{folder}/graph.svg").name
            'graph.svg'
        """
        path = Path(path)
        match path.suffix.lower():
            case ".svg":
                content = self.svg().encode()
            case ".png":
                content = self.png()
            case ".dot" | ".gv":
                content = self.source.encode()
            case suffix:
                raise ValueError(f"a picture is saved as .svg, .png, .dot or .gv, not {suffix!r}")
        path.write_bytes(content)
        return path

    def _repr_svg_(self) -> str:
        return self.svg()

    def _render(self, format_: str, dpi: int) -> bytes:
        if self.nodes > LIMIT:
            raise ValueError(
                f"the graph has {self.nodes:,} nodes, and more than {LIMIT:,} are not laid out; "
                "`.source` has its DOT text"
            )
        digraph = self.digraph.copy()
        digraph.graph_attr["dpi"] = str(dpi)
        if shutil.which("dot"):
            content: bytes = digraph.pipe(format=format_, quiet=True)
            return content
        # The graphviz package runs nothing but `dot`.
        command = [_graphviz_pure(), f"-T{format_}"]
        source = digraph.source.encode()
        return subprocess.run(command, input=source, capture_output=True, check=True).stdout


def draw(target: Value | Program, *, rankdir: str = "LR") -> Picture:
    """A picture of an expression graph or of a program, at any depth.

    Args:
        target: a `Value`, drawn with what it was made from; or a `Program`, drawn with its names
            and operations. An inner value that has neither a name nor a number is not drawn:
            its operation stands for it.
        rankdir: where the graph grows to: "LR" (left to right), "TB" (top to bottom), "RL", "BT".

    Returns:
        The picture, not laid out yet.

    Raises:
        TypeError: `target` is neither a Value nor a Program.
        ValueError: `rankdir` is none of the four.

    Example:
        >>> from gradcompile import Value
        >>> a = Value(2.0, label="a")
        >>> print(*draw(a * a).source.splitlines()[-4:-1], sep="\\n")
                n0 -> n1
                n0 -> n1
                n1 -> n2
    """
    if rankdir not in DIRECTIONS:
        raise ValueError(f"rankdir is one of {', '.join(DIRECTIONS)}, not {rankdir!r}")
    sketch = _Sketch(rankdir)
    if isinstance(target, Value):
        _draw_values(sketch, target)
    elif isinstance(target, Program):
        _draw_program(sketch, target)
    else:
        raise TypeError(f"draw: expected a Value or a Program, got {type(target).__name__}")
    return Picture(sketch.digraph, sketch.nodes)


def svg(target: Value | Program) -> str:
    """The SVG document of `draw(target)`; raises what `draw` and `Picture.svg` raise.

    >>> from gradcompile import Value
    >>> "data 2.0000" in svg(Value(2.0))
    True
    """
    return draw(target).svg()


class _Sketch:
    """A graph under construction. Names of nodes are numbers, never made from labels."""

    def __init__(self, rankdir: str) -> None:
        self.nodes = 0
        self.digraph = graphviz.Digraph(
            graph_attr={**_GRAPH, "rankdir": rankdir}, node_attr=_NODE, edge_attr=_EDGE
        )

    def node(self, label: str, *styles: Style) -> str:
        name = f"n{self.nodes}"
        self.nodes += 1
        attributes = {key: value for style in styles for key, value in style.items()}
        self.digraph.node(name, label, **attributes)
        return name

    def value(self, fields: Iterable[str], *styles: Style) -> str:
        return self.node(f"{{ {' | '.join(map(_escaped, fields))} }}", *styles)

    def constant(self, value: float, *styles: Style) -> str:
        return self.node(f"{value:.6g}", _CONSTANT, *styles)

    def operation(self, op: Op, operands: Iterable[str], *styles: Style) -> str:
        name = self.node(_escaped(op.symbol or op.name), *styles, _OPERATION)
        for operand in operands:
            self.digraph.edge(operand, name)
        return name


def _draw_values(sketch: _Sketch, root: Value) -> None:
    names: dict[int, str] = {}
    for value in topological(root):
        output = _OUTPUT if value is root else {}
        if isinstance(value, Constant):
            names[id(value)] = sketch.constant(value.data, output)
            continue
        fields = _fields(value)
        if value.op is None:
            names[id(value)] = sketch.value(fields or ["input"], _INPUT, output)
            continue
        operands = [names[id(operand)] for operand in value.operands]
        names[id(value)] = _result(sketch, value.op, operands, fields, _FORWARD, output)


def _draw_program(sketch: _Sketch, program: Program) -> None:
    outputs = set(program.flat_outputs)
    names: dict[Operand, str] = {}

    def read(operand: Operand) -> str:
        return sketch.constant(operand.value) if isinstance(operand, Const) else names[operand]

    for number, var in enumerate(program.inputs, start=1):
        output = _OUTPUT if var in outputs else {}
        # Without a name it is called as in the printed program.
        names[var] = sketch.value([var.full_name or f"%{number}"], _INPUT, output)
    for result, op, operands, origin in program.instructions:
        sweep = _FORWARD if origin is None and result.primal is None else _REVERSE
        output = _OUTPUT if result in outputs else {}
        fields = [result.full_name] if result.full_name else []
        names[result] = _result(sketch, op, map(read, operands), fields, sweep, output)
    for operand in program.flat_outputs:
        if isinstance(operand, Const):
            sketch.constant(operand.value, _OUTPUT)


def _result(
    sketch: _Sketch,
    op: Op,
    operands: Iterable[str],
    fields: list[str],
    sweep: Style,
    output: Style,
) -> str:
    """Draw an operation and its result; the operation alone if the result has nothing to show."""
    if not fields:
        return sketch.operation(op, operands, sweep, output)
    operation = sketch.operation(op, operands, sweep)
    result = sketch.value(fields, sweep, output)
    sketch.digraph.edge(operation, result)
    return result


def _fields(value: Value) -> list[str]:
    label = [value.label] if value.label else []
    if isinstance(value, TracedValue):
        return label
    return [*label, f"data {_number(value.data)}", f"grad {_number(value.grad)}"]


def _number(x: float) -> str:
    """Four decimals as in micrograd, unless that hides a small number or drags out a large one."""
    return f"{x:.4g}" if 0.0 < abs(x) < 1e-3 or 1e6 <= abs(x) else f"{x:.4f}"


def _escaped(label: str) -> str:
    """A label as DOT that shows as it is: one line, shortened, and without any syntax."""
    text = " ".join(label[: 4 * LONGEST].split())
    if len(text) > LONGEST or len(label) > 4 * LONGEST:
        text = f"{text[: LONGEST - 1]}…"
    # Control characters are no XML, and a lone surrogate is no UTF-8.
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text.translate(_ESCAPES)


def _graphviz_pure() -> str:
    """The executable that the package graphviz-pure installs, often not on PATH."""
    folders = [*_script_folders(), os.environ.get("PATH", "")]
    found = shutil.which("graphviz-pure", path=os.pathsep.join(folders))
    if found is None:
        raise RuntimeError(
            "pictures need Graphviz: `pip install graphviz-pure`, "
            "or install Graphviz so that `dot` is on PATH"
        )
    return found


def _script_folders() -> Iterator[str]:
    """Where the scripts of this environment are, and where graphviz-pure says it put its own."""
    yield sysconfig.get_path("scripts")
    try:
        files = metadata.files("graphviz-pure") or []
    except metadata.PackageNotFoundError:
        return
    for file in files:
        if file.stem == "graphviz-pure":
            yield str(Path(str(file.locate())).parent)
