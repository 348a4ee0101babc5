from gradcompile.blocks import scratch
from gradcompile.ieee import tanh
from numpy import empty


def mlp_value_and_grad(w1, b1, w2, data):
    """mlp(w1, b1, w2): the value and the gradient"""
    w1_bar = empty(12)
    b1_bar = empty(4)
    w2_bar = empty(4)
    h = scratch(5, 4)
    v2 = scratch(5)
    v2_bar = scratch(5)
    v1_bar = scratch(5, 4)
    w1_2 = w1.reshape((4, 3))
    data_2 = data[0:15].reshape((5, 3))
    data_3 = data[15:20]
    w1_2_bar = w1_bar.reshape((4, 3))
    # v2[j] = sum_i(w2[i] * h[j, i]) - data_3[j]
    for j in range(5):
        for i in range(4):
            v1 = (
                w1_2[i, 0] * data_2[j, 0] + w1_2[i, 1] * data_2[j, 1]
                + w1_2[i, 2] * data_2[j, 2] + b1[i]
            )
            h[j, i] = tanh(v1)
        total = -data_3[j]
        for i in range(4):
            total += w2[i] * h[j, i]
        v2[j] = total
    # v3 = sum_j(v2[j] * v2[j])
    v3 = 0.0
    for j in range(5):
        v3 += v2[j] * v2[j]
    value = v3 / 5.0
    # reverse sweep, from value_bar = 1.0
    # differentiates h[j, i], v2[j], v3
    for j in range(5):
        v2_bar[j] = v2[j] * 2.0 / 5.0
        for i in range(4):
            v1_bar[j, i] = w2[i] * v2_bar[j] * (1.0 - h[j, i] * h[j, i])
    # differentiates v2[j] = sum_i(w2[i] * h[j, i]) - data_3[j]
    # w2_bar[i] = sum_j(v2_bar[j] * h[j, i])
    w2_bar[:] = 0.0
    for j in range(5):
        for i in range(4):
            w2_bar[i] += v2_bar[j] * h[j, i]
    # differentiates v1 = w1_2[i, 0] * data_2[j, 0] + w1_2[i, 1] * data_2[j, 1]
    #     + w1_2[i, 2] * data_2[j, 2] + b1[i]
    # w1_2_bar[i, k] = sum_j(data_2[j, k] * v1_bar[j, i])
    for k in range(3):
        for i in range(4):
            w1_2_bar[i, k] = 0.0
        for j in range(5):
            for i in range(4):
                w1_2_bar[i, k] += data_2[j, k] * v1_bar[j, i]
    # b1_bar[i] = sum_j(v1_bar[j, i])
    b1_bar[:] = 0.0
    for j in range(5):
        for i in range(4):
            b1_bar[i] += v1_bar[j, i]
    return value, (w1_bar, b1_bar, w2_bar)
