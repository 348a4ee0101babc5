"""Traces: arguments, their names and their structures."""

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.graph.trace import trace_graph


def test_arguments_of_a_graph_are_named_by_their_labels():
    a, b, c = Value(1.0, "a"), Value(2.0, "b"), Value(3.0)
    traced = trace_graph(a * b * c, [b, [a, c]], "f")
    assert list(traced.arguments) == ["b", "x1"]


def test_graphs_of_several_values():
    a, b = Value(2.0, "a"), Value(3.0, "b")
    f = gdc.compile({"product": a * b, "parts": [a, np.array([b + 1, 2.0])]}, name="both")
    result = f(2.0, 5.0)
    assert (result["product"], result["parts"][0]) == (10.0, 2.0)
    assert result["parts"][1].tolist() == [6.0, 2.0]
    assert f.jacobian(2.0, 5.0)["product"] == (5.0, 2.0)
    assert f.value.source.startswith("from numpy import array\n\n\ndef both(a, b):")
    assert gdc.compile((b, a), inputs=[a, b])(1.0, 4.0) == (4.0, 1.0)


@pytest.mark.parametrize(
    ("target", "got"),
    [
        (3.0, "got float 3.0"),
        ("a * b", r"got str 'a \* b'"),
        ([], r"got list \[\]"),
        ([1.0, 2.0], r"got list \[1.0, 2.0\]"),
        ([Value(1.0), "text"], r"got list \[Value.*'text'\]"),
        ({1, 2}, "got set"),
    ],
)
def test_what_holds_no_values_is_no_graph(target, got):
    with pytest.raises(TypeError, match=f"expected a function, a Value, or .* Values, {got}"):
        gdc.compile(target)
