"""Bytecode: what instructions load and where they store, those of other Pythons included."""

from types import SimpleNamespace

import pytest

from gradcompile.graph import bytecode
from gradcompile.graph.bytecode import Bytecode, Step

SIXTEEN = "abcdefghijklmnop"


def code_of(body, names=""):
    """The code of a function with these parameters."""
    namespace = {}
    exec(f"def f({names}):\n    {body}\n", namespace)
    return Bytecode(namespace["f"].__code__)


def test_two_variables_are_loaded_by_one_instruction():  # Python 3.13 has it
    text = code_of("pass", ", ".join(SIXTEEN))
    step = Step(0, "LOAD_FAST_LOAD_FAST", 0x1F)
    assert text.loaded(step, 0) == "p"
    assert text.loaded(step, 1) == "b"
    assert text.loaded(Step(0, "STORE_FAST_LOAD_FAST", 0x1F), 0) == "p"


def test_an_item_has_the_name_of_its_container():
    text = code_of("return c[a]", "a, b, c")
    steps = map(text.at, range(0, len(text.bytes), 2))
    step = next(step for step in steps if step.operation == "BINARY_SUBSCR")
    assert text.loaded(step, 0) == "c"
    assert text.loaded(step._replace(operation="BUILD_LIST"), 0) == ""


@pytest.mark.parametrize(
    ("slot", "name"), [(3, "b"), (2, "c"), (1, None)], ids=["first", "second", "below"]
)
def test_two_values_are_stored_by_one_instruction(slot, name):  # Python 3.13 has it
    way = SimpleNamespace(top=3, slot=slot, text=code_of("pass", ", ".join(SIXTEEN)))
    stored = bytecode._store_two(way, Step(8, "STORE_FAST_STORE_FAST", 0x12))
    assert way.top == 1
    assert stored == (name and bytecode.Destination(name, 8))


def way_of_product(body):
    """Where the product in a function's body goes."""
    text = code_of(body, "b, f, g, x")
    offsets = range(0, len(text.bytes), 2)
    step = next(text.at(k) for k in offsets if text.at(k).operation == "BINARY_OP")
    return bytecode.follow(text, step)


def test_a_copy_beside_the_value_is_counted():
    found = way_of_product("return x * 2, (b := g)")
    assert (found.is_returned, found.item) == (True, 0)


def test_which_item_of_a_list_of_others_a_value_is_cannot_be_told():
    assert way_of_product("a, b, c = [*g, x * 2]") == bytecode.NOWHERE
    assert way_of_product("a, b, c = g, f, x * 2").name == "c"
    assert way_of_product("return [*g, x * 2]").item == bytecode.SOMEWHERE
