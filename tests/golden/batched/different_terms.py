# total(weights, row): the value and the gradient by weights, the sum over the rows of row
from gradcompile.blocks import columns, scratch
from gradcompile.vector import cos, exp, sin, tanh
from numpy import zeros


def total_value_and_grad(inputs, batches):
    count = batches[0].shape[0]
    value = 0.0
    gradient = zeros(4)
    block = scratch(4, 240)
    sin1 = block[0]
    cos1 = block[1]
    tanh1 = block[2]
    exp1 = block[3]
    weights = inputs[0:4]
    weights_bar = gradient[0:4]
    for start in range(0, count, 240):
        n = min(240, count - start)
        rows = columns(batches, start, n)
        width = rows.shape[1]
        row = rows[0:4]
        # forward sweep
        # sin1[i] = sin(row[0, i] * row[1, i])
        for i in range(width):
            sin1[i] = sin(row[0, i] * row[1, i])
        # cos1[i] = cos(row[1, i] * row[2, i])
        for i in range(width):
            cos1[i] = cos(row[1, i] * row[2, i])
        # tanh1[i] = tanh(row[2, i] * row[3, i])
        for i in range(width):
            tanh1[i] = tanh(row[2, i] * row[3, i])
        # exp1[i] = exp(row[3, i] * row[0, i])
        for i in range(width):
            exp1[i] = exp(row[3, i] * row[0, i])
        # value = sum_i(weights[0] * sin1[i] + weights[1] * cos1[i] + weights[2] *
        #     tanh1[i] + weights[3] * exp1[i])
        total1 = 0.0
        for i in range(n):
            total1 += (
                weights[0] * sin1[i]
                + weights[1] * cos1[i]
                + weights[2] * tanh1[i]
                + weights[3] * exp1[i]
            )
        value += total1
        # reverse sweep
        # weights_bar[3] = sum_i(exp1[i])
        total2 = 0.0
        for i in range(n):
            total2 += exp1[i]
        weights_bar[3] += total2
        # weights_bar[2] = sum_i(tanh1[i])
        total3 = 0.0
        for i in range(n):
            total3 += tanh1[i]
        weights_bar[2] += total3
        # weights_bar[1] = sum_i(cos1[i])
        total4 = 0.0
        for i in range(n):
            total4 += cos1[i]
        weights_bar[1] += total4
        # weights_bar[0] = sum_i(sin1[i])
        total5 = 0.0
        for i in range(n):
            total5 += sin1[i]
        weights_bar[0] += total5
    return value, gradient
