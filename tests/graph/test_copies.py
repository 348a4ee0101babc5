"""Graphs copy and pickle at any depth, and what was one object is one again."""

import copy
import pickle

import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.graph import copies
from gradcompile.graph.value import Constant, topological
from tests.helpers.slow import slow_but

COPIES = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "pickle in Python": lambda x: pickle._loads(pickle._dumps(x)),
    "pickle, protocol 0": lambda x: pickle.loads(pickle.dumps(x, 0)),
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(params=COPIES)
def again(request):
    return COPIES[request.param]


def chain(length):
    a = Value(1.5, label="a")
    nodes = [a]
    for k in range(length):
        nodes.append(nodes[-1] * 1.001 + (a if k % 3 else 0.25))
    return a, nodes


@pytest.mark.parametrize("length", slow_but([1, 3_000], [1, 3_000, 20_000]))
def test_a_chain_of_any_length(again, length):
    a, nodes = chain(length)
    root = nodes[-1]
    made = again(root)
    root.backward()
    made.backward()
    (other,) = [value for value in topological(made) if value.label == "a"]
    assert made.data == root.data
    assert other.grad == a.grad
    assert len(topological(made)) == len(topological(root))


def test_what_was_one_object_is_one_again(again):
    a, nodes = chain(50)
    inside, root, leaf, repeated = again((nodes[20], nodes[-1], a, [nodes[20], nodes[-1]]))
    below = {id(value) for value in topological(root)}
    assert id(inside) in below
    assert id(leaf) in below
    assert repeated[0] is inside
    assert repeated[1] is root
    assert leaf is not a


@pytest.mark.parametrize("order", [1, -1])
def test_a_list_of_all_nodes(again, order):
    _, nodes = chain(4_000)
    made = again(nodes[::order])[::order]
    below = {id(value) for value in topological(made[-1])}
    assert all(id(value) in below for value in made)
    assert [value.data for value in made] == [value.data for value in nodes]


def test_everything_is_kept(again):
    x = Value(2.0, label="x")
    y = gdc.tanh(x * -3 + 1)
    y.label = "y"
    y.backward()
    made = again(y)
    for a, b in zip(topological(y), topological(made), strict=True):
        assert (type(a), a.data, a.grad, a.label, a.op) == (type(b), b.data, b.grad, b.label, b.op)
    assert any(type(value) is Constant for value in topological(made))
    assert made.op is y.op


def test_a_copy_can_be_compiled(again):
    a, nodes = chain(30)
    leaf, root = again((a, nodes[-1]))
    expected = gdc.compile(nodes[-1], inputs=[a]).value_and_grad(2.0)
    assert gdc.compile(root, inputs=[leaf]).value_and_grad(2.0) == expected


def test_objects_of_a_subclass_keep_their_attributes(again):
    x = Named(2.0, label="x")
    x.note = "own"
    made = again((x * x, x))[1]
    assert (type(made), made.note, made.data) == (Named, "own", 2.0)


class Named(Value):
    """With attributes of its own."""


def test_a_shallow_copy_is_a_node_of_the_same_operands():
    x = Value(2.0, label="x")
    y = x * x
    made = copy.copy(y)
    assert made is not y
    assert made.operands is y.operands
    made.data = 7.0
    assert y.data == 4.0


def test_nothing_is_kept_of_a_pickle():
    _, nodes = chain(100)
    pickle.dumps(nodes)
    assert copies._PICKLED == {}
    pickle.loads(pickle.dumps(nodes))
    assert copies._PICKLED == {}


def test_a_pickle_that_fails_in_the_middle():
    _, nodes = chain(10)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps([nodes[-1], lambda: 0, nodes[-1]])
    assert pickle.loads(pickle.dumps(nodes[-1])).data == nodes[-1].data
    assert copies._PICKLED == {}


def test_each_pickle_has_what_the_graph_is_at_the_time():
    x = Value(2.0)
    y = x * x
    pickler = pickle.Pickler(Sink())
    pickler.dump(y)  # as long as it lives, it remembers
    y.backward()
    assert [value.grad for value in topological(pickle.loads(pickle.dumps(y)))] == [4.0, 1.0]


class Sink:
    """Drops what is written to it."""

    def write(self, text):
        return len(text)


def test_an_operation_of_ones_own_cannot_be_copied(again):
    x = Value(2.0)
    y = Value(4.0, (x,), "mine")

    def backward():
        x.grad += 4.0 * y.grad

    y._backward = backward
    with pytest.raises(TypeError, match="an operation of your own, 'mine', cannot be copied"):
        again(y * 2)


def test_traced_values_are_copied_as_they_are_and_never_pickled():
    assert gdc.compile(lambda p: copy.deepcopy(p)["a"] * copy.copy(p["a"])).grad({"a": 3.0}) == (
        {"a": 6.0},
    )
    with pytest.raises(gdc.TraceError, match="a traced value cannot be pickled"):
        gdc.compile(lambda x: pickle.loads(pickle.dumps(x)))(1.0)
