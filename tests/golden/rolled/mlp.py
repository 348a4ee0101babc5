# mlp(w1, b1, w2): the value and the gradient
from gradcompile.ieee import tanh
from numpy import empty


def mlp_value_and_grad(inputs, data):
    gradient = empty(20)
    h = empty((5, 4))
    s2 = empty(5)
    s2_bar = empty(5)
    s1_bar = empty((5, 4))
    w1 = inputs[0:12].reshape((4, 3))
    data1 = data[0:15].reshape((5, 3))
    b1 = inputs[12:16]
    data2 = data[15:20]
    w2 = inputs[16:20]
    w2_bar = gradient[16:20]
    w1_bar = gradient[0:12].reshape((4, 3))
    b1_bar = gradient[12:16]
    # forward sweep
    # h[j, i] = tanh(s1)
    # s2[j] = sum_i(w2[i] * h[j, i]) - data2[j]
    for j in range(5):
        for i in range(4):
            s1 = (
                w1[i, 0] * data1[j, 0]
                + w1[i, 1] * data1[j, 1]
                + w1[i, 2] * data1[j, 2]
                + b1[i]
            )
            h[j, i] = tanh(s1)
        total = -data2[j]
        for i in range(4):
            total += w2[i] * h[j, i]
        s2[j] = total
    # s3 = sum_j(s2[j] * s2[j])
    s3 = 0.0
    for j in range(5):
        s3 += s2[j] * s2[j]
    div = s3 / 5.0
    # reverse sweep
    # s2_bar[j] = s2[j] * 2.0 / 5.0
    # s1_bar[j, i] = w2[i] * s2_bar[j] * (1.0 - h[j, i] * h[j, i])
    for j in range(5):
        s2_bar[j] = s2[j] * 2.0 / 5.0
        for i in range(4):
            s1_bar[j, i] = w2[i] * s2_bar[j] * (1.0 - h[j, i] * h[j, i])
    # w2_bar[i] = sum_j(s2_bar[j] * h[j, i])
    for i in range(4):
        w2_bar[i] = 0.0
    for j in range(5):
        for i in range(4):
            w2_bar[i] += s2_bar[j] * h[j, i]
    # w1_bar[i, k] = sum_j(data1[j, k] * s1_bar[j, i])
    for k in range(3):
        for i in range(4):
            w1_bar[i, k] = 0.0
        for j in range(5):
            for i in range(4):
                w1_bar[i, k] += data1[j, k] * s1_bar[j, i]
    # b1_bar[i] = sum_j(s1_bar[j, i])
    for i in range(4):
        b1_bar[i] = 0.0
    for j in range(5):
        for i in range(4):
            b1_bar[i] += s1_bar[j, i]
    return div, gradient
