"""Pictures: the structure of the DOT text, any label, both engines, and clear errors."""

import importlib.metadata
import math
import os
import re
import struct
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcompile import Value
from gradcompile.autodiff.reverse import reverse
from gradcompile.graph.lower import lower
from gradcompile.graph.value import TracedValue
from gradcompile.ir.program import Const, Program, Var
from gradcompile.ops import table
from gradcompile.passes import run_passes
from gradcompile.show.drawing import MAX_LABEL_LENGTH, MAX_NODES, Picture, draw, svg

LABELS = [
    "x",
    "x; import os",
    "<b>",
    "<b>bold</b>",
    "a|b{c}",
    '"quote"',
    r"back\slash \N \n \l \G \\ \| \{ \"",
    "ends in \\",
    "&lt;b&gt; &amp; &#65; &",
    "a -> b; // c /* d */ # e",
    "é ∂θ × σ 中 🙂",
    "]; n0 [label=evil",
    "n0",
    "x",
]


def nodes(picture: Picture) -> dict[str, tuple[str, str]]:
    """Name → (label, style)."""
    found = re.findall(r'^\t(n\d+) \[label="((?:\\.|[^"\\])*)"(.*)\]$', picture.source, re.M)
    return {name: (label, style) for name, label, style in found}


def edges(picture: Picture) -> list[tuple[str, str]]:
    """(label of the tail, label of the head) in the order of the text."""
    labels = {name: label for name, (label, _) in nodes(picture).items()}
    found = re.findall(r"^\t(\w+) -> (\w+)(?::\w)?$", picture.source, re.M)
    return [(labels[tail], labels[head]) for tail, head in found]


def style(picture: Picture, label: str) -> str:
    (found,) = {style for text, style in nodes(picture).values() if text == label}
    return found


def texts(document: str) -> list[str]:
    """What an SVG shows."""
    root = ET.fromstring(document)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {x.tag.partition("}")[2] for x in root.iter()} <= {
        "svg", "g", "title", "text", "path", "polygon", "polyline", "ellipse"
    }  # fmt: skip
    return [x.text or "" for x in root.iter("{http://www.w3.org/2000/svg}text")]


def neuron() -> tuple[Program, Program]:
    """A neuron, and the same with its gradient."""
    w, x, b = (TracedValue(None, (), name) for name in ("w", "x", "b"))
    n = w * x + b
    n.label = "n"
    forward = lower([n.tanh()], [w, x, b], ["w", "x", "b"], "neuron").program
    return forward, run_passes(reverse(forward, range(3)))


def horner(degree: int) -> Value:
    x = Value(1.0, "x")
    y = x
    for _ in range(degree - 1):
        y = y * x + 0.5
    return y


@pytest.fixture
def no_path(monkeypatch):
    monkeypatch.setenv("PATH", "")


# --- structure -----------------------------------------------------------------------------------


def test_values_and_operations():
    a = Value(2.0, "a")
    y = a * -3.0
    y.label = "y"
    y.backward()
    picture = draw(y)
    a_box, y_box = "{ a | data 2.0000 | grad -3.0000 }", "{ y | data -6.0000 | grad 1.0000 }"
    assert edges(picture) == [(a_box, "*"), ("-3", "*"), ("*", y_box)]
    assert picture.nodes == len(nodes(picture)) == 4
    assert style(picture, a_box) != style(picture, y_box)
    assert "ellipse" in style(picture, "*")
    assert "plaintext" in style(picture, "-3")


def test_operands_in_order():
    a, b = Value(1.0, "a"), Value(2.0, "b")
    box_a, box_b = "{ a | data 1.0000 | grad 0.0000 }", "{ b | data 2.0000 | grad 0.0000 }"
    assert edges(draw(a / b))[:2] == [(box_a, "/"), (box_b, "/")]
    assert edges(draw(b / a))[:2] == [(box_b, "/"), (box_a, "/")]
    assert edges(draw(a * a))[:2] == [(box_a, "*"), (box_a, "*")]
    picked = edges(draw(table.where(a, b, a)))[:3]
    assert picked == [(box_a, "where"), (box_b, "where"), (box_a, "where")]


def test_operands_are_laid_out_in_order():
    a, b = TracedValue(None, (), "a"), TracedValue(None, (), "b")
    # The fewest crossings would have tanh beside exp.
    root = ET.fromstring(svg((a.exp() - b.sin()) / (b.cos() - a.tanh())))
    heights = {x.text: float(x.attrib["y"]) for x in root.iter("{http://www.w3.org/2000/svg}text")}
    order = ["exp", "sin", "cos", "tanh"]
    assert sorted(order, key=lambda name: heights[name]) == order


