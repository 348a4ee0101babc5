"""Functions as practitioners write them are compiled unchanged, or answered in one sentence."""

from collections import Counter

import numpy as np
import pytest

import gradcompile as gdc
from tests.helpers.flat import by_text
from tests.whole.corpus import CASES
from tests.whole.corpus.numbers import floats, slopes, with_floats

WORK = {name: case for name, case in CASES.items() if not case.refusal}
REFUSED = {name: case for name, case in CASES.items() if case.refusal}


def compiled(case):
    return gdc.compile(case.function, **({"static": case.static} if case.static else {}))


def plain(case, numbers):
    """The function itself, on the case's arguments with other floats."""
    args, kwargs = with_floats((case.args, case.kwargs), iter(numbers))
    return case.function(*args, **kwargs)


def by_machine(kernel, args, kwargs):
    return kernel(*args, **kwargs)


def check(case, call):
    """Compare a function, compiled, with itself and with differences of itself."""
    function, at = compiled(case), floats((case.args, case.kwargs))
    expected = plain(case, at)
    if not np.isscalar(expected):
        found = call(function.value, case.args, case.kwargs)
        assert floats(found) == pytest.approx(floats(expected), rel=1e-12, abs=1e-14)
        return
    value, gradient = call(function.value_and_grad, case.args, case.kwargs)
    assert value == pytest.approx(float(expected), rel=1e-12, abs=1e-14)
    by_differences = slopes(lambda numbers: plain(case, numbers), at)
    size = max(1.0, *map(abs, by_differences))
    assert floats(gradient) == pytest.approx(by_differences, rel=1e-7, abs=1e-8 * size)


@pytest.mark.parametrize("case", WORK.values(), ids=WORK)
def test_a_function_works_unchanged(case):
    check(case, by_text)


@pytest.mark.slow
@pytest.mark.parametrize("case", WORK.values(), ids=WORK)
def test_a_function_works_unchanged_as_machine_code(case):
    check(case, by_machine)


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_function_that_is_refused_is_answered_in_one_sentence(case):
    with pytest.raises((gdc.TraceError, TypeError, ValueError), match=case.refusal) as caught:
        compiled(case).value(*case.args, **case.kwargs)
    assert "\n" not in str(caught.value)


def test_at_least_285_of_300_functions_work():
    functions = Counter(str(case) for case in CASES.values())
    assert len(functions) >= 300
