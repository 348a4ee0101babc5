# reused(x, y): the value and the gradient
from gradcompile.ieee import cos, exp, sin
from numpy import array


def reused_value_and_grad(inputs):
    x, y = inputs[0], inputs[1]
    # forward sweep
    v1 = x * y
    v2 = exp(v1)
    v3 = sin(v2) / v2
    value = v2 * v2 + v3
    # reverse sweep
    v2_bar = cos(v2) / v2 - v3 / v2 + 2.0 * v2  # value, v3
    v1_bar = v2_bar * v2                        # v2 = exp(v1)
    x_bar = v1_bar * y                          # v1 = x * y
    y_bar = v1_bar * x                          # v1 = x * y
    return value, array([x_bar, y_bar])
