"""Loops compared with straight text: what they compute otherwise is found, and nothing else."""

import random
from dataclasses import replace

import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.compiler.code import EmittedCode
from gradcompile.emit.nests import emit_nests
from gradcompile.emit.straight import emit
from gradcompile.graph.lower import lower
from gradcompile.ir.signature import Bundle, Signature
from gradcompile.roll import roll
from gradcompile.verify.loops import unlike, unlike_by_rows
from tests.helpers.lowering import program_of

PROGRAM = replace(program_of(lambda a, b: a * b, "a", "b"), rows=1)
"""Of an input and a row of one number."""

STRAIGHT = "def f(a, b):\n    return a * b, (b,)\n"

SIGNATURE = Signature(
    (Bundle("a", None, 0), Bundle("b", None, 1, is_row=True)),
    (Bundle("value", None, 0),),
    (Bundle("a_bar", None, 0),),
)


def by_rows(product, row, *, mean):
    """The results that a text for two rows computes otherwise than STRAIGHT."""
    text = f"def f(a, b):\n    b0, b1 = b\n    return [{product}], ([{row}],)\n"
    return unlike_by_rows(PROGRAM, SIGNATURE, "f", STRAIGHT, text, lambda data: (), mean=mean)


@pytest.mark.parametrize(
    ("product", "row", "mean", "unlike"),
    [
        ("a * (b0 + b1)", "b0, b1", False, set()),
        ("a * (b0 + b1) / 2", "b0 / 2, b1 / 2", True, set()),
        ("a * (b0 + b1) / 2", "b0, b1", False, {0}),
        ("a * (b0 + b1)", "b0 / 2, b1 / 2", True, {0}),
        ("a * b0, a * b1", "b1, b0", False, {1}),
    ],
)
def test_results_of_rows_are_totals_or_one_for_each_row(product, row, mean, unlike):
    assert by_rows(product, row, mean=mean) == unlike


# --- results of any shape, placed by tables --------------------------------------------------

COUNT = 28
"""Entries that are returned in no order, so that their loop reads its places from tables."""


def entries_in_no_order():
    """A program of entries, of numbers of another kind and of one number; what it returns."""
    x = [Value(1.0, f"x{k}") for k in range(COUNT + 2)]
    order = random.Random(1).sample(range(COUNT), COUNT)
    outputs = [gdc.tanh(x[k] * x[k + 1]) * x[k + 2] for k in order]
    outputs += [*(gdc.cos(a) * 2.0 for a in x), gdc.sum(x)]
    program = lower(outputs, x, [value.label for value in x], "f").program
    entries, rest, total = (tuple(program.flat_outputs)[part] for part in PARTS)
    signature = Signature(
        (Bundle("x", (COUNT + 2,), 0),),
        (
            Bundle("entries", (4, 7), 0),
            Bundle("rest", (COUNT + 2,), COUNT),
            Bundle("total", None, 2 * COUNT + 2),
        ),
    )
    return replace(program, outputs=(entries, rest, *total)), signature


PARTS = (slice(COUNT), slice(COUNT, -1), slice(-1, None))


def test_a_wrong_place_in_a_table_is_found():
    program, signature = entries_in_no_order()
    straight = emit(program, signature, "f")
    rolled = roll(program, signature)
    text = emit_nests(rolled, "f")

    def differing(tables):
        constants = EmittedCode(text, rolled.order, tables).arguments
        return unlike(program, signature, "f", straight, text, constants)

    assert len(rolled.tables) == 3 * COUNT
    assert differing(rolled.tables) == set()
    for place in range(0, 3 * COUNT, 9):
        tables = rolled.tables.copy()
        tables[place] = (tables[place] + 1) % COUNT
        assert differing(tables) == {place % COUNT}
    swapped = text.replace("return entries, rest, total", "return total, entries, rest")
    found = unlike(
        program,
        signature,
        "f",
        straight,
        swapped,
        EmittedCode(swapped, rolled.order, rolled.tables).arguments,
    )
    assert found >= set(range(COUNT))
