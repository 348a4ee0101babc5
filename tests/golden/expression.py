# expression(a, b, c, f): the value and the gradient
from numpy import array


def expression_value_and_grad(inputs):
    a, b, c, f = inputs[0], inputs[1], inputs[2], inputs[3]
    # forward sweep
    e = a * b
    d = e + c
    L = d * f
    # reverse sweep
    d_bar = f          # L = d * f
    f_bar = d          # L = d * f
    e_bar = d_bar      # d = e + c
    c_bar = d_bar      # d = e + c
    a_bar = e_bar * b  # e = a * b
    b_bar = e_bar * a  # e = a * b
    return L, array([a_bar, b_bar, c_bar, f_bar])
