"""Traces: arguments, their names and their structures."""

from gradcompile import Value
from gradcompile.graph.trace import trace_graph


def test_arguments_of_a_graph_are_named_by_their_labels():
    a, b, c = Value(1.0, "a"), Value(2.0, "b"), Value(3.0)
    traced = trace_graph(a * b * c, [b, [a, c]], "f")
    assert list(traced.arguments) == ["b", "x1"]
