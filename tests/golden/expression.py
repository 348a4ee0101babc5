def expression_value_and_grad(a, b, c, f):
    """expression(a, b, c, f): the value and the gradient"""
    e = a * b
    d = e + c
    L = d * f
    # reverse sweep, from L_bar = 1.0
    # L = d * f
    d_bar = f
    f_bar = d
    # d = e + c
    e_bar = d_bar
    c_bar = d_bar
    # e = a * b
    a_bar = e_bar * b
    b_bar = e_bar * a
    return L, (a_bar, b_bar, c_bar, f_bar)
