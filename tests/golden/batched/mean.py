from gradcompile.blocks import columns, divide, scratch
from gradcompile.vector import tanh
from numpy import zeros


def layer_value_and_grad(weights, biases, row, target):
    """layer(weights, biases, row, target): the value and the gradient by weights,
    biases, the mean over the rows of row, target
    """
    count = len(row)
    value = 0.0
    weights_bar = zeros(6)
    biases_bar = zeros(2)
    block = scratch(4, 240)
    v2 = block[0:2]
    v3 = block[2]
    v3_bar = block[3]
    v1_bar = block[2]
    weights_2 = weights.reshape((2, 3))
    weights_2_bar = weights_bar.reshape((2, 3))
    for start in range(0, count, 240):
        n = min(240, count - start)
        row_rows = columns(row, start, n, scratch(720))
        target_rows = columns(target, start, n, scratch(240))[0]
        width = row_rows.shape[1]
        for j in range(2):
            for i in range(width):
                v1 = (
                    weights_2[j, 0] * row_rows[0, i] + weights_2[j, 1] * row_rows[1, i]
                    + weights_2[j, 2] * row_rows[2, i]
                )
                v2[j, i] = tanh(v1)
        # v3[i] = v2[0, i] + v2[1, i] + biases[0] + biases[1] - target_rows[i]
        for i in range(width):
            v3[i] = v2[0, i] + v2[1, i] + biases[0] + biases[1]
        for i in range(width):
            v3[i] -= target_rows[i]
        # value = sum_i(v3[i] * v3[i])
        total = 0.0
        for i in range(n):
            total += v3[i] * v3[i]
        value += total
        # reverse sweep, from value_bar = 1.0
        # differentiates value = sum_i(v3[i] * v3[i])
        for i in range(width):
            v3_bar[i] = v3[i] * 2.0
        # differentiates v3[i] = v2[0, i] + v2[1, i] + biases[0] + biases[1]
        #     - target_rows[i]
        # biases_bar[j] = sum_i(v3_bar[i])
        for j in range(2):
            total_2 = 0.0
            for i in range(n):
                total_2 += v3_bar[i]
            biases_bar[j] += total_2
        # differentiates v1, v2[j, i]
        # weights_2_bar[j, k] = sum_i(row_rows[k, i] * v1_bar[i])
        for j in range(2):
            for i in range(width):
                v1_bar[i] = v3_bar[i] * (1.0 - v2[j, i] * v2[j, i])
            for k in range(3):
                total_3 = 0.0
                for i in range(n):
                    total_3 += row_rows[k, i] * v1_bar[i]
                weights_2_bar[j, k] += total_3
    divide(weights_bar, count)
    divide(biases_bar, count)
    return value / count, (weights_bar, biases_bar)
