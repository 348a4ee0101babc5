"""The structure of a program is the key to its code: what it tells apart, and what not."""

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, nn
from gradcompile.compiler import code
from gradcompile.graph.lower import lower
from gradcompile.passes.capture import capture
from tests.helpers.lowering import packed_program_of


def key_of(function, count=2, settings=""):
    return code.key(capture(packed_program_of(function, count))[0], settings)


def test_programs_that_differ_in_data_alone_have_one_key():
    assert key_of(lambda a, b: a * 2.0 + b * 3.0) == key_of(lambda a, b: a * 5.0 + b * 7.0)


@pytest.mark.parametrize(
    "other",
    [
        lambda a, b: a * 2.0 - b * 3.0,
        lambda a, b: b * 2.0 + a * 3.0,
        lambda a, b: b * 3.0 + a * 2.0,
        lambda a, b: a * 2.0 + b * 2.0,
        lambda a, b: a * 2.0 + b * 3.0 + a,
        lambda a, b: a * 2.0,
        lambda a, b: a,
    ],
)
def test_other_structures_have_other_keys(other):
    assert key_of(lambda a, b: a * 2.0 + b * 3.0) != key_of(other)


def test_constants_labels_and_settings_are_part_of_the_key():
    def labelled(a, b):
        c = a * b
        c.label = "c"
        return c

    keys = [
        key_of(lambda a, b: a * b),
        key_of(labelled),
        key_of(lambda a, b: a * b, settings="strict"),
        key_of(lambda a, b: a * 2.0),
        key_of(lambda a, b: a * 3.0),
        key_of(lambda a, b: a * -0.0),
        key_of(lambda a, b: a * 0.0),
        key_of(lambda a, b: a * b, count=2),
    ]
    assert len(set(keys)) == len(keys) - 1
    assert keys[0] == keys[-1]


def test_what_is_returned_is_part_of_the_key():
    x, y = Value(1.0), Value(2.0)
    returned = ([x], [y], [x, y], [Value(3.0)], [Value(4.0)])
    keys = {code.key(lower(roots, [x, y], ["x", "y"], "f"), "") for roots in returned}
    assert len(keys) == len(returned)


def test_how_often_a_constant_was_made_is_no_part_of_the_key():
    two = Value(2.0)
    assert key_of(lambda a, b: a / two - two / b) == key_of(lambda a, b: a / 2.0 - 2.0 / b)


def test_known_code_is_found_without_instructions():
    def build(factor):
        xs = [Value(0.1 * k) for k in range(20)]
        root = sum((x * (factor + 0.3 * k)).tanh() for k, x in enumerate(xs))
        return gdc.compile(root, inputs={"x": xs}, roll=True).value_and_grad._build()

    first, second = build(1.0), build(2.0)
    assert first.source == second.source
    assert "program" in vars(first.strategy.lowered)
    assert "program" not in vars(second.strategy.lowered)
    assert "program" not in vars(second.request.traced.lowered)


def test_a_batched_function_of_known_code_is_called_without_instructions(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADCOMPILE_CACHE_DIR", str(tmp_path))
    model = nn.MLP(3, [2, 1])

    def loss(params, x, y):
        return (model.with_parameters(params)(list(x)) - y) ** 2

    x, y = np.ones((5, 3)), np.zeros(5)
    for is_known in (False, True):
        kernel = gdc.compile(loss, batched=("x", "y")).value_and_grad
        kernel(model.flat, x, y)
        kernel.flat(model.flat, x=x, y=y)
        kernel.flat(model.flat, x=x, y=y)
        build = kernel._build()
        made = "program" in {**vars(build.strategy.lowered), **vars(build.request.traced.lowered)}
        assert made != is_known
