"""Loops compared with straight text: what they compute otherwise is found, and nothing else."""

from dataclasses import replace

import pytest

from gradcompile.ir.signature import Bundle, Signature
from gradcompile.verify.loops import unlike_by_rows
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
