from gradcompile.ieee import tanh
from numpy import empty


def long_sum_value_and_grad(inputs):
    """long_sum(...): the value and the gradient"""
    x0, x1, x2, x3, x4 = inputs[0], inputs[1], inputs[2], inputs[3], inputs[4]
    x5, x6, x7, x8, x9 = inputs[5], inputs[6], inputs[7], inputs[8], inputs[9]
    x10, x11, x12, x13, x14 = inputs[10], inputs[11], inputs[12], inputs[13], inputs[14]
    x15, x16, x17, x18, x19 = inputs[15], inputs[16], inputs[17], inputs[18], inputs[19]
    gradient = empty(20)
    v1 = x0 * 0.5 + x1 * 1.5 + x2 * 2.5 + x3 * 3.5 + x4 * 4.5
    v2 = v1 + x5 * 5.5 + x6 * 6.5 + x7 * 7.5 + x8 * 8.5
    v3 = v2 + x9 * 9.5 + x10 * 10.5 + x11 * 11.5 + x12 * 12.5
    v4 = v3 + x13 * 13.5 + x14 * 14.5 + x15 * 15.5 + x16 * 16.5
    v5 = v4 + x17 * 17.5 + x18 * 18.5 + x19 * 19.5
    v6 = tanh(v5)
    v7 = v6 - 1.0
    value = v7 * v7
    # reverse sweep, from value_bar = 1.0
    v7_bar = 2.0 * v7                  # value = v7 * v7
    v5_bar = v7_bar * (1.0 - v6 * v6)  # v6 = tanh(v5)
    # v5 = v4 + x17 * 17.5 + x18 * 18.5 + x19 * 19.5
    x17_bar = gradient[17] = v5_bar * 17.5
    x18_bar = gradient[18] = v5_bar * 18.5
    x19_bar = gradient[19] = v5_bar * 19.5
    # v4 = v3 + x13 * 13.5 + x14 * 14.5 + x15 * 15.5 + x16 * 16.5
    x13_bar = gradient[13] = v5_bar * 13.5
    x14_bar = gradient[14] = v5_bar * 14.5
    x15_bar = gradient[15] = v5_bar * 15.5
    x16_bar = gradient[16] = v5_bar * 16.5
    # v3 = v2 + x9 * 9.5 + x10 * 10.5 + x11 * 11.5 + x12 * 12.5
    x9_bar = gradient[9] = v5_bar * 9.5
    x10_bar = gradient[10] = v5_bar * 10.5
    x11_bar = gradient[11] = v5_bar * 11.5
    x12_bar = gradient[12] = v5_bar * 12.5
    # v2 = v1 + x5 * 5.5 + x6 * 6.5 + x7 * 7.5 + x8 * 8.5
    x5_bar = gradient[5] = v5_bar * 5.5
    x6_bar = gradient[6] = v5_bar * 6.5
    x7_bar = gradient[7] = v5_bar * 7.5
    x8_bar = gradient[8] = v5_bar * 8.5
    # v1 = x0 * 0.5 + x1 * 1.5 + x2 * 2.5 + x3 * 3.5 + x4 * 4.5
    x0_bar = gradient[0] = v5_bar * 0.5
    x1_bar = gradient[1] = v5_bar * 1.5
    x2_bar = gradient[2] = v5_bar * 2.5
    x3_bar = gradient[3] = v5_bar * 3.5
    x4_bar = gradient[4] = v5_bar * 4.5
    return value, (gradient,)
