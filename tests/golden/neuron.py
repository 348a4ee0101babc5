from gradcompile.ieee import tanh


def neuron_value_and_grad(x1, x2, w1, w2, b):
    """neuron(x1, x2, w1, w2, b): the value and the gradient"""
    n = x1 * w1 + x2 * w2 + b
    o = tanh(n)
    # reverse sweep, from o_bar = 1.0
    n_bar = 1.0 - o * o  # o = tanh(n)
    # n = x1 * w1 + x2 * w2 + b
    x1_bar = n_bar * w1
    w1_bar = n_bar * x1
    x2_bar = n_bar * w2
    w2_bar = n_bar * x2
    b_bar = n_bar
    return o, (x1_bar, x2_bar, w1_bar, w2_bar, b_bar)
