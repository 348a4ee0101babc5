"""Rolling as text in, text out: the cases are in `cases/`."""

from pathlib import Path

import pytest

from gradcompile.ir.interpret_nests import verify_nests
from gradcompile.roll import roll
from tests.helpers.cases import all_cases, check_case

FOLDER = Path(__file__).parent / "cases"


def rolled(program):
    """The loop nests of a program: sums in any order, but in their own in `strict_sums.txt`."""
    return str(verify_nests(roll(program)))


def rolled_strictly(program):
    return str(verify_nests(roll(program, strict=True)))


@pytest.mark.parametrize("case", all_cases(FOLDER))
def test_rolling_makes_of_a_program_what_the_case_says(case, request):
    transform = rolled_strictly if case.path.stem.startswith("strict") else rolled
    check_case(case, transform, request.config.getoption("--update-golden"))


def test_there_are_cases():
    assert len(list(FOLDER.glob("*.txt"))) >= 5
