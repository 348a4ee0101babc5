"""Files that pages and docstrings name are there."""

import re

import pytest

from tests.conftest import ROOT

ROOMS = [path.name for path in (ROOT / "gradcompile").iterdir() if path.is_dir()]
NAMED = re.compile(
    rf"(?<=[`\"\s(])(?:gradcompile|tests|docs|examples|{'|'.join(ROOMS)})/[\w./-]+\.(?:py|md)\b"
)
GENERATED = {"docs/op-table.md", "docs/rules.md"}

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "docs/*/*.md", "examples/*.py", "gradcompile/**/*.py")
    for path in ROOT.glob(pattern)
    if path.relative_to(ROOT).as_posix() not in GENERATED and "_build" not in path.parts
)


def missing(text):
    """The files that a text names and that are not there; those it tells to make are none."""
    made = set(re.findall(r"# new file: (\S+)", text))
    return [
        name
        for name in NAMED.findall(text)
        if name not in made | GENERATED
        and not any((folder / name).exists() for folder in (ROOT, ROOT / "gradcompile"))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_are_named_are_there(page):
    assert missing(page.read_text(encoding="utf-8")) == []


def test_a_file_that_is_not_there_is_found():
    assert missing("see `gradcompile/ops/tables.py` and (ops/table.py)") == [
        "gradcompile/ops/tables.py"
    ]
