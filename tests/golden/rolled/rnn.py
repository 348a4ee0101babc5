# rnn(w, u, out): the value and the gradient
from gradcompile.ieee import tanh
from numpy import empty


def rnn_value_and_grad(inputs, data, tables):
    gradient = empty(18)
    h = empty((6, 3))
    s2 = empty(3)
    mul = empty((6, 3))
    table = tables[0:15].reshape((3, 5))
    data1 = data[0:5]
    w1 = inputs[0:9].reshape((3, 3))
    u = inputs[9:15].reshape((3, 2))
    data2 = data[5:15].reshape((5, 2))
    out = inputs[15:18]
    out_bar = gradient[15:18]
    w = inputs[0:3]
    w2 = inputs[3:6]
    w3 = inputs[6:9]
    data3 = data[15:18]
    w1_bar = gradient[0:9].reshape((3, 3))
    u_bar = gradient[9:15].reshape((3, 2))
    data4 = data[18:20]
    data5 = data[20:30].reshape((5, 2))
    # forward sweep
    # s1 = sum_j(inputs[table[i, j]] * data1[j])
    # h[0, i] = tanh(s1)
    for i in range(3):
        s1 = 0.0
        for j in range(5):
            s1 += inputs[table[i, j]] * data1[j]
        h[0, i] = tanh(s1)
    # s2[i] = w1[i, 0] * h[j, 0] + w1[i, 1] * h[j, 1] + w1[i, 2] * h[j, 2] + u[i, 0]
    #     * data2[j, 0] + u[i, 1] * data2[j, 1]
    # h[j + 1, i] = tanh(s2[i])
    for j in range(5):
        for i in range(3):
            s2[i] = (
                w1[i, 0] * h[j, 0]
                + w1[i, 1] * h[j, 1]
                + w1[i, 2] * h[j, 2]
                + u[i, 0] * data2[j, 0]
            )
        for i in range(3):
            s2[i] += u[i, 1] * data2[j, 1]
            h[j + 1, i] = tanh(s2[i])
    s3 = out[0] * h[5, 0] + out[1] * h[5, 1] + out[2] * h[5, 2]
    square = s3 * s3
    # reverse sweep
    s3_bar = s3 * 2.0
    # out_bar[i] = s3_bar * h[5, i]
    for i in range(3):
        out_bar[i] = s3_bar * h[5, i]
    # mul[5, i] = out[i] * s3_bar * (1.0 - h[5, i] * h[5, i])
    for i in range(3):
        mul[5, i] = out[i] * s3_bar * (1.0 - h[5, i] * h[5, i])
    # mul[j, i] = h_bar * (1.0 - h[j, i] * h[j, i])
    for j in range(4, -1, -1):
        for i in range(3):
            h_bar = (
                w[i] * mul[j + 1, 0]
                + w2[i] * mul[j + 1, 1]
                + w3[i] * mul[j + 1, 2]
            )
            mul[j, i] = h_bar * (1.0 - h[j, i] * h[j, i])
    # w1_bar[i, m] = mul[5, i] * h[4, m] + sum_l(mul[l + 1, i] * h[l, m]) + data3[m]
    #     * mul[0, i]
    for i in range(3):
        for m in range(3):
            total = mul[5, i] * h[4, m] + data3[m] * mul[0, i]
            for l in range(4):
                total += mul[l + 1, i] * h[l, m]
            w1_bar[i, m] = total
    # u_bar[i, k] = data4[k] * mul[5, i] + sum_j(data5[j, k] * mul[j, i])
    for i in range(3):
        for k in range(2):
            u_bar[i, k] = data4[k] * mul[5, i]
        for j in range(5):
            for k in range(2):
                u_bar[i, k] += data5[j, k] * mul[j, i]
    return square, gradient
