"""Compiled functions in classes: bound to objects, as Python's functions are."""

import copy
import gc
import math
import pickle
import weakref
from dataclasses import dataclass

import numpy as np
import pytest

import gradcompile as gdc


class Spring:
    def __init__(self, k):
        self.k = k

    @gdc.compile
    def energy(self, x, power=2):
        """What it holds."""
        return self.k * x**power

    @gdc.compile(static="n")
    def sum(self, x, n):
        return sum(self.energy(x) for _ in range(n))

    @gdc.compile(batched="x", reduce="sum")
    def total(self, p, x):
        return p * x * self.k

    @staticmethod
    @gdc.compile
    def inside(x):
        return 3 * x

    @gdc.compile
    @staticmethod
    def outside(x):
        return 3 * x

    @gdc.compile
    @classmethod
    def of_class(cls, x):
        return x * (4 if cls is Spring else 5)

    @classmethod
    @gdc.compile
    def below(cls, x):
        return x * (4 if cls is Spring else 5)


class Stiff(Spring):
    @gdc.compile
    def energy(self, x, power=2):
        return 2 * super().energy(x, power)


@dataclass
class Line:
    slope: float
    points: list

    @gdc.compile
    def at(self, x, mode="line"):
        return self.slope * x + self.points[0] if mode == "line" else x

    @gdc.compile(wrt="x")
    def by_x(self, x):
        return self.slope * x * x


class Slotted:
    __slots__ = ("k",)

    def __init__(self, k):
        self.k = k

    @gdc.compile
    def scale(self, x):
        return self.k * x


# --- an object that is static --------------------------------------------------------------------


def test_a_method_is_bound():
    spring = Spring(3.0)
    for _ in range(3):
        assert spring.energy(2.0) == 12.0
        assert spring.energy.grad(2.0) == (12.0,)
        assert spring.energy.value_and_grad(x=2.0) == (12.0, (12.0,))
    assert Spring(5.0).energy.grad(2.0) == (20.0,)
    assert spring.energy(2.0, power=1) == 6.0
    assert spring.sum.grad(2.0, 3) == (36.0,)


def test_a_bound_method_is_all_that_a_compiled_function_is():
    energy = Spring(3.0).energy
    gc.collect()
    assert isinstance(energy, gdc.CompiledFunction)
    assert "def energy_value_and_grad(x):" in energy.source
    assert energy.verify().ok
    assert gdc.check_grad(energy, 2.0).ok
    assert energy.__name__ == "energy"
    np.testing.assert_array_equal(energy.grad.flat([2.0]), [12.0])
    assert energy.grad.njit(2.0) == (12.0,)
    assert gdc.draw(energy).source


def test_each_object_has_its_own_program():
    soft, stiff = Spring(1.0), Spring(7.0)
    assert [s.energy(2.0) for s in (soft, stiff, soft, stiff)] == [4.0, 28.0, 4.0, 28.0]
    assert soft.energy.source != stiff.energy.source


def test_an_attribute_that_is_set_to_something_else_counts():
    spring = Spring(3.0)
    assert spring.energy(2.0) == 12.0
    spring.k = 5.0
    assert spring.energy(2.0) == 20.0
    spring.k = np.float64(7.0)
    assert spring.energy.grad(2.0) == (28.0,)


class Table:
    def __init__(self, rows, scale):
        self.rows = rows
        self.scale = scale

    @gdc.compile
    def look_up(self, x):
        return x * self.rows[0] * self.scale[0]


def test_attributes_that_are_lists_and_arrays():
    table = Table([2.0, 3.0], np.array([1.0]))
    assert table.look_up(1.0) == 2.0
    table.rows[0] = 5.0
    assert table.look_up(1.0) == 5.0
    for k in range(20):  # arrays that come and go lie where others lay
        table.scale = np.array([-1.0])
        table.scale = np.array([float(k)])
        assert table.look_up(1.0) == 5.0 * k
    del table.scale
    table.scale = {0: 7.0}
    assert table.look_up(1.0) == 35.0


class Weighted:
    def __init__(self, w):
        self.w = w

    @gdc.compile
    def of(self, x):
        return self.w @ x


