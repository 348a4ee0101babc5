from gradcompile.blocks import scratch
from gradcompile.ieee import exp
from numpy import empty


def attention_value_and_grad(query, key, value, data, tables):
    """attention(query, key, value): the value and the gradient"""
    query_bar = empty(4)
    key_bar = empty(4)
    value_bar = empty(4)
    q = scratch(16)
    v = scratch(4, 2)
    v1 = scratch(10)
    v2 = scratch(2)
    v3 = scratch(2)
    v5 = scratch(2)
    v6 = scratch(2, 2)
    v7 = scratch(2)
    v8 = scratch(6)
    v9 = scratch(2, 2)
    v3_bar = scratch(2)
    v10 = scratch(2)
    v8_bar = scratch(6)
    v11 = scratch(6)
    v4_bar = scratch(3)
    v_bar = scratch(2, 2)
    v12 = scratch(9)
    v_bar_2 = scratch(2)
    q_bar = scratch(2)
    q_bar_2 = scratch(2, 2, 2)
    q_bar_3 = scratch(2, 2)
    table = tables[0:8].reshape((4, 2))
    query_2 = query.reshape((2, 2))
    data_2 = data[0:4]
    data_3 = data[4:8]
    table_2 = tables[8:16].reshape((4, 2))
    key_2 = key.reshape((2, 2))
    value_3 = value.reshape((2, 2))
    table_3 = tables[16:26]
    table_4 = tables[26:36]
    table_5 = tables[36:46]
    table_6 = tables[46:56]
    data_4 = data[8:10]
    data_5 = data[10:12]
    data_6 = data[12:16].reshape((2, 2))
    table_7 = tables[56:65]
    table_8 = tables[65:74]
    table_9 = tables[74:83]
    table_10 = tables[83:86]
    table_11 = tables[86:89]
    value_3_bar = value_bar.reshape((2, 2))
    data_7 = data[16:20].reshape((2, 2))
    data_8 = data[20:22]
    data_9 = data[22:24]
    table_12 = tables[89:97].reshape((2, 4))
    table_13 = tables[97:103].reshape((2, 3))
    table_14 = tables[103:115].reshape((2, 2, 3))
    table_15 = tables[115:119].reshape((2, 2))
    table_16 = tables[119:122]
    key_2_bar = key_bar.reshape((2, 2))
    query_2_bar = query_bar.reshape((2, 2))
    data_10 = data[24:28].reshape((2, 2))
    data_11 = data[28:30]
    for i in range(2):
        for j in range(4):
            q[table[j, i]] = query_2[i, 0] * data_2[j] + query_2[i, 1] * data_3[j]
    for i in range(2):
        for j in range(4):
            q[table_2[j, i]] = key_2[i, 0] * data_2[j] + key_2[i, 1] * data_3[j]
    for i in range(2):
        for j in range(4):
            v[j, i] = value_3[i, 0] * data_2[j] + value_3[i, 1] * data_3[j]
    for l in range(10):
        v1[l] = exp(
            (q[table_3[l]] * q[table_4[l]] + q[table_5[l]] * q[table_6[l]])
            / 1.4142135623730951
        )
    for i in range(2):
        v2[i] = v1[0] * v[0, i] / v1[0]
        v3[i] = v2[i] - data_4[i]
    v4 = v1[1] + v1[2]
    v5[0] = v1[3] + v1[4] + v1[5]
    # v5[1] = sum_j(v1[j + 6])
    total = 0.0
    for j in range(4):
        total += v1[j + 6]
    v5[1] = total
    for i in range(2):
        v6[0, i] = v1[3] * v[0, i] + v1[4] * v[1, i] + v1[5] * v[2, i]
    # v6[1, i] = sum_j(v1[j + 6] * v[j, i])
    for i in range(2):
        total_2 = 0.0
        for j in range(4):
            total_2 += v1[j + 6] * v[j, i]
        v6[1, i] = total_2
    for i in range(2):
        v7[i] = (v1[1] * v[0, i] + v1[2] * v[1, i]) / v4
        v8[i] = v7[i] - data_5[i]
    for i in range(2):
        for n in range(2):
            v9[i, n] = v6[i, n] / v5[i]
            v8[2 * i + n + 2] = v9[i, n] - data_6[i, n]
    # value_2 = v3[0] * v3[0] + v3[1] * v3[1] + sum_k(v8[k] * v8[k])
    value_2 = v3[0] * v3[0] + v3[1] * v3[1]
    for k in range(6):
        value_2 += v8[k] * v8[k]
    # reverse sweep, from value_bar = 1.0
    # differentiates v2[i], value_2
    for i in range(2):
        v3_bar[i] = v3[i] * 2.0
        v10[i] = v3_bar[i] / v1[0]
    # differentiates value_2 = v3[0] * v3[0] + v3[1] * v3[1] + sum_k(v8[k] * v8[k])
    for k in range(6):
        v8_bar[k] = v8[k] * 2.0
    # differentiates v9[i, n] = v6[i, n] / v5[i]
    for i in range(2):
        for n in range(2):
            v11[2 * i + n + 2] = v8_bar[2 * i + n + 2] / v5[i]
    for i in range(2):
        v4_bar[i + 1] = (
            -(v8_bar[2 * i + 2] * (v9[i, 0] / v5[i]))
            - (v8_bar[2 * i + 3] * (v9[i, 1] / v5[i]))
        )
    # differentiates v7[i] = (v1[1] * v[0, i] + v1[2] * v[1, i]) / v4
    for i in range(2):
        v11[i] = v8_bar[i] / v4
    v4_bar[0] = -(v8_bar[0] * (v7[0] / v4)) - v8_bar[1] * (v7[1] / v4)
    # differentiates v2[i] = v1[0] * v[0, i] / v1[0]
    v1_bar = (
        v10[0] * v[0, 0] + v10[1] * v[0, 1] - (v3_bar[0] * (v2[0] / v1[0]))
        - (v3_bar[1] * (v2[1] / v1[0]))
    )
    # differentiates v6[1, i] = sum_j(v1[j + 6] * v[j, i])
    for i in range(2):
        v_bar[1, i] = v11[i + 4] * v1[9]
    # differentiates v1[l], v4, v5[0], v5[1], v6[0, i], v6[1, i], v7[i]
    for m in range(9):
        v1_bar_2 = (
            v11[table_7[m]] * v[table_8[m], 0]
            + v11[table_7[m] + 1] * v[table_8[m], 1] + v4_bar[table_9[m]]
        )
        v12[m] = v1_bar_2 * v1[m + 1] / 1.4142135623730951
    # differentiates v6[0, i], v6[1, i]
    for i in range(2):
        v_bar_2[i] = v11[i + 4] * v1[8] + v11[i + 2] * v1[5]
    # differentiates v6[0, i], v6[1, i], v7[i]
    for i in range(2):
        v_bar[0, i] = (
            v11[i] * v1[table_10[0]] + v11[i + 2] * v1[table_10[1]]
            + v11[i + 4] * v1[table_10[2]]
        )
    # differentiates v[j, i], v2[i], v6[0, i], v6[1, i], v7[i]
    for i in range(2):
        v_bar_3 = (
            v11[i] * v1[table_11[0]] + v11[i + 2] * v1[table_11[1]]
            + v11[i + 4] * v1[table_11[2]] + v10[i] * v1[0]
        )
        for n in range(2):
            value_3_bar[i, n] = (
                data_7[0, n] * v_bar[0, i] + data_7[1, n] * v_bar[1, i]
                + data_8[n] * v_bar_2[i] + data_9[n] * v_bar_3
            )
    # differentiates v1[l] = exp((q[table_3[l]] * q[table_4[l]] + q[table_5[l]]
    #     * q[table_6[l]]) / 1.4142135623730951)
    v13 = v1_bar * v1[0] / 1.4142135623730951
    for i in range(2):
        q_bar[i] = v13 * q[2 * i + 1]
    for i in range(2):
        q_bar_2[1, 1, i] = v12[8] * q[i + 12]
    # q_bar_2[1, 0, i] = sum_j(v12[j + 5] * q[table_12[i, j]])
    for i in range(2):
        total_3 = 0.0
        for j in range(4):
            total_3 += v12[j + 5] * q[table_12[i, j]]
        q_bar_2[1, 0, i] = total_3
    for i in range(2):
        for n in range(2):
            q_bar_2[0, 1 - i, n] = (
                v12[table_13[i, 0]] * q[table_14[i, n, 0]]
                + v12[table_13[i, 1]] * q[table_14[i, n, 1]]
                + v12[table_13[i, 2]] * q[table_14[i, n, 2]]
            )
    for i in range(2):
        for n in range(2):
            q_bar_3[i, n] = (
                v12[6 * i + 1] * q[6 * i + n + 6] + v12[4 * i] * q[table_15[i, n]]
            )
    # differentiates q[table_2[j, i]], v1[l]
    for i in range(2):
        q_bar_4 = (
            v12[table_16[0]] * q[i + 4] + v12[table_16[1]] * q[i + 8]
            + v12[table_16[2]] * q[i + 12] + v13 * q[2 * i]
        )
        for n in range(2):
            key_2_bar[i, n] = (
                data_7[0, n] * q_bar_2[0, 0, i] + data_7[1, n] * q_bar_2[1, 1, i]
                + data_8[n] * q_bar_3[1, i] + data_9[n] * q_bar_4
            )
    # differentiates q[table[j, i]] = query_2[i, 0] * data_2[j] + query_2[i, 1]
    #     * data_3[j]
    for i in range(2):
        for n in range(2):
            query_2_bar[i, n] = (
                data_10[0, n] * q_bar_2[0, 1, i] + data_10[1, n] * q_bar_2[1, 0, i]
                + data_11[n] * q_bar_3[0, i] + data_9[n] * q_bar[i]
            )
    return value_2, (query_bar, key_bar, value_bar)
