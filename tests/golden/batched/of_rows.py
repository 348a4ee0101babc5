from gradcompile.blocks import columns, scratch
from gradcompile.vector import cos, sin
from numpy import empty


def slope_value_and_grad(weights, row):
    """slope(weights, row): the value and the gradient by row, for each of the rows of
    row
    """
    count = len(row)
    value = empty(count)
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
        for i in range(n):
            v1[i] = (
                weights[0] * row_rows[0, i] + weights[1] * row_rows[1, i]
                + weights[2] * row_rows[2, i]
            )
            v2[i] = row_rows[0, i] * v1[i]
            value[start + i] = sin(v2[i])
        # reverse sweep, from value_bar = 1.0
        # differentiates v1[i], v2[i], value[start + i]
        for i in range(n):
            v2_bar = cos(v2[i])
            v1_bar[i] = row_rows[0, i] * v2_bar
            row_bar[0, start + i] = v2_bar * v1[i] + weights[0] * v1_bar[i]
        # differentiates v1[i] = weights[0] * row_rows[0, i] + weights[1]
        #     * row_rows[1, i] + weights[2] * row_rows[2, i]
        for j in range(2):
            for i in range(n):
                row_bar_2[j, start + i] = weights_2[j] * v1_bar[i]
    return value, (row_bar.T,)
