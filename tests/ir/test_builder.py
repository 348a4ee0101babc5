"""Builders: instructions are appended, and the indexed one knows what defines a result."""

from gradcompile.ir.builder import IndexedBuilder
from tests.helpers.lowering import program_of


def test_the_instruction_that_defines_a_result_is_known_however_it_was_kept():
    first, *others = program_of(lambda a, b: (a * b).sin() + a, "a", "b").instructions
    builder = IndexedBuilder()
    builder.keep(first)
    builder.keep_all(others)
    assert builder.instructions == [first, *others]
    assert builder.definitions == {x.result: x for x in (first, *others)}
