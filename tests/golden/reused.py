from gradcompile.ieee import cos, exp, sin


def reused_value_and_grad(x, y):
    """reused(x, y): the value and the gradient"""
    v1 = x * y
    v2 = exp(v1)
    v3 = sin(v2) / v2
    value = v2 * v2 + v3
    # reverse sweep, from value_bar = 1.0
    v2_bar = cos(v2) / v2 - v3 / v2 + 2.0 * v2  # value = v2 * v2 + v3, v3 = sin(v2) / v2
    v1_bar = v2_bar * v2                        # v2 = exp(v1)
    # v1 = x * y
    x_bar = v1_bar * y
    y_bar = v1_bar * x
    return value, (x_bar, y_bar)
