"""Every phase leaves correct nests, and leaves what it was given as it was."""

import random

import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.ir.interpret import interpret
from gradcompile.ir.interpret_nests import run_nests, verify_nests
from gradcompile.ir.nests import print_nests
from gradcompile.roll import roll
from tests.helpers.blocks import Blocks
from tests.helpers.flat import flat, signature_of
from tests.helpers.slow import slow_but
from tests.roll.test_roll import gradient_of, run


@pytest.mark.parametrize("strict", [False, True], ids=["fast", "strict"])
@pytest.mark.parametrize("seed", slow_but(range(30, 33), range(30, 36)))
def test_nests_are_correct_after_every_pass(seed, strict):
    program = Blocks(seed, regular=seed % 2 == 0)
    seen = []

    def check(rolled):
        verify_nests(rolled)
        seen.append((rolled, print_nests(rolled)))

    kernel = gradient_of(program, roll=True, strict=strict)
    linear = kernel.program
    rolled = roll(linear, signature_of(kernel), strict, check=check)
    assert len(seen) >= 6
    assert [print_nests(before) for before, _ in seen] == [text for _, text in seen]
    expected = pytest.approx(flat(interpret(linear, program.at)), rel=1e-9, nan_ok=True)
    for found in (seen[0][0], seen[1][0], rolled):
        assert flat(run_nests(found, program.at)) == expected


# --- scans that count down -------------------------------------------------------------------


def leaves(rng, *shape):
    if not shape:
        return Value(rng.uniform(-1.0, 1.0))
    return [leaves(rng, *shape[1:]) for _ in range(shape[0])]


def recurrence(terms, steps=8, units=5):
    """A recurrence that sums, for each unit, the terms of what it reads at each step."""
    rng = random.Random(0)
    w, xs = leaves(rng, units, 8), leaves(rng, steps, 8)
    h = leaves(rng, units)
    inputs = {"w": w, "x": xs, "h": h}
    for x in xs:
        h = [sum(terms(u, w[u], x, h)).tanh() for u in range(units)]
    return sum(a * a for a in h), inputs


def lengths_differ(u, w, x, h):
    return [w[k] * x[k] * h[k % len(h)] for k in range(u + 3)]


def permuted(u, w, x, h):
    return [x[(3, 0, 4, 1, 2)[u]] * h[u], w[0]]


def flatten(tree):
    return [x for part in tree for x in flatten(part)] if isinstance(tree, list) else [tree]


@pytest.mark.parametrize("strict", [False, True], ids=["fast", "strict"])
@pytest.mark.parametrize(
    ("terms", "shows"),
    [(lengths_differ, " to next:"), (permuted, " + -")],
    ids=["lengths", "order"],
)
def test_what_is_looked_up_in_a_scan_that_counts_down(terms, shows, strict):
    root, inputs = recurrence(terms)
    function = gdc.compile(root, inputs, roll=True, strict=strict, cache=False)
    kernel = function.value_and_grad
    rolled = verify_nests(roll(kernel.program, signature_of(kernel), strict))
    lines = print_nests(rolled).splitlines()
    (start,) = (k for k, line in enumerate(lines) if line.endswith("falling:"))
    ends = (k for k, line in enumerate(lines[start + 1 :], start + 1) if not line.startswith(" "))
    assert any(shows in line for line in lines[start : next(ends)])
    root.backward()
    values = flatten([*inputs.values()])
    at = [x.data for x in values]
    expected = pytest.approx([root.data, *(x.grad for x in values)], rel=1e-12)
    assert flat(run_nests(rolled, at)) == expected
    assert run(kernel, at) == expected
