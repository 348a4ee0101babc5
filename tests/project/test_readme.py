"""The README's examples print what the README says."""

import contextlib
import io
import math
import re

import pytest

from tests.conftest import ROOT

BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]?\d+)?")


def same(printed, shown):
    """Are the texts equal, but for the last digits of numbers?"""
    if NUMBER.sub("#", printed) != NUMBER.sub("#", shown):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=1e-12) for a, b in pairs)


def run_examples(with_scipy):
    """Run the examples one after the other, as a reader would; the one that minimizes on demand."""
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    examples = [index for index, (language, _) in enumerate(blocks) if language == "python"]
    names = {}
    for index in examples:
        if "scipy" in blocks[index][1] and not with_scipy:
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(blocks[index][1], names)
        language, shown = blocks[index + 1]
        assert language == "text"
        assert same(printed.getvalue().strip(), shown.strip()), printed.getvalue()
    assert len(examples) > 2
    assert any("scipy" in blocks[index][1] for index in examples)


def test_examples_print_what_is_shown():
    run_examples(with_scipy=False)


@pytest.mark.peers
def test_the_example_with_scipy_prints_what_is_shown():
    pytest.importorskip("scipy")
    run_examples(with_scipy=True)
