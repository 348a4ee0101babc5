"""Rewriting: what stays has the name of the variable that what is gone was bound to."""

from dataclasses import replace

from gradcompile.passes import cse
from tests.helpers.lowering import program_of


def bound_after_cse(of_first="", of_second=""):
    """The name of a product, of which there were two with these names."""
    program = program_of(lambda a, b: a * b - (a * b).sin(), "a", "b")
    first, second = (x.result for x in program.instructions if x.op.name == "mul")
    names = {var: name for var, name in ((first, of_first), (second, of_second)) if name}
    return cse(replace(program, bound=names)).bound.get(first)


def test_what_stays_takes_the_name_that_a_result_was_bound_to():
    assert bound_after_cse(of_second="t") == "t"
    assert bound_after_cse(of_first="s", of_second="t") == "s"
    assert bound_after_cse() is None
