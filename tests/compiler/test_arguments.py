"""Arguments of a function that has not been called: a number for each, by name where it must be."""

import gradcompile as gdc


def test_keyword_only_arguments_are_numbers_by_name():
    f = gdc.compile(lambda a, b, *, c: a * b + c, cache=False)
    assert f.arguments.numbers() == ((1.0, 1.0), {"c": 1.0})
    assert [x.name for x in f.program.inputs] == ["a", "b", "c"]
