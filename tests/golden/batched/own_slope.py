from gradcompile.blocks import columns, scratch
from gradcompile.vector import exp


def growth_value_and_grad(rate, row):
    """growth(rate, row): the value and the gradient by rate, the sum over the rows of
    row
    """
    count = len(row)
    value = 0.0
    rate_bar = 0.0
    block = scratch(1, 240)
    v1 = block[0]
    for start in range(0, count, 240):
        n = min(240, count - start)
        row_rows = columns(row, start, n, scratch(240))[0]
        width = row_rows.shape[0]
        for i in range(width):
            v1[i] = exp(rate * row_rows[i])
        # reverse sweep, from value_bar = 1.0
        # differentiates v1[i] = exp(rate * row_rows[i])
        # rate_bar = sum_i(row_rows[i] * v1[i])
        total = 0.0
        for i in range(n):
            total += row_rows[i] * v1[i]
        rate_bar += total
        # value = sum_i(v1[i])
        total_2 = 0.0
        for i in range(n):
            total_2 += v1[i]
        value += total_2
    return value, (rate_bar,)
