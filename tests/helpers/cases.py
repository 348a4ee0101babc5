"""Cases as text: a program, and what a stage of the compiler makes of it, to be read side by side.

A file of cases begins with what is to be known to read it. Then each case is

    === its name
    the program that goes in, as it is printed
    --- becomes
    what comes out, as it is printed
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gradcompile.ir.parse import parse_program
from gradcompile.ir.program import Program, verify_program

CASE, BECOMES = "=== ", "--- becomes\n"

Transform = Callable[[Program], str]


class Case(NamedTuple):
    """A case: the file and the name by which it is found, what goes in, what is to come out."""

    path: Path
    name: str
    given: str
    expected: str


def read_cases(path: Path) -> tuple[str, list[Case]]:
    """What a file says before its cases, and the cases."""
    head, *blocks = path.read_text(encoding="utf-8").split(f"\n{CASE}")
    cases = []
    for block in blocks:
        name, _, rest = block.partition("\n")
        given, _, expected = rest.partition(BECOMES)
        cases.append(Case(path, name, given.strip("\n"), expected.strip("\n")))
    return head, cases


def all_cases(folder: Path) -> list[Any]:
    """Every case of a folder, as parameters of a test."""
    return [
        pytest.param(case, id=f"{path.stem}: {case.name}")
        for path in sorted(folder.glob("*.txt"))
        for case in read_cases(path)[1]
    ]


def check_case(case: Case, transform: Transform, update: bool) -> None:
    """Compare what comes out with what the file says; or rewrite the file, if that is asked for."""
    if update:
        _rewrite(case.path, transform)
    case = next(again for again in read_cases(case.path)[1] if again.name == case.name)
    program = verify_program(parse_program(case.given))
    assert str(program) == case.given, "the program is not written as it is printed"
    assert transform(program) == case.expected


def _rewrite(path: Path, transform: Transform) -> None:
    head, cases = read_cases(path)
    blocks = [head]
    for case in cases:
        program = parse_program(case.given)
        blocks.append(f"{case.name}\n{program}\n{BECOMES}{transform(program)}\n")
    # Several workers may do this at once, and all of them write the same.
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(f"\n{CASE}".join(blocks), encoding="utf-8")
    draft.replace(path)
