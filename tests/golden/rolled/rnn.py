from gradcompile.blocks import scratch
from gradcompile.ieee import tanh
from numpy import empty


def rnn_value_and_grad(w, u, out, data):
    """rnn(w, u, out): the value and the gradient"""
    w_bar = empty(9)
    u_bar = empty(6)
    out_bar = empty(3)
    v1 = scratch(3)
    h = scratch(6, 3)
    v2 = scratch(3)
    v4 = scratch(6, 3)
    w_3 = w.reshape((3, 3))
    data_2 = data[0:3]
    u_2 = u.reshape((3, 2))
    data_3 = data[3:5]
    data_4 = data[5:15].reshape((5, 2))
    w_2 = w[0:3]
    w_4 = w[3:6]
    w_5 = w[6:9]
    w_3_bar = w_bar.reshape((3, 3))
    u_2_bar = u_bar.reshape((3, 2))
    data_5 = data[15:17]
    data_6 = data[17:27].reshape((5, 2))
    # v1[i] = w_3[i, 0] * data_2[0] + w_3[i, 1] * data_2[1] + w_3[i, 2] * data_2[2]
    #     + u_2[i, 0] * data_3[0] + u_2[i, 1] * data_3[1]
    for i in range(3):
        v1[i] = (
            w_3[i, 0] * data_2[0] + w_3[i, 1] * data_2[1] + w_3[i, 2] * data_2[2]
            + u_2[i, 0] * data_3[0]
        )
    for i in range(3):
        v1[i] += u_2[i, 1] * data_3[1]
        h[0, i] = tanh(v1[i])
    # v2[i] = w_3[i, 0] * h[j, 0] + w_3[i, 1] * h[j, 1] + w_3[i, 2] * h[j, 2]
    #     + u_2[i, 0] * data_4[j, 0] + u_2[i, 1] * data_4[j, 1]
    for j in range(5):
        for i in range(3):
            v2[i] = (
                w_3[i, 0] * h[j, 0] + w_3[i, 1] * h[j, 1] + w_3[i, 2] * h[j, 2]
                + u_2[i, 0] * data_4[j, 0]
            )
        for i in range(3):
            v2[i] += u_2[i, 1] * data_4[j, 1]
            h[j + 1, i] = tanh(v2[i])
    v3 = out[0] * h[5, 0] + out[1] * h[5, 1] + out[2] * h[5, 2]
    value = v3 * v3
    # reverse sweep, from value_bar = 1.0
    # differentiates value = v3 * v3
    v3_bar = v3 * 2.0
    # differentiates v3 = out[0] * h[5, 0] + out[1] * h[5, 1] + out[2] * h[5, 2]
    for i in range(3):
        out_bar[i] = v3_bar * h[5, i]
    # differentiates h[j + 1, i], v3
    for i in range(3):
        v4[5, i] = out[i] * v3_bar * (1.0 - h[5, i] * h[5, i])
    # differentiates h[0, i], v2[i], h[j + 1, i]
    for j in range(4, -1, -1):
        for i in range(3):
            h_bar = w_2[i] * v4[j + 1, 0] + w_4[i] * v4[j + 1, 1] + w_5[i] * v4[j + 1, 2]
            v4[j, i] = h_bar * (1.0 - h[j, i] * h[j, i])
    # differentiates v1[i], v2[i]
    # w_3_bar[i, m] = v4[5, i] * h[4, m] + sum_l(v4[l + 1, i] * h[l, m]) + data_2[m]
    #     * v4[0, i]
    for i in range(3):
        for m in range(3):
            total = v4[5, i] * h[4, m] + data_2[m] * v4[0, i]
            for l in range(4):
                total += v4[l + 1, i] * h[l, m]
            w_3_bar[i, m] = total
    # u_2_bar[i, k] = data_5[k] * v4[5, i] + sum_j(data_6[j, k] * v4[j, i])
    for i in range(3):
        for k in range(2):
            u_2_bar[i, k] = data_5[k] * v4[5, i]
        for j in range(5):
            for k in range(2):
                u_2_bar[i, k] += data_6[j, k] * v4[j, i]
    return value, (w_bar, u_bar, out_bar)