@pytest.mark.parametrize("size", [2, 3000])
def test_an_array_that_is_changed_in_place_counts(size):
    x = np.ones(size)
    layer = Weighted(np.ones(size))
    held, gradient = layer.of, layer.of.grad
    assert layer.of(x) == held(x) == size
    layer.w -= 3.0
    assert layer.of(x) == held(x) == -2.0 * size
    layer.w[-1] = 5.0
    assert gradient(x).x[-1] == 5.0


def test_an_object_inside_of_the_object_counts():
    class Outer:
        def __init__(self):
            self.inner, self.several, self.value = Spring(2.0), [Spring(3.0)], gdc.Value(1.0)

        @gdc.compile
        def m(self, x):
            return self.inner.k * self.several[0].k * self.value * x

    outer = Outer()
    assert outer.m(1.0) == 6.0
    outer.inner.k = 5.0
    assert outer.m(1.0) == 15.0
    outer.several[0].k = 7.0
    assert outer.m(1.0) == 35.0
    outer.value.data = 2.0
    assert outer.m(1.0) == 70.0


def test_the_sign_of_zero_counts_and_nan_is_itself():
    spring = Spring(0.0)
    assert math.copysign(1.0, spring.energy(1.0)) == 1.0
    spring.k = -0.0
    assert math.copysign(1.0, spring.energy(1.0)) == -1.0
    spring.k = float("nan")
    assert math.isnan(spring.energy(1.0))
    compiled = Spring.energy._methods.of(spring)
    spring.k = float("nan")
    assert Spring.energy._methods.of(spring) is compiled


def test_a_method_that_is_held_sees_what_the_attributes_are():
    spring = Spring(2.0)
    energy, gradient, both = spring.energy, spring.energy.grad, spring.energy.value_and_grad
    assert (energy(1.0), gradient(1.0), both(1.0)) == (2.0, (4.0,), (2.0, (4.0,)))
    spring.k = 5.0
    assert (energy(1.0), gradient(1.0), both(1.0)) == (5.0, (10.0,), (5.0, (10.0,)))
    assert gdc.check_grad(energy, 2.0).ok


def test_an_attribute_that_leads_back_to_the_object_does_not_keep_it():
    table = Table([2.0], [1.0])
    table.rows.append(table)
    table.other = table
    assert table.look_up(1.0) == 2.0
    gone = weakref.ref(table)
    del table
    gc.collect()
    assert gone() is None


def test_a_copy_of_an_object_is_another_object():
    spring = Spring(3.0)
    assert spring.energy(1.0) == 3.0
    for other in (copy.copy(spring), copy.deepcopy(spring), pickle.loads(pickle.dumps(spring))):
        other.k = 9.0
        assert other.energy(1.0) == 9.0
    assert spring.energy(1.0) == 3.0
    assert vars(spring) == {"k": 3.0}


def test_a_method_does_not_keep_its_object_alive():
    spring = Spring(3.0)
    assert spring.energy.grad(2.0) == (12.0,)
    gone, count = weakref.ref(spring), len(Spring.energy._methods._known)
    held = spring.energy.grad
    del spring
    gc.collect()
    assert gone() is not None
    assert held([1.0][0]) == (6.0,)
    del held
    gc.collect()
    assert gone() is None
    assert len(Spring.energy._methods._known) == count - 1


def test_an_object_with_slots():
    one, other = Slotted(2.0), Slotted(3.0)
    assert [x.scale(1.0) for x in (one, other, one)] == [2.0, 3.0, 2.0]
    one.k = 5.0
    assert [x.scale(1.0) for x in (one, other)] == [5.0, 3.0]


class Below(Slotted):
    __slots__ = ("_Below__own", "__dict__", "__weakref__")

    def __init__(self, k):
        super().__init__(k)
        self.__own = self.shift = 0.0

    def set(self, own):
        self.__own = own

    @gdc.compile
    def all(self, x):
        return self.k * x + self.shift + self.__own


def test_slots_of_a_base_class_and_a_dict():
    below = Below(2.0)
    assert below.all(1.0) == 2.0
    below.k = 3.0
    assert below.all(1.0) == 3.0
    below.shift = 10.0
    assert below.all(1.0) == 13.0
    below.set(100.0)
    assert below.all(1.0) == 113.0
    gone = weakref.ref(below)
    del below
    gc.collect()
    assert gone() is None


