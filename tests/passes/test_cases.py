"""Each pass as text in, text out: the cases of a pass are in `cases/`, in the file of its name."""

from pathlib import Path

import pytest

from gradcompile.ir.packed import PackedProgram, index_values, pack
from gradcompile.ir.program import verify_program
from gradcompile.passes import PIPELINE, cse, dce, erase, fold, simplify
from gradcompile.passes.capture import capture
from tests.helpers.cases import all_cases, check_case, read_cases

FOLDER = Path(__file__).parent / "cases"


def captured(program):
    """The program with the constants that are data as its last inputs."""
    names = tuple(var.name for var in program.inputs)
    labels = {k: i.result.name for k, i in enumerate(program.instructions) if i.result.name}
    instructions = pack(program, index_values(program))
    return capture(PackedProgram(program.name, names, instructions, labels))[0].program


PASSES = {transform.__name__: transform for transform in (fold, simplify, cse, dce, erase)}
PASSES["capture"] = captured


def told(transform):
    """A pass that prints what it makes of a program, and which rules were applied."""

    def run(program):
        result = verify_program(transform(program))
        return "\n".join([str(result), *(f"by {note}" for note in result.notes)])

    return run


@pytest.mark.parametrize("case", all_cases(FOLDER))
def test_a_pass_makes_of_a_program_what_the_case_says(case, request):
    update = request.config.getoption("--update-golden")
    check_case(case, told(PASSES[case.path.stem]), update)


def test_every_pass_has_cases():
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(PASSES)
    assert {transform.__name__ for transform, _ in PIPELINE} <= set(PASSES)


def test_a_case_that_is_wrong_fails_until_its_file_is_rewritten(tmp_path):
    path = tmp_path / "fold.txt"
    program = "program   f\ninputs\n%1      = add 2.0, 3.0\nreturn %1"
    wrong = "program   f\ninputs\nreturn 6.0"
    path.write_text(f"About folding.\n\n=== a sum\n{program}\n--- becomes\n{wrong}\n")
    _, (case,) = read_cases(path)
    with pytest.raises(AssertionError):
        check_case(case, told(fold), update=False)
    check_case(case, told(fold), update=True)
    check_case(case, told(fold), update=False)
    assert path.read_text() == (
        f"About folding.\n\n=== a sum\n{program}\n--- becomes\nprogram   f\ninputs\nreturn 5.0\n"
    )
    assert list(tmp_path.iterdir()) == [path]
