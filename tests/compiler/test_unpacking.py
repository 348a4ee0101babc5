"""Unpacking: what machine code returns becomes what the user knows."""

from collections import namedtuple

import numpy as np

from gradcompile.compiler.calls import written_unpack
from gradcompile.compiler.results import gradient_type
from gradcompile.compiler.unpacking import Returned, ReturnedPart
from gradcompile.graph.nested import NUMBER, read
from gradcompile.ir.signature import Bundle, Signature

Point = namedtuple("Point", "x y")


def structure(argument):
    return read(argument, lambda node: False)[1]


def unpack(gradient, *structures, value=NUMBER):
    """The function that unpacks a value, and a gradient of these bundles by these arguments."""
    names = tuple(f"a{k}" for k in range(len(structures)))
    values = () if value is None else (Bundle("value", None, 0),)
    made = Signature((), values, tuple(gradient))
    parts = [] if value is None else [ReturnedPart([value], [value])]
    parts.append(ReturnedPart(structures, structures, gradient_type(names)))
    return written_unpack(Returned(made, parts))


def test_a_single_argument_takes_the_array_as_it_is():
    array = np.array([1.0, 2.0])
    value, gradient = unpack([Bundle("p", (2,), 0)], structure(array))((3.0, (array,)))
    assert value == 3.0
    assert gradient.a0 is array


def test_several_arguments_take_their_parts():
    parts = [np.array([1.0, 2.0]), 3.0, np.array([4.0, 5.0, 6.0])]
    bundles = [Bundle("p", (2,), 0), Bundle("q", None, 2), Bundle("r", (3,), 3)]
    tree = Point(0.0, [0.0, (0.0,)])
    structures = [structure([0.0, 0.0]), NUMBER, structure(tree)]
    assert unpack(bundles, *structures, value=None)(tuple(parts)) == (
        [1.0, 2.0], 3.0, Point(4.0, [5.0, (6.0,)]),
    )  # fmt: skip


class Weights(list):
    """A list of a kind of its own."""


def test_lists_of_their_own_kind_are_made_of_a_list():
    made = unpack([Bundle("p", (2,), 0)], structure(Weights([0.0, 0.0])))
    _, (gradient,) = made((1.0, (np.array([1.0, 2.0]),)))
    assert type(gradient) is Weights
    assert gradient == [1.0, 2.0]


def test_keys_and_classes_are_not_taken_for_groups():
    # There are as many groups of each kind as there may be names for what is the user's.
    count = 60
    bundles = [Bundle(f"p{k}", (2,), 2 * k) for k in range(count)]
    whole = {k: {"point": Point(*np.zeros((2, 2)))} for k in range(count // 2)}
    parts = tuple(np.array([k, k + 0.5]) for k in range(count))
    _, (gradient,) = unpack(bundles, structure(whole))((1.0, parts))
    assert list(gradient) == list(range(count // 2))
    for k, inner in gradient.items():
        assert type(inner["point"]) is Point
        assert inner["point"].x is parts[2 * k]
        assert inner["point"].y is parts[2 * k + 1]


def test_numbers_that_were_merged_are_floats():
    bundle = Bundle("gradient", (3,), 0, is_merged=True)
    _, gradient = unpack([bundle], NUMBER, NUMBER, NUMBER)((1.0, (np.array([1.0, 2.0, 3.0]),)))
    assert gradient == (1.0, 2.0, 3.0)
    assert all(type(x) is float for x in gradient)
