"""Lowering puts a graph in order: inputs, results, constants, at any depth."""

import pytest

from gradcompile import Value
from gradcompile.graph import lower as lowering
from gradcompile.graph.lower import lower
from gradcompile.graph.value import topological
from gradcompile.ir.interpret import interpret


def test_operands_come_before_users_and_inputs_as_given():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    product = x * y
    product.label = "product"
    root = product.sin() + product
    program = lower([root], [y, x], ["y", "x"], "f").program
    assert [var.name for var in program.inputs] == ["y", "x"]
    assert [x.op.name for x in program.instructions] == ["mul", "sin", "add"]
    assert program.instructions[0].result.name == "product"
    (value,) = interpret(program, [3.0, 2.0])
    assert value == root.data


def test_a_shared_value_is_computed_once():
    x = Value(2.0, "x")
    shared = x.exp()
    program = lower([shared * shared, shared], [x], ["x"], "f").program
    assert [x.op.name for x in program.instructions] == ["exp", "mul"]
    assert list(program.flat_outputs) == [x.result for x in reversed(program.instructions)]


def test_an_input_that_was_computed_is_cut_off():
    x = Value(2.0, "x")
    inner = x.exp()
    program = lower([inner * 3.0], [inner], ["inner"], "f").program
    assert [x.op.name for x in program.instructions] == ["mul"]


def test_other_leaves_are_constants():
    program = lower([Value(2.0, "x") * Value(5.0, "y")], [], [], "f").program
    assert list(interpret(program, [])) == [10.0]


def test_a_deep_graph_needs_no_recursion():
    root = x = Value(1.0, "x")
    for _ in range(20_000):
        root = root + 1.0
    assert len(topological(root)) == 40_001
    program = lower([root], [x], ["x"], "f").program
    assert len(program.instructions) == 20_000


def test_a_graph_beyond_memory_is_refused_before_the_work(monkeypatch):
    monkeypatch.setattr(lowering, "BYTES_A_NODE", 10**15)
    x = Value(1.0, "x")
    with pytest.raises(MemoryError, match="the graph has 2 nodes"):
        lower([x.exp()], [x], ["x"], "big")
