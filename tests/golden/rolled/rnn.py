# rnn(w, u, out): the value and the gradient
from gradcompile.ieee import tanh
from numpy import empty


def rnn_value_and_grad(inputs, data, tables):
    gradient = empty(18)
    h = empty((6, 3))
    mul = empty((6, 3))
    h_bar = empty(3)
    table = tables[0:15].reshape((3, 5))
    data1 = data[0:5]
    w = inputs[0:9].reshape((3, 3))
    u = inputs[9:15].reshape((3, 2))
    data2 = data[5:15].reshape((5, 2))
    out = inputs[15:18]
    out_bar = gradient[15:18]
    data3 = data[15:18]
    w_bar = gradient[0:9].reshape((3, 3))
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
    # s2 = sum_m(w[i, m] * h[j, m]) + sum_k(u[i, k] * data2[j, k])
    # h[j + 1, i] = tanh(s2)
    for j in range(5):
        for i in range(3):
            s2 = 0.0
            for m in range(3):
                s2 += w[i, m] * h[j, m]
            for k in range(2):
                s2 += u[i, k] * data2[j, k]
            h[j + 1, i] = tanh(s2)
    # s3 = sum_i(out[i] * h[5, i])
    s3 = 0.0
    for i in range(3):
        s3 += out[i] * h[5, i]
    square = s3 * s3
    # reverse sweep
    s3_bar = s3 * 2.0
    # out_bar[i] = s3_bar * h[5, i]
    for i in range(3):
        out_bar[i] = s3_bar * h[5, i]
    # mul[5, i] = out[i] * s3_bar * (1.0 - h[5, i] * h[5, i])
    for i in range(3):
        mul[5, i] = out[i] * s3_bar * (1.0 - h[5, i] * h[5, i])
    # h_bar[i] = sum_m(w[m, i] * mul[j + 1, m])
    # mul[j, i] = h_bar[i] * (1.0 - h[j, i] * h[j, i])
    for j in range(4, -1, -1):
        for i in range(3):
            h_bar[i] = 0.0
        for m in range(3):
            for i in range(3):
                h_bar[i] += w[m, i] * mul[j + 1, m]
        for i in range(3):
            mul[j, i] = h_bar[i] * (1.0 - h[j, i] * h[j, i])
    # w_bar[i, m] = mul[5, i] * h[4, m] + sum_l(mul[l + 1, i] * h[l, m]) + data3[m] * mul[0, i]
    for i in range(3):
        for m in range(3):
            total = mul[5, i] * h[4, m] + data3[m] * mul[0, i]
            for l in range(4):
                total += mul[l + 1, i] * h[l, m]
            w_bar[i, m] = total
    # u_bar[i, k] = data4[k] * mul[5, i] + sum_j(data5[j, k] * mul[j, i])
    for i in range(3):
        for k in range(2):
            u_bar[i, k] = data4[k] * mul[5, i]
        for j in range(5):
            for k in range(2):
                u_bar[i, k] += data5[j, k] * mul[j, i]
    return square, gradient
