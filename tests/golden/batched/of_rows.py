# slope(weights, row): the value and the gradient by row, for each of the rows of row
from gradcompile.blocks import columns, scratch
from gradcompile.vector import cos, sin
from numpy import empty


def slope_value_and_grad(inputs, batches):
    count = batches[0].shape[0]
    value = empty(count)
    gradient = empty((3, count))
    block = scratch(3, 240)
    s = block[0]
    mul = block[1]
    s_bar = block[2]
    weights = inputs[0:3]
    row_bar = gradient[0:3]
    row_bar1 = gradient[1:3]
    weights1 = inputs[1:3]
    for start in range(0, count, 240):
        n = min(240, count - start)
        rows = columns(batches, start, n)
        row = rows[0:3]
        # forward sweep
        # s[i] = weights[0] * row[0, i] + weights[1] * row[1, i] + weights[2] * row[2,
        #     i]
        # mul[i] = row[0, i] * s[i]
        # value[start + i] = sin(mul[i])
        for i in range(n):
            s[i] = (
                weights[0] * row[0, i]
                + weights[1] * row[1, i]
                + weights[2] * row[2, i]
            )
            mul[i] = row[0, i] * s[i]
            value[start + i] = sin(mul[i])
        # reverse sweep
        # s_bar[i] = row[0, i] * mul_bar
        # row_bar[0, start + i] = mul_bar * s[i] + weights[0] * s_bar[i]
        for i in range(n):
            mul_bar = cos(mul[i])
            s_bar[i] = row[0, i] * mul_bar
            row_bar[0, start + i] = mul_bar * s[i] + weights[0] * s_bar[i]
        # row_bar1[j, start + i] = weights1[j] * s_bar[i]
        for j in range(2):
            for i in range(n):
                row_bar1[j, start + i] = weights1[j] * s_bar[i]
    return value, gradient
