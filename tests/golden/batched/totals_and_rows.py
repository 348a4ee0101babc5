# slope(weights, row): the value and the gradient, the sum over the rows of row
from gradcompile.blocks import columns, scratch
from gradcompile.vector import cos, sin
from numpy import empty, zeros


def slope_value_and_grad(inputs, batches):
    count = batches[0].shape[0]
    value = 0.0
    gradient = zeros(3)
    gradient_2 = empty((3, count))
    block = scratch(3, 240)
    s = block[0]
    mul = block[1]
    s_bar = block[2]
    weights = inputs[0:3]
    row_bar = gradient_2[0:3]
    weights_bar = gradient[0:3]
    row_bar1 = gradient_2[1:3]
    weights1 = inputs[1:3]
    for start in range(0, count, 240):
        n = min(240, count - start)
        rows = columns(batches, start, n)
        width = rows.shape[1]
        row = rows[0:3]
        # forward sweep
        # s[i] = weights[0] * row[0, i] + weights[1] * row[1, i] + weights[2] * row[2,
        #     i]
        # mul[i] = row[0, i] * s[i]
        for i in range(width):
            s[i] = (
                weights[0] * row[0, i]
                + weights[1] * row[1, i]
                + weights[2] * row[2, i]
            )
            mul[i] = row[0, i] * s[i]
        # value = sum_i(sin(mul[i]))
        total1 = 0.0
        for i in range(n):
            total1 += sin(mul[i])
        value += total1
        # reverse sweep
        # s_bar[i] = row[0, i] * mul_bar
        # row_bar[0, start + i] = mul_bar * s[i] + weights[0] * s_bar[i]
        for i in range(n):
            mul_bar = cos(mul[i])
            s_bar[i] = row[0, i] * mul_bar
            row_bar[0, start + i] = mul_bar * s[i] + weights[0] * s_bar[i]
        # weights_bar[j] = sum_i(row[j, i] * s_bar[i])
        for j in range(3):
            total2 = 0.0
            for i in range(n):
                total2 += row[j, i] * s_bar[i]
            weights_bar[j] += total2
        # row_bar1[k, start + i] = weights1[k] * s_bar[i]
        for k in range(2):
            for i in range(n):
                row_bar1[k, start + i] = weights1[k] * s_bar[i]
    return value, gradient, gradient_2
