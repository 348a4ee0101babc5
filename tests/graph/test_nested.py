"""Nested arguments come apart into leaves and a structure, and together again."""

from collections import namedtuple

import numpy as np
import pytest

from gradcompile.graph.nested import NUMBER, Structure, flatten, paths, unflatten

Pair = namedtuple("Pair", "left right")

NESTED = {
    "a number": (2.5, [2.5], ["p"]),
    "a list": ([1.0, 2.0], [1.0, 2.0], ["p0", "p1"]),
    "a tuple of lists": (([1.0], [2.0, 3.0]), [1.0, 2.0, 3.0], ["p0_0", "p1_0", "p1_1"]),
    "a dict": ({"w": [1.0, 2.0], "b": 3.0}, [1.0, 2.0, 3.0], ["p_w0", "p_w1", "p_b"]),
    "a namedtuple": (Pair(1.0, [2.0]), [1.0, 2.0], ["p_left", "p_right0"]),
    "nothing": ([], [], []),
    "nothing inside": ([[], {"a": ()}, 1.0], [1.0], ["p2"]),
}


@pytest.mark.parametrize("name", NESTED)
def test_leaves_are_in_order_and_come_back(name):
    tree, expected, names = NESTED[name]
    leaves, structure = flatten(tree)
    assert leaves == expected
    assert structure.size == len(expected)
    assert list(paths(structure, "p")) == names
    again = unflatten(structure, leaves)
    assert again == tree
    assert type(again) is type(tree)


def test_an_array_comes_back_with_its_shape():
    tree = {"w": np.array([[1, 2, 3], [4, 5, 6]])}
    leaves, structure = flatten(tree)
    assert leaves == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert list(paths(structure, "p"))[:4] == ["p_w0_0", "p_w0_1", "p_w0_2", "p_w1_0"]
    again = unflatten(structure, leaves)["w"]
    assert again.dtype == np.float64
    np.testing.assert_array_equal(again, tree["w"])


def test_other_leaves_make_an_array_of_objects():
    _, structure = flatten(np.zeros(2))
    assert unflatten(structure, ["a", "b"]).dtype == object


def test_what_else_is_a_leaf_is_said_by_the_caller():
    leaves, structure = flatten([1.0, "x"], is_leaf=lambda x: isinstance(x, str))
    assert leaves == [1.0, "x"]
    assert structure.is_vector


def test_structures_are_equal_when_their_shapes_are():
    def structure(tree):
        return flatten(tree)[1]

    assert structure([1.0, 2.0]) == structure([3, np.float32(4)])
    assert hash(structure({"a": [1.0]})) == hash(structure({"a": [2.0]}))
    different = [
        1.0,
        [1.0],
        (1.0,),
        [1.0, 2.0],
        {"a": 1.0},
        {"b": 1.0},
        np.ones(1),
        np.ones((1, 1)),
    ]
    assert len(set(map(structure, different))) == len(different)
    assert structure(1) is NUMBER
    assert structure([1, 2]).is_vector
    assert not structure([[1], 2]).is_vector


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (1.0, "a number"),
        ([1.0, 2.0], "a list of length 2, each a number"),
        ([1.0, [2.0]], "a list of length 2"),
        ({"a": 1.0}, "a dict with keys ['a']"),
        (np.ones((2, 3)), "an array of shape (2, 3)"),
    ],
)
def test_a_structure_says_what_it_is(tree, text):
    assert str(flatten(tree)[1]) == text


@pytest.mark.parametrize(
    "tree", ["text", None, True, 1j, [1.0, "text"], {1.0}, np.array(["a"]), np.array([1j])]
)
def test_anything_else_is_refused(tree):
    with pytest.raises(TypeError, match="expected"):
        flatten(tree)


def test_an_array_of_lists_is_refused():
    array = np.empty(1, object)
    array[0] = [1.0]
    with pytest.raises(TypeError, match="an array of numbers, got one of lists"):
        flatten(array)


def test_a_number_beyond_the_floats_is_infinite():
    leaves, _ = flatten(np.array([np.longdouble("1e4000")]))
    assert leaves == [np.inf]


def test_a_structure_without_parts_has_no_leaves():
    assert Structure(list).size == 0


def test_arrays_of_arrays_of_numbers_hold_all_of_them():
    nested = np.empty(2, object)
    nested[:] = [np.float64(1.0), 2]
    leaves, structure = flatten(nested)
    assert leaves == [1.0, 2.0]
    assert (structure.kind, structure.keys) == ("array", (2,))
    assert flatten(np.array(3.0))[0] == [3.0]
