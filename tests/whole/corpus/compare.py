"""A case compiled, compared with its function as Python runs it and with differences of that."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import gradcompile as gdc
from tests.whole.corpus.case import Case
from tests.whole.corpus.numbers import floats, slopes, with_floats

Calling = Callable[[Any, Sequence[Any], dict[str, Any]], Any]
"""Calls a kernel with arguments and keyword arguments."""


def compare(case: Case, call: Calling) -> None:
    """Compare the value, and of a function that returns a number the gradient."""
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


def compare_refusal(case: Case) -> None:
    """Compare the answer with the words expected: one sentence of an error that is ours."""
    with pytest.raises((gdc.TraceError, TypeError), match=case.refusal) as caught:
        compiled(case).value(*case.args, **case.kwargs)
    assert "\n" not in str(caught.value)


def compiled(case: Case) -> Any:
    """The function, as its author would compile it."""
    return gdc.compile(case.function, static=case.static)


def plain(case: Case, numbers: Sequence[float]) -> Any:
    """What the function itself returns, on the case's arguments with other floats."""
    args, kwargs = with_floats((case.args, case.kwargs), iter(numbers))
    return case.function(*args, **kwargs)


def by_machine(kernel: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call a kernel as users do."""
    return kernel(*args, **kwargs)
