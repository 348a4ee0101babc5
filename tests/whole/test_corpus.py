"""Functions as practitioners write them are compiled unchanged, or answered in one sentence."""

import pytest

from tests.helpers.flat import by_text
from tests.whole.corpus import CASES
from tests.whole.corpus.compare import by_machine, compare, compare_refusal

WORK = {name: case for name, case in CASES.items() if not case.refusal}
REFUSED = {name: case for name, case in CASES.items() if case.refusal}


@pytest.mark.parametrize("case", WORK.values(), ids=WORK)
def test_a_function_works_unchanged(case):
    compare(case, by_text)


@pytest.mark.slow
@pytest.mark.parametrize("case", WORK.values(), ids=WORK)
def test_a_function_works_unchanged_as_machine_code(case):
    compare(case, by_machine)


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_function_that_is_refused_is_answered_in_one_sentence(case):
    compare_refusal(case)


def test_of_some_hundred_functions_one_in_twenty_is_refused_at_most():
    functions = {str(case) for case in CASES.values()}
    refused = {str(case) for case in REFUSED.values()}
    assert len(functions) >= 300
    assert len(functions - refused) >= 0.95 * len(functions)