def test_shared_values_are_drawn_once_and_constants_at_each_use():
    a = Value(1.0, "a")
    b = a.exp()
    picture = draw((b + 1.0) * (b + 1.0))
    labels = [label for label, _ in nodes(picture).values()]
    assert labels.count("{ a | data 1.0000 | grad 0.0000 }") == 1
    assert labels.count("exp") == 1
    assert labels.count("1") == 2


def test_a_leaf_alone():
    assert list(nodes(draw(Value(2.0)))) == ["n0"]
    assert texts(svg(Value(2.0))) == ["data 2.0000", "grad 0.0000"]


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (-0.0, "-0.0000"),
        (1 / 3, "0.3333"),
        (-1e-9, "-1e-09"),
        (1e300, "1e+300"),
    ],
)
def test_numbers(number, shown):
    value = Value(number)
    value.grad = number
    assert texts(svg(value)) == [f"data {shown}", f"grad {shown}"]
    assert f"{number:.6g}" in texts(svg(Value(1.0) + number))


def test_traced_values_have_no_numbers():
    t = TracedValue(None, (), "t")
    picture = draw((t * 3.0).exp() - TracedValue(None, ()))
    assert edges(picture) == [
        ("{ t }", "*"), ("3", "*"), ("*", "exp"), ("exp", "-"), ("{ input }", "-")
    ]  # fmt: skip
    assert sorted(texts(picture.svg())) == ["*", "-", "3", "exp", "input", "t"]


@pytest.mark.parametrize("rankdir", ["LR", "TB", "RL", "BT"])
def test_directions(rankdir):
    picture = draw(Value(2.0, "a").exp(), rankdir=rankdir)
    assert f"rankdir={rankdir}" in picture.source
    assert "a" in texts(picture.svg())


def test_refused_arguments():
    with pytest.raises(ValueError, match="rankdir is one of LR, TB, RL, BT, not 'up'"):
        draw(Value(1.0), rankdir="up")
    with pytest.raises(TypeError, match="expected a Value or a Program, got float"):
        draw(1.0)


# --- programs ------------------------------------------------------------------------------------


def test_program():
    forward, _ = neuron()
    picture = draw(forward)
    assert edges(picture) == [
        ("{ w }", "*"), ("{ x }", "*"), ("*", "+"), ("{ b }", "+"), ("+", "{ n }"),
        ("{ n }", "tanh"),
    ]  # fmt: skip
    assert style(picture, "{ w }") == style(picture, "{ x }") != style(picture, "{ n }")
    assert "penwidth" in style(picture, "tanh")
    assert "data" not in picture.source


def test_the_sweeps_differ():
    forward, both = neuron()
    picture = draw(both)
    reverse_tint = style(picture, "{ n_bar }").strip()
    assert reverse_tint
    for name in ("w", "x", "b"):
        assert reverse_tint in style(picture, f"{{ {name}_bar }}")
        assert "penwidth" in style(picture, f"{{ {name}_bar }}")
        assert style(picture, f"{{ {name} }}") == style(draw(forward), f"{{ {name} }}")
    assert reverse_tint not in style(picture, "{ n }")
    tinted = [label for label, style in nodes(picture).values() if reverse_tint in style]
    operations = sum(x.origin is not None for x in both.instructions)
    assert len([label for label in tinted if not label.startswith("{")]) == operations
    assert {"w_bar", "x_bar", "b_bar", "n_bar", "w", "x", "b", "n"} <= set(texts(picture.svg()))


def test_program_without_names_or_instructions():
    x = Var()
    picture = draw(Program("f", (x,), (), (x, (Const(0.0),))))
    assert [label for label, _ in nodes(picture).values()] == ["{ %1 }", "0"]
    assert texts(picture.svg()) == ["%1", "0"]


# --- labels are data -----------------------------------------------------------------------------


