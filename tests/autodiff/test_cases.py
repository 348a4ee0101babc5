"""Both modes as text in, text out: the cases are in `cases/`.

Programs are differentiated by their inputs, but not by rows and data. `reverse.txt` and
`forward.txt` show what the transformations themselves make, `gradient.txt` and `jacobian.txt` what
is left after the passes.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from gradcompile.autodiff.forward import forward
from gradcompile.autodiff.jacobian import jacobian
from gradcompile.autodiff.reverse import reverse
from gradcompile.ir.program import TANGENT, Var, verify_program
from gradcompile.passes import run_passes
from tests.helpers.cases import all_cases, check_case

FOLDER = Path(__file__).parent / "cases"


def reversed_text(program):
    return str(verify_program(reverse(program, range(program.given))))


def gradient_text(program):
    return str(run_passes(reverse(run_passes(program), range(program.given)), verify_program))


def forward_text(program):
    given = program.inputs[: program.given]
    dots = [Var(primal=x, suffix=TANGENT) for x in given]
    inputs = (*given, *dots, *program.inputs[program.given :])
    return str(verify_program(forward(replace(program, inputs=inputs), range(len(given)), dots)))


def jacobian_text(program):
    program, by = run_passes(program), range(program.given)
    texts = [
        f"; by {way}\n{run_passes(jacobian(program, by, mode=mode), verify_program)}"
        for way, mode in (("columns", "forward"), ("rows", "reverse"))
    ]
    return "\n".join(texts)


TRANSFORMS = {
    "reverse": reversed_text,
    "gradient": gradient_text,
    "forward": forward_text,
    "jacobian": jacobian_text,
}


@pytest.mark.parametrize("case", all_cases(FOLDER))
def test_the_gradient_of_a_program_is_what_the_case_says(case, request):
    update = request.config.getoption("--update-golden")
    check_case(case, TRANSFORMS[case.path.stem], update)


def test_every_file_of_cases_is_read():
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(TRANSFORMS)
