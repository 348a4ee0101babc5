"""The README's examples print what the README says."""

import contextlib
import importlib.util
import io
import math
import re

from tests.conftest import ROOT

BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]?\d+)?")


def same(printed, shown):
    """Are the texts equal, but for the last digits of numbers?"""
    if NUMBER.sub("#", printed) != NUMBER.sub("#", shown):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=1e-12) for a, b in pairs)


def test_examples_print_what_is_shown():
    scipy = importlib.util.find_spec("scipy")  # the example that minimizes needs it
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    examples = [index for index, (language, _) in enumerate(blocks) if language == "python"]
    names = {}
    for index in examples:
        if "scipy" in blocks[index][1] and scipy is None:
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(blocks[index][1], names)
        language, shown = blocks[index + 1]
        assert language == "text"
        assert same(printed.getvalue().strip(), shown.strip()), printed.getvalue()
    assert examples