def test_labels_show_as_they_are():
    root = sum((Value(1.0, label) for label in LABELS), Value(0.0))
    picture = draw(root)
    shown = texts(picture.svg())
    for label in LABELS:
        assert shown.count(
            label if len(label) <= MAX_LABEL_LENGTH else f"{label[: MAX_LABEL_LENGTH - 1]}…"
        ) == (LABELS.count(label))
    assert set(re.findall(r"^\t(\w+) (?:\[|->)", picture.source, re.M)) - {
        "graph", "node", "edge"
    } == {f"n{i}" for i in range(picture.nodes)}  # fmt: skip
    assert picture.png().startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("two\nlines\tand\r\nmore ", "two lines and more"),
        ("\0\x1b[31m\ud800\u202e", "��[31m��"),
        ("x" * 10_000, "x" * (MAX_LABEL_LENGTH - 1) + "…"),
        (" " * 10_000 + "x", "…"),
        ("x" * MAX_LABEL_LENGTH, "x" * MAX_LABEL_LENGTH),
    ],
)
def test_labels_that_cannot_show_as_they_are(label, shown):
    assert texts(svg(Value(1.0, label)))[0] == shown
    program = lower([Value(1.0)], [], [], "f").program
    assert texts(svg(Program("f", (Var(label),), (), program.outputs)))[0] == shown


def test_no_label():
    assert texts(svg(Value(1.0, ""))) == ["data 1.0000", "grad 0.0000"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=MAX_LABEL_LENGTH), max_size=20))
def test_any_label(labels):
    shown = texts(svg(sum((Value(1.0, label) for label in labels), Value(0.0))))
    for label in labels:
        text = " ".join(label.split())
        if text.isprintable() and text:
            assert text in shown


# --- rendering -----------------------------------------------------------------------------------


def test_png():
    content = draw(Value(2.0, "a").exp()).png()
    width, height = struct.unpack(">II", content[16:24])
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert 300 < width < 3_000
    assert 50 < height < 500


def test_wide_pngs_are_scaled_down():
    width, height = struct.unpack(">II", draw(horner(60)).png()[16:24])
    assert 10_000 < max(width, height) <= 15_360


def test_notebooks_show_svg():
    picture = draw(Value(2.0, "a"))
    assert picture._repr_svg_() == picture.svg() == svg(Value(2.0, "a"))


@pytest.mark.parametrize("suffix", [".svg", ".SVG", ".png", ".dot", ".gv"])
def test_save(tmp_path, suffix):
    picture = draw(Value(2.0, "é"))
    path = tmp_path / f"graph{suffix}"
    assert picture.save(str(path)) == path
    contents = {".svg": picture.svg().encode(), ".png": picture.png()}
    assert path.read_bytes() == contents.get(suffix.lower(), picture.source.encode())


@pytest.mark.parametrize("name", ["graph.pdf", "graph"])
def test_save_refuses_other_formats(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.svg, \.png, \.dot or \.gv, not '(\.pdf)?'"):
        draw(Value(2.0)).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_path")
def test_without_anything_on_the_path():
    assert "a" in texts(svg(Value(2.0, "a")))


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
def test_the_dot_of_the_system_comes_first(tmp_path, monkeypatch):
    dot = tmp_path / "dot"
    dot.write_text('#!/bin/sh\necho "<svg>$*: $(cat)</svg>"\n')
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert svg(Value(2.0, "a")).startswith("<svg>-Kdot -Tsvg: digraph {")


@pytest.mark.usefixtures("no_path")
def test_without_any_graphviz(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "distributions", lambda **_: iter(()))
    picture = draw(Value(2.0, "a"))
    with pytest.raises(RuntimeError, match=r"^pictures need Graphviz: run `pip install"):
        picture.svg()
    assert "{ a | data 2.0000" in picture.source


# --- size ----------------------------------------------------------------------------------------


def test_the_limit(tmp_path):
    picture = draw(horner(MAX_NODES))
    message = (
        rf"a graph of {picture.nodes:,} nodes is too large to lay out, the limit is {MAX_NODES:,}"
    )
    for render in (picture.svg, picture.png, lambda: picture.save(tmp_path / "graph.svg")):
        with pytest.raises(ValueError, match=message):
            render()
    assert picture.save(tmp_path / "graph.dot").read_text(encoding="utf-8") == picture.source


def test_long_chains_are_laid_out():
    # With Graphviz's own settings this takes minutes.
    assert "x" in texts(svg(horner(100)))


def test_a_deep_graph_has_dot_text():
    depth = 20_000
    assert depth > 10 * sys.getrecursionlimit()
    y = Value(1.0, "x")
    for _ in range(depth):
        y = y.sin()
    picture = draw(y)
    assert picture.nodes == 2 * depth + 1
    assert picture.source.count("->") == 2 * depth
