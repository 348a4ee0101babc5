# choices(x, y): the value and the gradient
from gradcompile.ieee import log, maximum
from numpy import array, float64


def choices_value_and_grad(inputs):
    x, y = inputs[0], inputs[1]
    # forward sweep
    v1 = float64(x > y)
    v2 = maximum(x, y)
    v3 = max(y, 0.0)
    value = (log(x) if v1 else 0.0) + v2 * v3
    # reverse sweep
    v4 = v3 * 0.5 if x == y else 0.0                  # v2 = maximum(x, y)
    x_bar = (v3 if v1 else v4) + (1.0 / x if v1 else 0.0)  # value, v2
    v5 = v2 if v3 > 0.0 else 0.0                      # v3 = max(y, 0.0)
    y_bar = v5 + (v3 if y > x else v4)                # v2 = maximum(x, y)
    return value, array([x_bar, y_bar])
