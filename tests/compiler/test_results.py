"""Results of kernels: how a flat gradient becomes what the user knows."""

from types import SimpleNamespace

import numpy as np

from gradcompile.compiler.results import _gradient


def test_a_single_argument_takes_the_array_as_it_is():
    array = np.array([1.0, 2.0])
    request = SimpleNamespace(wrt=["p"], traced=SimpleNamespace(places={"p": range(2)}))
    assert _gradient(request, [[0, 1]], {"p": lambda given: given})(array).p is array


def test_several_arguments_take_their_parts():
    places = {"p": range(2), "q": range(2, 3), "nothing": range(3, 3)}
    request = SimpleNamespace(wrt=list(places), traced=SimpleNamespace(places=places))
    gradient = _gradient(request, [[0, 1, 2]], dict.fromkeys(places, list))
    assert gradient(np.array([1.0, 2.0, 3.0])) == ([1.0, 2.0], [3.0], [])
