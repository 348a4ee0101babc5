"""The walk-throughs for contributors: a copy of the repository is changed as they say, and run."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PAGES = sorted((ROOT / "docs" / "contributing").glob("add-*.md"))

BLOCK = re.compile(r"^```(python|text|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEW_FILE = re.compile(r"# new file: (?P<path>\S+)\n(?P<text>.*)", re.DOTALL)
INSERTION = re.compile(r"# in (?P<path>\S+), above: (?P<anchor>[^\n]+)\n(?P<text>.*)", re.DOTALL)


@pytest.fixture
def copy(tmp_path):
    for name in ("gradcompile", "tests"):  # with what Python has compiled of them
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def edit(copy, block):
    """Change the copy as a block says; False if the block is no change."""
    if new := NEW_FILE.fullmatch(block):
        assert not (copy / new["path"]).exists()
        (copy / new["path"]).write_text(new["text"], encoding="utf-8")
    elif insertion := INSERTION.fullmatch(block):
        path = copy / insertion["path"]
        text = path.read_text(encoding="utf-8")
        anchor = f"\n{insertion['anchor']}"
        assert text.count(anchor) == 1, f"not one line begins so: {insertion['anchor']}"
        changed = text.replace(anchor, f"\n{insertion['text']}{anchor[1:]}")
        path.write_text(changed, encoding="utf-8")
    else:
        return False
    return True


def run(copy, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def case(page):
    """A page; one of them is for the fast tests."""
    marks = [] if page.stem == "add-a-pass" else [pytest.mark.slow]
    return pytest.param(page, marks=marks, id=page.stem)


@pytest.mark.parametrize("page", [case(page) for page in PAGES])
def test_a_walk_through_does_what_it_says(page, copy):
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    done = {"edit": 0, "shown": 0, "tests": 0}
    printed = ""
    for language, block in blocks:
        if language == "text":
            assert printed.strip() == block.strip()
            done["shown"] += 1
        elif language == "sh":
            for command in block.splitlines():
                program, *arguments = shlex.split(command)
                assert program == "pytest"
                options = ("-q", "-n0", "--assert=plain", "-p", "no:cacheprovider")
                found = run(copy, "-m", "pytest", *options, *arguments)
                assert re.search(r"^\d+ passed", found, re.MULTILINE)
            done["tests"] += 1
        elif edit(copy, block):
            done["edit"] += 1
        else:
            (copy / "walk.py").write_text(block, encoding="utf-8")
            printed = run(copy, "walk.py")
    assert all(done.values()), done


def test_there_are_walk_throughs():
    assert [page.stem for page in PAGES] == ["add-a-pass", "add-a-rule", "add-an-operation"]
