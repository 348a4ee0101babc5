from gradcompile.blocks import columns, scratch
from gradcompile.vector import cos, exp, sin, tanh
from numpy import zeros


def total_value_and_grad(weights, row):
    """total(weights, row): the value and the gradient by weights, the sum over the
    rows of row
    """
    count = len(row)
    value = 0.0
    weights_bar = zeros(4)
    block = scratch(4, 240)
    terms = block[0]
    terms_2 = block[1]
    terms_3 = block[2]
    terms_4 = block[3]
    for start in range(0, count, 240):
        n = min(240, count - start)
        row_rows = columns(row, start, n, scratch(960))
        width = row_rows.shape[1]
        for i in range(width):
            terms[i] = sin(row_rows[0, i] * row_rows[1, i])
        for i in range(width):
            terms_2[i] = cos(row_rows[1, i] * row_rows[2, i])
        for i in range(width):
            terms_3[i] = tanh(row_rows[2, i] * row_rows[3, i])
        for i in range(width):
            terms_4[i] = exp(row_rows[3, i] * row_rows[0, i])
        # value = sum_i(weights[0] * terms[i] + weights[1] * terms_2[i] + weights[2]
        #     * terms_3[i] + weights[3] * terms_4[i])
        total = 0.0
        for i in range(n):
            total += (
                weights[0] * terms[i] + weights[1] * terms_2[i]
                + weights[2] * terms_3[i] + weights[3] * terms_4[i]
            )
        value += total
        # reverse sweep, from value_bar = 1.0
        # differentiates value = sum_i(weights[0] * terms[i] + weights[1] * terms_2[i]
        #     + weights[2] * terms_3[i] + weights[3] * terms_4[i])
        # weights_bar[3] = sum_i(terms_4[i])
        total_2 = 0.0
        for i in range(n):
            total_2 += terms_4[i]
        weights_bar[3] += total_2
        # weights_bar[2] = sum_i(terms_3[i])
        total_3 = 0.0
        for i in range(n):
            total_3 += terms_3[i]
        weights_bar[2] += total_3
        # weights_bar[1] = sum_i(terms_2[i])
        total_4 = 0.0
        for i in range(n):
            total_4 += terms_2[i]
        weights_bar[1] += total_4
        # weights_bar[0] = sum_i(terms[i])
        total_5 = 0.0
        for i in range(n):
            total_5 += terms[i]
        weights_bar[0] += total_5
    return value, (weights_bar,)
