from gradcompile.blocks import columns, scratch
from gradcompile.vector import cos, sin
from numpy import empty, zeros


def slope_value_and_grad(weights, row):
    """slope(weights, row): the value and the gradient, the sum over the rows of row"""
    count = len(row)
    value = 0.0
    weights_bar = zeros(3)
    row_bar = empty((3, count))
    block = scratch(3, 240)
    v1 = block[0]
    v2 = block[1]
    v1_bar = block[2]
    row_bar_2 = row_bar[1:3]
    weights_2 = weights[1:3]
    for start in range(0, count, 240):
        n = min(240, count - start)
        row_rows = columns(row, start, n, scratch(720))
        width = row_rows.shape[1]
        for i in range(width):
            v1[i] = (
                weights[0] * row_rows[0, i] + weights[1] * row_rows[1, i]
                + weights[2] * row_rows[2, i]
            )
            v2[i] = row_rows[0, i] * v1[i]
        # value = sum_i(sin(v2[i]))
        total = 0.0
        for i in range(n):
            total += sin(v2[i])
        value += total
        # reverse sweep, from value_bar = 1.0
        # differentiates v1[i], v2[i], value
        for i in range(n):
            v2_bar = cos(v2[i])
            v1_bar[i] = row_rows[0, i] * v2_bar
            row_bar[0, start + i] = v2_bar * v1[i] + weights[0] * v1_bar[i]
        # differentiates v1[i] = weights[0] * row_rows[0, i] + weights[1]
        #     * row_rows[1, i] + weights[2] * row_rows[2, i]
        # weights_bar[j] = sum_i(row_rows[j, i] * v1_bar[i])
        for j in range(3):
            total_2 = 0.0
            for i in range(n):
                total_2 += row_rows[j, i] * v1_bar[i]
            weights_bar[j] += total_2
        for k in range(2):
            for i in range(n):
                row_bar_2[k, start + i] = weights_2[k] * v1_bar[i]
    return value, (weights_bar, row_bar.T)
