from gradcompile.ieee import cos, exp, sin, tanh
from numpy import empty


# part 1 of 6
def parts_value_and_grad_1(a, b, c, kept):
    s = kept[0] = a * b
    t = kept[1] = b * c
    v1 = kept[2] = s + t


# part 2 of 6
def parts_value_and_grad_2(kept):
    s, t, v1 = kept[0], kept[1], kept[2]
    u = kept[3] = tanh(v1)
    v2 = kept[4] = exp(s)
    v = kept[5] = u * v2 + t


# part 3 of 6
def parts_value_and_grad_3(c, kept):
    u, v = kept[3], kept[5]
    v3 = kept[6] = sin(v)
    w = kept[7] = v * u + v3 * c
    value = kept[8] = w * w


# part 4 of 6
def parts_value_and_grad_4(c, kept):
    u, v, w = kept[3], kept[5], kept[7]
    # reverse sweep, from value_bar = 1.0
    w_bar = kept[9] = 2.0 * w                       # value = w * w
    v3_bar = w_bar * c                              # w = v * u + v3 * c
    v_bar = kept[10] = v3_bar * cos(v) + w_bar * u  # w = v * u + v3 * c, v3 = sin(v)


# part 5 of 6
def parts_value_and_grad_5(kept):
    u, v2, v = kept[3], kept[4], kept[5]
    w_bar, v_bar = kept[9], kept[10]
    # reverse sweep, from value_bar = 1.0
    v2_bar = kept[11] = v_bar * u              # v = u * v2 + t
    u_bar = w_bar * v + v_bar * v2             # v = u * v2 + t, w = v * u + v3 * c
    v1_bar = kept[12] = u_bar * (1.0 - u * u)  # u = tanh(v1)
    t_bar = kept[13] = v_bar + v1_bar          # v1 = s + t, v = u * v2 + t


# part 6 of 6
def parts_value_and_grad_6(a, b, c, kept):
    v2, v3, w_bar = kept[4], kept[6], kept[9]
    v2_bar, v1_bar, t_bar = kept[11], kept[12], kept[13]
    # reverse sweep, from value_bar = 1.0
    s_bar = v2_bar * v2 + v1_bar               # v1 = s + t, v2 = exp(s)
    a_bar = kept[14] = s_bar * b               # s = a * b
    b_bar = kept[15] = t_bar * c + s_bar * a   # s = a * b, t = b * c
    c_bar = kept[16] = w_bar * v3 + t_bar * b  # t = b * c, w = v * u + v3 * c


def parts_value_and_grad(a, b, c):
    """parts(a, b, c): the value and the gradient"""
    kept = empty(17)
    parts_value_and_grad_1(a, b, c, kept)
    parts_value_and_grad_2(kept)
    parts_value_and_grad_3(c, kept)
    parts_value_and_grad_4(c, kept)
    parts_value_and_grad_5(kept)
    parts_value_and_grad_6(a, b, c, kept)
    value, a_bar, b_bar, c_bar = kept[8], kept[14], kept[15], kept[16]
    return value, (a_bar, b_bar, c_bar)
