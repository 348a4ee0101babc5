"""Keys of objects: equal if code could not tell the objects apart, and only then."""

import functools
from collections import namedtuple
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.graph.exact import cannot_change, exact

Pair = namedtuple("Pair", "a b")


@dataclass(frozen=True)
class Config:
    a: object
    unseen: object = field(default=1, compare=False)


class Same:
    """Equal to all of its kind."""

    def __init__(self, k):
        self.k = k

    def __eq__(self, other):
        return isinstance(other, Same)

    def __hash__(self):
        return 1


class Slotted:
    __slots__ = ("k",)

    def __init__(self, k):
        self.k = k


DIFFERENT = [
    (1, True), (1, 1.0), (0.0, -0.0), (1.0, np.float64(1.0)), ((1,), (1.0,)), ((0.0,), (-0.0,)),
    (np.float64(0.0), np.float64(-0.0)), (np.float32(0.0), np.float32(-0.0)),
    (np.float32(1.0), np.float64(1.0)), (np.datetime64(1, "s"), np.datetime64(1000, "ms")),
    (complex(0.0, 0.0), complex(0.0, -0.0)), (complex(0.0, 0.0), complex(-0.0, 0.0)),
    (Pair(1, 2), (1, 2)), (Pair(1, 2), Pair(True, 2.0)), (Pair(0.0, 1), Pair(-0.0, 1)),
    (Config(1), Config(True)), (Config(0.0), Config(-0.0)), (Config((1,)), Config((1.0,))),
    (Config(1, unseen=1), Config(1, unseen=5)),
    (frozenset({1}), frozenset({True})), (frozenset({1}), frozenset({1.0})),
    (range(0, 3, 2), range(0, 4, 2)), (range(0), range(1, 1)),
    (Decimal("1.0"), Decimal("1.00")), (Decimal(1), 1), (Fraction(1), 1),
    ("1", b"1"), (Same(1), Same(1)), (object(), object()),
    ([0.0], [-0.0]), ([1.0, 1], [1.0, 1.0]), ({"a": 0.0}, {"a": -0.0}), ([1], (1,)),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    (np.zeros(1), -np.zeros(1)), (np.zeros(2), np.zeros((2, 1))), (np.ones(1), np.ones(1, int)),
    (np.array([1, 2.0], object), np.array([1.0, 2.0], object)),
    (np.ma.array([1.0, 2.0], mask=[0, 1]), np.ma.array([1.0, 2.0], mask=[0, 0])),
    (SimpleNamespace(a=0.0), SimpleNamespace(a=-0.0)),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_code_can_tell_apart_has_other_keys(one, other):
    assert exact(one) != exact(other)
    assert exact((one, "x")) != exact((other, "x"))
    assert exact(Config(one)) != exact(Config(other))


ALIKE = [
    lambda: 10**30, lambda: 2.5, lambda: float("nan"), lambda: np.float64("nan"),
    lambda: complex(1.5, -2.0), lambda: "".join(["a", "b"]), lambda: bytes([1, 2]), lambda: None,
    lambda: (1.5, ("a", None)), lambda: Pair(1.5, "b"), lambda: Config(1.5), lambda: Config((1, 2)),
    lambda: frozenset(["a", 1]), lambda: range(0, 30, 2), lambda: Decimal("1.50"),
    lambda: Fraction(3, 7), lambda: np.dtype([("a", float)]), lambda: [1.5, [2, "a"]],
    lambda: {"a": [1.0]}, lambda: np.arange(3.0), lambda: {1, 2}, lambda: len, lambda: gdc.sin,
    lambda: np.sin,
]  # fmt: skip


@pytest.mark.parametrize("make", ALIKE)
def test_what_code_cannot_tell_apart_has_one_key(make):
    one, other = make(), make()
    assert exact(one) == exact(other)
    assert hash(exact(one)) == hash(exact(other))


def test_an_object_is_itself_with_the_attributes_that_it_has_now():
    for thing in (Same(1.0), Slotted(1.0), SimpleNamespace(k=1.0)):
        before = exact(thing)
        assert exact(thing) == before
        thing.k = 2.0
        assert exact(thing) != before
        thing.k = 1.0
        assert exact(thing) == before
        del thing.k
        assert exact(thing) != before


def test_a_method_is_the_function_and_the_object():
    one = Same(1.0)
    before = exact(one.__eq__)
    assert exact(one.__eq__) == before != exact(one.__hash__)
    assert exact(Same(1.0).__eq__) != before
    one.k = 2.0
    assert exact(one.__eq__) != before


def test_an_object_in_an_object_is_looked_into():
    outer = Same([Same(1.0)])
    before = exact(outer)
    outer.k[0].k = 3.0
    assert exact(outer) != before


def test_what_leads_back_to_itself_ends():
    ring = []
    ring.append(ring)
    thing = Config(ring)
    ring.append(thing)
    assert exact(thing) == exact(thing)


def test_a_key_of_what_is_gone_is_equal_to_no_other():
    key = exact(Same(1))
    for _ in range(20):  # where the first one lay
        assert exact(Same(1)) != key


def test_a_compiled_function_is_itself_however_often_it_was_called():
    f = gdc.compile(lambda x: x * x)
    before = exact(f)
    f(2.0)
    f(np.ones(2)[0])
    assert exact(f) == before


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (1.0, True), ("a", True), ((1, (2.0, None)), True), (len, True), (np.float64(1.0), True),
        (Same(1), False), ((1, Same(1)), False), ([1], False), (Config(1), True),
        (Config(Same(1)), False),
        (functools.partial(len), False),
    ],
)  # fmt: skip
def test_what_cannot_change(thing, expected):
    assert cannot_change(thing) is expected
