"""The pages import what there is. They are executed, too, but by `make docs` alone."""

import ast
import re

import pytest

from tests.conftest import ROOT

CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [path for path in sorted(ROOT.glob("docs/*.md")) if CELL.search(path.read_text("utf-8"))]


def imports(page):
    """The statements by which the cells of a page import from the package."""
    for cell in CELL.findall(page.read_text(encoding="utf-8")):
        lines = [line for line in cell.splitlines() if not line.startswith((":", "%", "!"))]
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.Import | ast.ImportFrom) and "gradcompile" in ast.unparse(node):
                yield ast.unparse(node)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_imports_what_there_is(page):
    statements = list(imports(page))
    assert statements
    for statement in statements:
        exec(statement, {})


def test_there_are_pages_that_are_executed():
    assert "training.md" in [page.name for page in PAGES]
