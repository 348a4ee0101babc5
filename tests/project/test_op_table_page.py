"""The pages that are generated from the op table and the rules say all that is in them."""

import importlib.util
import re
from pathlib import Path

import pytest

from gradcompile.ops.table import TABLE
from gradcompile.passes.rules import IDENTITIES, STABILITY

FILE = Path(__file__).parents[2] / "docs" / "op_table.py"


@pytest.fixture(scope="module")
def op_table():
    spec = importlib.util.spec_from_file_location("op_table", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def entries(op_table):
    """For each operation, its part of the page."""
    parts = re.split(r"^### (\w+)$", op_table.op_table_page(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_operation_has_an_entry_in_the_order_of_the_table(entries):
    assert list(entries) == list(TABLE)


@pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in TABLE.values()])
def test_an_entry_has_everything(entries, op):
    text = entries[op.name]
    assert f"| call | `gdc.{op.name}({op.operand_names[0]}" in text
    assert "| result | $" in text
    assert "| smooth | " in text
    assert text.count("| derivative | ") == (len(op.partials) if any(op.partials) else 1)
    assert ("| kink" in text) == bool(op.kinks)
    assert "```python\ny = " in text
    adjoints = re.findall(r"^\w+_bar = ", text, re.MULTILINE)
    assert ("\n# reverse sweep, from y_bar = 1.0\n" in text) == bool(adjoints)
    assert re.search(r"^return y, \(.*\)$", text, re.MULTILINE)
    # Only what is said in LaTeX, and every group closed.
    for formula in re.findall(r"\$(.*?)\$", text):
        assert not re.search(r"Piecewise|_Floor|_Ceil|_Stopped|\*\*|polygamma|\d\.\d{9}", formula)
        assert formula.count("{") == formula.count("}")
        assert formula.count(r"\left") == formula.count(r"\right")
        assert formula.count(r"\begin") == formula.count(r"\end")


def test_entries_look_as_they_should(entries):
    assert "`gdc.abs(x)` or `abs(x)`" in entries["abs"]
    assert "| `np.arctan2` |" in entries["atan2"]
    assert "| `np.maximum` |" in entries["maximum"]
    assert "`gdc.remainder(a, b)` or `a % b`" in entries["remainder"]
    assert r"\frac{\partial y}{\partial x} = 1 - y^{2}$" in entries["tanh"]
    assert "x_bar = 1.0 - y * y\n" in entries["tanh"]
    assert "| kink | $x = 0$: slope $0$ |" in entries["relu"]
    assert "| smooth | $-1 < x < 1$ |" in entries["asin"]
    assert "`gdc.leaky_relu(x, a=0.01)`" in entries["leaky_relu"]
    assert r"or `c \| d`" in entries["logical_or"]
    assert r"\psi^{(n + 1)}" in entries["polygamma"]


def test_every_rule_is_listed(op_table):
    page = op_table.rules_page()
    for rule in (*STABILITY, *IDENTITIES):
        assert f"| `{rule.pattern}` | `{rule.replacement}` | {rule.reason} |" in page
    assert "| `log(exp(x1) + exp(x2) + ...)` |" in page
    assert "| `log(exp(x1) / (exp(x1) + exp(x2) + ...))` |" in page
    assert r"$10^{-300} \le x \le 10^{300}$" in page


def test_pages_are_written_once(op_table, tmp_path):
    op_table.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["op-table.md", "rules.md"]
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]
    op_table.write(tmp_path)  # nothing to do: a second build is a quick one
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())] == before
