"""Loops compared with straight text: what they compute otherwise is found, and nothing else."""

from dataclasses import replace

import pytest

from gradcompile.verify.loops import unlike_by_rows
from tests.helpers.lowering import program_of

PROGRAM = replace(program_of(lambda a, b: a * b, "a", "b"), rows=1)
"""Of an input and a row of one number."""

STRAIGHT = "def f(inputs):\n    a, b = inputs\n    return a * b, b\n"


def by_rows(product, row, *, mean):
    """The results that a text for two rows computes otherwise than STRAIGHT."""
    text = (
        "def f(inputs, rows):\n    (a,) = inputs\n    b0, b1 = rows[0][:, 0]\n"
        f"    return [{product}], [{row}]\n"
    )
    return unlike_by_rows(
        PROGRAM, "f", STRAIGHT, text, lambda data: (), widths=[1], sizes=[1, 1], mean=mean
    )


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
