# layer(weights, biases, row, target): the value and the gradient by weights, biases, the mean over the rows of row, target
from gradcompile.blocks import columns, scratch
from gradcompile.ieee import tanh
from numpy import zeros


def layer_value_and_grad(inputs, batches):
    count = batches[0].shape[0]
    value = 0.0
    gradient = zeros(8)
    block = scratch(4, 240)
    s1 = block[0]
    tanh1 = block[1:3]
    sub = block[0]
    sub_bar = block[3]
    s1_bar = block[0]
    weights = inputs[0:6].reshape((2, 3))
    biases = inputs[6:8]
    biases_bar = gradient[6:8]
    weights_bar = gradient[0:6].reshape((2, 3))
    for start in range(0, count, 240):
        n = min(240, count - start)
        rows = columns(batches, start, n)
        width = rows.shape[1]
        row = rows[0:3]
        target = rows[3]
        # forward sweep
        # s1[i] = sum_k(weights[j, k] * row[k, i])
        # tanh1[j, i] = tanh(s1[i])
        for j in range(2):
            for i in range(width):
                s1[i] = -0.0
            for k in range(3):
                for i in range(width):
                    s1[i] += weights[j, k] * row[k, i]
            for i in range(width):
                tanh1[j, i] = tanh(s1[i])
        # sub[i] = s2 - target[i]
        for i in range(width):
            s2 = tanh1[0, i] + biases[0] + (biases[1] + tanh1[1, i])
            sub[i] = s2 - target[i]
        # value = sum_i(sub[i] * sub[i])
        total1 = -0.0
        for i in range(n):
            total1 += sub[i] * sub[i]
        value += total1
        # reverse sweep
        # sub_bar[i] = sub[i] * 2.0
        for i in range(width):
            sub_bar[i] = sub[i] * 2.0
        # biases_bar[j] = sum_i(sub_bar[i])
        for j in range(2):
            total2 = -0.0
            for i in range(n):
                total2 += sub_bar[i]
            biases_bar[j] += total2
        # s1_bar[i] = sub_bar[i] * (1.0 - tanh1[j, i] * tanh1[j, i])
        # weights_bar[j, k] = sum_i(row[k, i] * s1_bar[i])
        for j in range(2):
            for i in range(width):
                s1_bar[i] = sub_bar[i] * (1.0 - tanh1[j, i] * tanh1[j, i])
            for k in range(3):
                total3 = -0.0
                for i in range(n):
                    total3 += row[k, i] * s1_bar[i]
                weights_bar[j, k] += total3
    gradient /= count
    return value / count, gradient
