"""Functions that use scipy.special are compiled unchanged, or answered in one sentence."""

import pytest

pytestmark = pytest.mark.peers

pytest.importorskip("scipy")

from tests.helpers.flat import by_text  # noqa: E402
from tests.whole.corpus.compare import by_machine, compare, compare_refusal  # noqa: E402
from tests.whole.corpus.special import CASES  # noqa: E402

WORK = [case for case in CASES if not case.refusal]
REFUSED = [case for case in CASES if case.refusal]


@pytest.mark.parametrize("call", [by_text, by_machine])
@pytest.mark.parametrize("case", WORK, ids=str)
def test_a_function_works_unchanged(case, call):
    compare(case, call)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_a_function_that_is_refused_is_answered_in_one_sentence(case):
    compare_refusal(case)
