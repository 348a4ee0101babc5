"""Which forward statements loops of the reverse sweep differentiate, and what headings say."""

import re

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.ir.program import Var
from gradcompile.ir.sweeps import FORWARD_SWEEP
from gradcompile.roll import StatementOrder
from gradcompile.roll.families import find_families
from gradcompile.roll.forms import Forms
from gradcompile.roll.groups import make_groups
from gradcompile.roll.origins import with_origins
from gradcompile.roll.scans import find_scans


def network(w, b, x):
    h = gdc.tanh(w @ x + b)
    return (h * h * gdc.exp(-h)).sum()


def softmax(w, b, x):
    return (gdc.softmax(w @ x + b) * b).sum()


def recurrence(w, b, x):
    h = x
    for _ in range(5):
        h = gdc.tanh(w[:3] @ h + b[:3])
    return h @ h


def conditions(w, b, x):
    y = w @ x
    return gdc.where(gdc.greater(y, b), y * b, gdc.sin(y) - b).sum()


FUNCTIONS = (network, softmax, recurrence, conditions)
ARRAYS = np.linspace(-1.0, 1.0, 12).reshape(4, 3), np.linspace(0.5, 2.0, 4), np.full(3, 0.25)


def build(function, **options):
    kernel = gdc.compile(function, roll=True, cache=False, **options).value_and_grad
    kernel._arguments.read(ARRAYS, {})
    return kernel._build()


def inside(forms, definitions, var):
    """All values of the expression of a stored value: itself, and what is written in its place."""
    found, stack = {var}, [var]
    while stack:
        for operand in definitions[stack.pop()].operands:
            inner = isinstance(operand, Var) and operand in definitions
            if inner and operand not in forms.number_of and operand not in found:
                found.add(operand)
                stack.append(operand)
    return found


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_groups_differentiate_what_their_values_come_from(function):
    program = build(function).program
    forms = Forms(program, strict=False)
    statements = StatementOrder(forms)
    groups = find_scans(make_groups(forms, statements))
    group_of = find_families(forms, groups, statements).group_of
    definitions = {x.result: x for x in program.instructions}
    parts = [inside(forms, definitions, stored.var) for stored in forms.stored]
    expected = [set() for _ in groups]
    for number, part in enumerate(parts):
        origins = {definitions[var].origin for var in part} - {None}
        for other, forward in enumerate(parts):
            if forms.stored[other].origin is None and forward & origins:
                expected[group_of[number]].add(int(group_of[other]))
    found = with_origins(forms, groups, group_of)
    assert [group.number for group in found] == list(range(len(groups)))
    assert any(group.differentiates for group in found)
    for group, numbers in zip(found, expected, strict=True):
        assert set(group.differentiates) <= numbers
        # A part of several forward values is said of one of them.
        assert bool(group.differentiates) == bool(numbers)
        assert all(found[number].sweep == FORWARD_SWEEP for number in group.differentiates)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_headings_name_what_the_forward_sweep_computes(function):
    forward, reverse = re.split("# reverse sweep.*\n", build(function).source)
    headings = re.findall(r"# differentiates (.*(?:\n *#     .*)*)", reverse)
    assert headings
    for heading in headings:
        for name in re.findall(r"(?:^|, )(\w+)(?=\[[^\]]*\]|,| =|$)", heading.split(" = ")[0]):
            assert re.search(rf"\b{name}\b.* \+?= ", forward), name


def test_a_heading_is_not_repeated():
    source = build(network).source
    headings = re.findall(r"# differentiates .*", source)
    assert len(headings) == len(set(headings)) > 1
    assert any("h[i]" in heading for heading in headings)
