"""`compile` as a decorator with options."""

import pytest

import gradcompile as gdc
from gradcompile import Value


def product(p, x):
    return p * x


@pytest.mark.parametrize(
    "options",
    [
        {"wrt": "p", "batched": "x", "reduce": "sum", "parallel": 3, "name": "g"},
        {"cache": False, "check_domain": True, "strict": True, "progress": True},
        {"roll": True},
    ],
)
def test_a_decorator_passes_every_option_on(options):
    decorated, plain = gdc.compile(**options)(product), gdc.compile(product, **options)
    assert decorated.options == plain.options
    assert decorated.options != gdc.compile(product).options
    assert decorated.name == plain.name == options.get("name", "product")


def test_a_decorator_passes_inputs_on():
    a, b = Value(1.0, "a"), Value(2.0, "b")
    program = gdc.compile(inputs=[b, a])(a * b).program
    assert [x.name for x in program.inputs] == ["b", "a"]


@pytest.mark.parametrize("roll", ["no", 2, None])
def test_rolling_is_true_false_or_auto(roll):
    with pytest.raises(ValueError, match='roll: expected True, False or "auto", got'):
        gdc.compile(product, roll=roll)


def test_a_compiled_function_looks_like_the_function():
    def area(width, height):
        """Multiply."""
        return width * height

    compiled = gdc.compile(area)
    assert (compiled.__name__, compiled.__doc__) == ("area", "Multiply.")
    assert compiled.__wrapped__ is area
    assert compiled.__module__ == area.__module__
    assert compiled.__qualname__ == area.__qualname__
