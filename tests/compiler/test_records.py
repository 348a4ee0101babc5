"""Records of numbers as arguments: dataclasses, namedtuples, attrs classes, namespaces."""

from collections import namedtuple
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import NamedTuple

import attrs
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.compiler.kernel import Kernel
from gradcompile.graph.nested import flatten, paths, unflatten


@dataclass
class Line:
    slope: float
    offset: float


@dataclass(frozen=True, slots=True)
class Frozen:
    slope: float
    offset: float


@dataclass(frozen=True)
class Checked:
    """Its parts are checked where it is made, which traced values would not survive."""

    slope: float
    offset: float

    def __post_init__(self):
        if isinstance(self.slope, gdc.Value):
            raise ValueError("a slope that is no number")


@attrs.define
class Defined:
    slope: float
    offset: float


@attrs.frozen
class FrozenAttrs:
    slope: float
    offset: float


class Typed(NamedTuple):
    slope: float
    offset: float


Pair = namedtuple("Pair", "slope offset")
Empty = namedtuple("Empty", "")

KINDS = [Line, Frozen, Checked, Defined, FrozenAttrs, Typed, Pair, SimpleNamespace]


def line(p, x):
    return p.slope * x + p.offset * p.offset


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_a_structure_and_its_gradient_one_too(kind, monkeypatch):
    f = gdc.compile(line)
    p = kind(slope=2.0, offset=3.0)
    expected = (17.0, (kind(slope=4.0, offset=6.0), 2.0))
    assert f.value_and_grad(p, 4.0) == expected
    assert type(f.grad(p, 4.0).p) is kind
    monkeypatch.setattr(Kernel, "_general", None)  # from now on calls are written ones
    assert f.value_and_grad(p, 4.0) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_records_in_containers_and_with_arrays(kind):
    f = gdc.compile(lambda ps: gdc.sum(ps["a"][0].slope) + ps["b"].slope.offset)
    a, b = kind(slope=np.ones(2), offset=None), kind(slope=kind(slope=1.0, offset=2.0), offset=())
    for _ in range(2):
        value, gradient = f.value_and_grad({"a": [a], "b": b})
        assert value == 4.0
        np.testing.assert_array_equal(gradient.ps["a"][0].slope, [1.0, 1.0])
        assert gradient.ps["a"][0].offset is None
        assert gradient.ps["b"] == kind(slope=kind(slope=0.0, offset=1.0), offset=())


@pytest.mark.parametrize("kind", [Line, Pair, SimpleNamespace, FrozenAttrs])
@pytest.mark.parametrize("reduce", ["sum", None])
def test_rows_in_a_record(kind, reduce):
    f = gdc.compile(lambda p, r: p * r.slope + r.offset, batched="r", wrt=["p", "r"], reduce=reduce)
    rows = kind(slope=np.arange(3.0), offset=np.ones(3))
    for _ in range(2):
        value, gradient = f.value_and_grad(2.0, rows)
        np.testing.assert_array_equal(value, 9.0 if reduce else [1.0, 3.0, 5.0])
        np.testing.assert_array_equal(gradient.r.slope, [2.0, 2.0, 2.0])
        assert type(gradient.r) is kind


def test_a_record_as_the_result():
    f = gdc.compile(lambda x: Line(x, x * x))
    assert f(3.0) == Line(3.0, 9.0)


@dataclass
class Model:
    w: list
    mode: str = "square"
    on: bool = True
    extra: float | None = None
    n: int = 2
    depth: float = field(default=3, metadata={"static": True})
    act: object = gdc.tanh


def model(m, x):
    y = sum(w * x**k for k, w in enumerate(m.w))
    y = y * m.extra if m.extra is not None else y
    for _ in range(m.n * m.depth):
        y = m.act(y) if m.on else y
    return y * y if m.mode == "square" else y


