"""Reverse mode as text in, text out: the cases are in `cases/`.

Programs are differentiated by their inputs, but not by rows and data. `reverse.txt` shows what the
transformation itself makes, `gradient.txt` what is left of it after the passes.
"""

from pathlib import Path

import pytest

from gradcompile.autodiff.reverse import reverse
from gradcompile.ir.program import verify_program
from gradcompile.passes import run_passes
from tests.helpers.cases import all_cases, check_case

FOLDER = Path(__file__).parent / "cases"


def reversed_text(program):
    return str(verify_program(reverse(program, range(program.given))))


def gradient_text(program):
    return str(run_passes(reverse(run_passes(program), range(program.given)), verify_program))


TRANSFORMS = {"reverse": reversed_text, "gradient": gradient_text}


@pytest.mark.parametrize("case", all_cases(FOLDER))
def test_the_gradient_of_a_program_is_what_the_case_says(case, request):
    update = request.config.getoption("--update-golden")
    check_case(case, TRANSFORMS[case.path.stem], update)


def test_every_file_of_cases_is_read():
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(TRANSFORMS)