def test_inherited_methods_and_those_of_super():
    assert Stiff(3.0).energy.grad(2.0) == (24.0,)
    assert Stiff(3.0).sum(1.0, 2) == 12.0


def test_methods_of_rows():
    assert Spring(3.0).total.value_and_grad(2.0, np.arange(3.0)) == (18.0, (9.0,))


# --- static methods and class methods ------------------------------------------------------------


@pytest.mark.parametrize("owner", [Spring, Spring(1.0), Stiff, Stiff(1.0)])
def test_static_methods(owner):
    for method in (owner.inside, owner.outside):
        assert method.value_and_grad(2.0) == (6.0, (3.0,))


@pytest.mark.parametrize(
    ("owner", "factor"), [(Spring, 4.0), (Spring(1.0), 4.0), (Stiff, 5.0), (Stiff(1.0), 5.0)]
)
def test_class_methods(owner, factor):
    for _ in range(2):
        assert owner.of_class.value_and_grad(2.0) == (2 * factor, (factor,))
        assert owner.below(2.0) == 2 * factor


# --- an object that is data ----------------------------------------------------------------------


def test_a_dataclass_of_numbers_is_data():
    line = Line(2.0, [3.0])
    for _ in range(2):
        value, gradient = line.at.value_and_grad(4.0)
        assert value == 11.0
        assert gradient._asdict() == {"self": Line(4.0, [1.0]), "x": 2.0}
    line.slope = 5.0
    assert line.at(4.0) == 23.0
    assert Line.at.grad(line, 4.0) == line.at.grad(4.0)
    assert line.at(4.0, mode="other") == 4.0
    assert gdc.check_grad(line.at, 4.0).ok
    assert len(Line.at.arguments.traces) == 2
    assert line.by_x.grad(3.0) == (30.0,)


def test_a_dataclass_of_something_else_is_static():
    @dataclass
    class Text:
        names: list

        @gdc.compile
        def count(self, x):
            return x * len(self.names)

    assert Text(["a", "b"]).count.grad(2.0) == (2.0,)


def test_a_record_that_is_said_to_be_static():
    @dataclass(frozen=True)
    class Settings:
        n: float

        @gdc.compile(static="self")
        def times(self, x):
            assert type(self.n) is float
            return x * self.n

    assert Settings(3.0).times.grad(2.0) == (3.0,)


# --- what is no method ---------------------------------------------------------------------------


def test_a_graph_in_a_class_is_not_bound():
    x = gdc.Value(2.0, label="x")

    class Holder:
        square = gdc.compile(x * x)

    assert Holder().square(3.0) == Holder.square(3.0) == 9.0


def test_a_compiled_function_as_an_attribute_is_not_bound():
    holder = Spring(1.0)
    holder.f = gdc.compile(lambda x: x * x)
    assert holder.f(3.0) == 9.0


def test_another_structure_names_the_lines_of_the_method():
    class Fork:
        @gdc.compile
        def way(self, x):
            if x > 0.0:
                return x
            return x, x

    with pytest.raises(gdc.TraceError, match=r"`return x`") as caught:
        Fork().way(1.0)
    assert "`return x, x`" in str(caught.value)
    assert "self.owner" not in str(caught.value)


# --- copies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", [Spring(3.0), Line(3.0, [0.0])])
def test_bound_methods_copy_and_pickle_with_their_object(owner):
    name = "energy" if isinstance(owner, Spring) else "at"
    method = getattr(owner, name)
    expected = method.value_and_grad(1.0)
    for made in (copy.copy(method), copy.deepcopy(method), pickle.loads(pickle.dumps(method))):
        assert made.value_and_grad(1.0) == expected
    assert copy.copy(method).__self__ is owner
    assert copy.deepcopy(method).__self__ is not owner
    kernel = pickle.loads(pickle.dumps(method.grad))
    assert kernel(1.0) == expected[1]
    assert copy.deepcopy(method.grad)(1.0) == expected[1]
