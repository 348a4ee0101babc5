# neuron(x1, x2, w1, w2, b): the value and the gradient
from gradcompile.ieee import tanh
from numpy import array


def neuron_value_and_grad(inputs):
    x1, x2, w1, w2, b = inputs[0], inputs[1], inputs[2], inputs[3], inputs[4]
    # forward sweep
    n = x1 * w1 + x2 * w2 + b
    o = tanh(n)
    # reverse sweep
    n_bar = 1.0 - o * o  # o = tanh(n)
    b_bar = n_bar        # n = x1 * w1 + x2 * w2 + b
    x2_bar = n_bar * w2  # n = x1 * w1 + x2 * w2 + b
    w2_bar = n_bar * x2  # n = x1 * w1 + x2 * w2 + b
    x1_bar = n_bar * w1  # n = x1 * w1 + x2 * w2 + b
    w1_bar = n_bar * x1  # n = x1 * w1 + x2 * w2 + b
    return o, array([x1_bar, x2_bar, w1_bar, w2_bar, b_bar])