def test_fields_that_are_no_numbers_are_static():
    f = gdc.compile(model)
    for m in (Model([0.5, 1.0]), Model([0.5, 1.0], mode="b", on=False), Model([0.5], extra=2.0)):
        value, gradient = f.value_and_grad(m, 0.5)
        assert value == pytest.approx(model(m, 0.5))
        assert (gradient.m.mode, gradient.m.n, gradient.m.act) == (m.mode, 2, gdc.tanh)
        assert gdc.check_grad(f, m, 0.5).ok
        assert f.grad(m, 0.5) == gradient
    assert f(Model([1.0, 2.0], n=0), 1.0) == 9.0


def test_a_field_that_is_static_must_be_hashable():
    with pytest.raises(TypeError, match=r"argument 'm': what is static must be hashable"):
        gdc.compile(model)(Model([1.0], depth=[3]), 1.0)


def test_a_field_that_is_not_set():
    @dataclass
    class Half:
        a: float
        b: float = field(init=False)

    with pytest.raises(TypeError, match="the field 'b' of the Half is not set"):
        gdc.compile(lambda h: h.a)(Half(1.0))


def test_a_field_that_is_computed_is_a_number_like_others():
    @dataclass
    class Square:
        side: float
        area: float = field(init=False)

        def __post_init__(self):
            self.area = self.side**2

    f = gdc.compile(lambda s: s.area * s.side)
    gradient = f.grad(Square(3.0)).s
    assert (gradient.side, gradient.area) == (9.0, 3.0)


def test_properties_and_methods_of_a_record():
    class Circle(Line):
        @property
        def double(self):
            return 2 * self.slope

        def at(self, x):
            return self.double * x

    assert gdc.compile(lambda c, x: c.at(x)).grad(Circle(3.0, 1.0), 2.0).c.slope == 4.0


def test_an_empty_record():
    assert gdc.compile(lambda e, x: 2 * x).value_and_grad(Empty(), 3.0) == (6.0, (Empty(), 2.0))


def test_numbers_in_a_named_place_and_others_in_a_list():
    f = gdc.compile(lambda d, x: d["k"] * x if d["mode"] == "a" else x)
    assert f.grad({"k": 2.0, "mode": "a"}, 3.0).d == {"k": 3.0, "mode": "a"}
    with pytest.raises(TypeError, match=r"argument 'd': expected numbers .* got str 'a'"):
        f(["a", 2.0], 3.0)
    assert gdc.compile(lambda d: d[0] * 2)([1.0, None]) == 2.0


def test_a_graph_with_records_of_values():
    a, b = gdc.Value(2.0), gdc.Value(3.0)
    f = gdc.compile(a * b + a, inputs={"p": Line(a, b)})
    assert f.grad(Line(4.0, 5.0)) == (Line(6.0, 4.0),)
    with pytest.raises(ValueError, match="argument 'p': expected a Line with fields"):
        f({"slope": 4.0, "offset": 5.0})
    with pytest.raises(ValueError, match=r"expected p\.offset to be a number"):
        f(Line(4.0, [5.0]))


def test_an_array_for_a_list_of_values():
    values = [gdc.Value(float(k)) for k in range(337)]
    f = gdc.compile(sum(v * v for v in values), inputs={"params": values})
    value, gradient = f.value_and_grad(np.arange(337.0))
    assert value == sum(k * k for k in range(337))
    np.testing.assert_array_equal(gradient.params, 2 * np.arange(337.0))


@pytest.mark.parametrize("kind", KINDS)
def test_flat_and_again(kind):
    record = kind(slope=1.0, offset=[2.0, 3.0])
    leaves, structure = flatten(record)
    assert leaves == [1.0, 2.0, 3.0]
    assert list(paths(structure, "p")) == ["p_slope", "p_offset0", "p_offset1"]
    assert unflatten(structure, leaves) == record
    assert str(structure) == f"a {kind.__name__} with fields ['slope', 'offset']"
