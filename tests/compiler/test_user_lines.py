"""Messages name the user's line, whatever folder of the package calls his values."""

import linecache
import re

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import nn
from gradcompile.graph.trace import TraceError


def repeats(x):
    return x if any(x > k for k in range(40)) else -x


def repeats_below_an_operation(x):
    return gdc.exp(x) if all(gdc.exp(x) > gdc.where(x > k, x, -x) for k in range(40)) else x


def converts(x):
    return float(gdc.tanh(x))


def converts_by_numpy(x):
    return np.asarray([x, x], dtype=float).sum()


def converts_in_a_network(x):
    return nn.MLP(1, [1]).with_parameters([float(x)] * 2)([x])


@pytest.mark.parametrize(
    "function",
    [repeats, repeats_below_an_operation, converts, converts_by_numpy, converts_in_a_network],
)
@pytest.mark.parametrize("batched", [(), ("x",)])
def test_a_trace_that_stops_names_the_line(function, batched):
    with pytest.raises(TraceError) as caught:
        gdc.compile(function, batched=batched)(np.ones(3) if batched else 1.0)
    assert_names(str(caught.value), function)


def logs(x):
    return gdc.log(x) * 2.0


def logs_by_numpy(x):
    return np.log(np.array([x, x]))[1]


def logs_a_sum(x):
    return gdc.logsumexp([gdc.log(x), x])


@pytest.mark.parametrize("function", [logs, logs_by_numpy, logs_a_sum])
def test_an_operation_outside_of_its_domain_names_the_line(function):
    with pytest.raises(FloatingPointError) as caught:
        gdc.compile(function, check_domain=True)(-1.0)
    assert_names(str(caught.value), function)


def named(message):
    """The file, the number and the text of the line in a message."""
    match = re.search(r"(/\S+\.py), line (\d+): `(.*?)`", message)
    assert match, message
    return match[1], int(match[2]), match[3]


def assert_names(message, function):
    """A message names the line of a function that has but one."""
    file, line, text = named(message)
    assert file == __file__
    assert line == function.__code__.co_firstlineno + 1
    assert text == linecache.getline(file, line).strip()
