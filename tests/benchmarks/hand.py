"""What a person writes for numba by hand, with the signature of the emitted function."""

import math
from typing import Any

import numpy as np


def _njit(function: Any) -> Any:
    import numba

    return numba.njit(function, error_model="numpy")


def neuron() -> Any:
    """A neuron of five numbers: the value, and a tuple of five derivatives."""

    def neuron(x1: float, x2: float, w1: float, w2: float, b: float) -> Any:
        y = math.tanh(x1 * w1 + x2 * w2 + b)
        slope = 1.0 - y * y
        return y, (w1 * slope, w2 * slope, x1 * slope, x2 * slope, slope)

    return _njit(neuron)


def neuron_of_arrays() -> Any:
    """A neuron of two arrays and a number: the value, and the derivatives in the same form."""

    def neuron(w: Any, x: Any, b: float) -> Any:
        n = b
        for i in range(len(w)):
            n += w[i] * x[i]
        y = math.tanh(n)
        slope = 1.0 - y * y
        w_bar, x_bar = np.empty(len(w)), np.empty(len(x))
        for i in range(len(w)):
            w_bar[i] = x[i] * slope
            x_bar[i] = w[i] * slope
        return y, (w_bar, x_bar, slope)

    return _njit(neuron)
