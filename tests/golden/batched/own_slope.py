# growth(rate, row): the value and the gradient by rate, the sum over the rows of row
from gradcompile.blocks import columns, scratch
from gradcompile.vector import exp
from numpy import zeros


def growth_value_and_grad(inputs, batches):
    count = batches[0].shape[0]
    value = 0.0
    gradient = zeros(1)
    block = scratch(1, 240)
    exp1 = block[0]
    rate = inputs[0]
    for start in range(0, count, 240):
        n = min(240, count - start)
        rows = columns(batches, start, n)
        width = rows.shape[1]
        row = rows[0]
        # forward sweep
        # exp1[i] = exp(rate * row[i])
        for i in range(width):
            exp1[i] = exp(rate * row[i])
        # reverse sweep
        # gradient[0] = sum_i(row[i] * exp1[i])
        total1 = 0.0
        for i in range(n):
            total1 += row[i] * exp1[i]
        gradient[0] += total1
        # value = sum_i(exp1[i])
        total2 = 0.0
        for i in range(n):
            total2 += exp1[i]
        value += total2
    return value, gradient
