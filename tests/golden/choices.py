from gradcompile.ieee import log, maximum


def choices_value_and_grad(x, y):
    """choices(x, y): the value and the gradient"""
    v1 = x > y
    v2 = maximum(x, y)
    v3 = max(y, 0.0)
    value = (log(x) if v1 else 0.0) + v2 * v3
    # reverse sweep, from value_bar = 1.0
    v4 = v3 * 0.5 if x == y else 0.0                  # v2 = maximum(x, y)
    x_bar = (v3 if v1 else v4) + (1.0 / x if v1 else 0.0)  # value, v2
    v5 = v2 if v3 > 0.0 else 0.0                      # v3 = max(y, 0.0)
    y_bar = v5 + (v3 if y > x else v4)                # v2, v3
    return value, (x_bar, y_bar)
