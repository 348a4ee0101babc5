# layer(weights, biases, row, target): the value and the gradient by weights, biases, the mean over the rows of row, target
from gradcompile.blocks import columns, scratch
from gradcompile.vector import tanh
from numpy import zeros


def layer_value_and_grad(inputs, batches):
    count = batches[0].shape[0]
    value = 0.0
    gradient = zeros(8)
    block = scratch(4, 240)
    tanh1 = block[0:2]
    s2 = block[2]
    s2_bar = block[3]
    s1_bar = block[2]
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
        # tanh1[j, i] = tanh(s1)
        for j in range(2):
            for i in range(width):
                s1 = (
                    weights[j, 0] * row[0, i]
                    + weights[j, 1] * row[1, i]
                    + weights[j, 2] * row[2, i]
                )
                tanh1[j, i] = tanh(s1)
        # s2[i] = tanh1[0, i] + tanh1[1, i] + biases[0] + biases[1] - target[i]
        for i in range(width):
            s2[i] = tanh1[0, i] + tanh1[1, i] + biases[0] + biases[1]
        for i in range(width):
            s2[i] -= target[i]
        # value = sum_i(s2[i] * s2[i])
        total1 = 0.0
        for i in range(n):
            total1 += s2[i] * s2[i]
        value += total1
        # reverse sweep
        # s2_bar[i] = s2[i] * 2.0
        for i in range(width):
            s2_bar[i] = s2[i] * 2.0
        # biases_bar[j] = sum_i(s2_bar[i])
        for j in range(2):
            total2 = 0.0
            for i in range(n):
                total2 += s2_bar[i]
            biases_bar[j] += total2
        # s1_bar[i] = s2_bar[i] * (1.0 - tanh1[j, i] * tanh1[j, i])
        # weights_bar[j, k] = sum_i(row[k, i] * s1_bar[i])
        for j in range(2):
            for i in range(width):
                s1_bar[i] = s2_bar[i] * (1.0 - tanh1[j, i] * tanh1[j, i])
            for k in range(3):
                total3 = 0.0
                for i in range(n):
                    total3 += row[k, i] * s1_bar[i]
                weights_bar[j, k] += total3
    gradient *= 1.0 / count
    return value / count, gradient
