# attention(query, key, value): the value and the gradient
from gradcompile.ieee import exp
from numpy import empty


def attention_value_and_grad_1(inputs, data, tables, kept, add1, exp1, div1, sub1_bar, div4, div5, add2_bar):
    sub1 = empty(2)
    s1 = empty(2)
    s2 = empty((2, 2))
    div2 = empty(2)
    sub2 = empty(6)
    div3 = empty((2, 2))
    sub2_bar = empty(6)
    table1 = tables[0:24].reshape((4, 6))
    data1 = data[0:4]
    table2 = tables[24:48].reshape((4, 6))
    data2 = data[4:8]
    table3 = tables[48:58]
    table4 = tables[58:68]
    table5 = tables[68:78]
    table6 = tables[78:88]
    data3 = data[8:10]
    data4 = data[10:12]
    data5 = data[12:16].reshape((2, 2))
    # forward sweep
    # add1[k, j] = inputs[table1[k, j]] * data1[k] + inputs[table2[k, j]] * data2[k]
    for k in range(4):
        for j in range(6):
            add1[k, j] = (
                inputs[table1[k, j]] * data1[k]
                + inputs[table2[k, j]] * data2[k]
            )
    # exp1[l] = exp((add1[table3[l], 0] * add1[table4[l], table5[l]] +
    #     add1[table3[l], table6[l]] * add1[table4[l], 3]) / 1.4142135623730951)
    for l in range(10):
        exp1[l] = exp((add1[table3[l], 0] * add1[table4[l], table5[l]] + add1[table3[l], table6[l]] * add1[table4[l], 3]) / 1.4142135623730951)
    # div1[i] = exp1[0] * add1[0, i + 4] / exp1[0]
    # sub1[i] = div1[i] - data3[i]
    for i in range(2):
        div1[i] = exp1[0] * add1[0, i + 4] / exp1[0]
        sub1[i] = div1[i] - data3[i]
    add2 = exp1[1] + exp1[2]
    s1[0] = exp1[3] + exp1[4] + exp1[5]
    # s1[1] = sum_k(exp1[k + 6])
    total1 = 0.0
    for k in range(4):
        total1 += exp1[k + 6]
    s1[1] = total1
    # s2[0, i] = exp1[3] * add1[0, i + 4] + exp1[4] * add1[1, i + 4] + exp1[5] *
    #     add1[2, i + 4]
    for i in range(2):
        s2[0, i] = (
            exp1[3] * add1[0, i + 4]
            + exp1[4] * add1[1, i + 4]
            + exp1[5] * add1[2, i + 4]
        )
    # s2[1, i] = sum_k(exp1[k + 6] * add1[k, i + 4])
    for i in range(2):
        total2 = 0.0
        for k in range(4):
            total2 += exp1[k + 6] * add1[k, i + 4]
        s2[1, i] = total2
    # div2[i] = (exp1[1] * add1[0, i + 4] + exp1[2] * add1[1, i + 4]) / add2
    # sub2[i] = div2[i] - data4[i]
    for i in range(2):
        div2[i] = (exp1[1] * add1[0, i + 4] + exp1[2] * add1[1, i + 4]) / add2
        sub2[i] = div2[i] - data4[i]
    # div3[i, n] = s2[i, n] / s1[i]
    # sub2[2 * i + n + 2] = div3[i, n] - data5[i, n]
    for i in range(2):
        for n in range(2):
            div3[i, n] = s2[i, n] / s1[i]
            sub2[2 * i + n + 2] = div3[i, n] - data5[i, n]
    # kept[0] = sub1[0] * sub1[0] + sub1[1] * sub1[1] + sum_j(sub2[j] * sub2[j])
    kept[0] = sub1[0] * sub1[0] + sub1[1] * sub1[1]
    for j in range(6):
        kept[0] += sub2[j] * sub2[j]
    # reverse sweep
    # sub1_bar[i] = sub1[i] * 2.0
    # div4[i] = sub1_bar[i] / exp1[0]
    for i in range(2):
        sub1_bar[i] = sub1[i] * 2.0
        div4[i] = sub1_bar[i] / exp1[0]
    # sub2_bar[j] = sub2[j] * 2.0
    for j in range(6):
        sub2_bar[j] = sub2[j] * 2.0
    # div5[2 * i + n + 2] = sub2_bar[2 * i + n + 2] / s1[i]
    for i in range(2):
        for n in range(2):
            div5[2 * i + n + 2] = sub2_bar[2 * i + n + 2] / s1[i]
    # add2_bar[i + 1] = -(sub2_bar[2 * i + 2] * (div3[i, 0] / s1[i])) - sub2_bar[2 *
    #     i + 3] * (div3[i, 1] / s1[i])
    for i in range(2):
        add2_bar[i + 1] = (
            -(sub2_bar[2 * i + 2] * (div3[i, 0] / s1[i]))
            - sub2_bar[2 * i + 3] * (div3[i, 1] / s1[i])
        )
    # div5[i] = sub2_bar[i] / add2
    for i in range(2):
        div5[i] = sub2_bar[i] / add2
    add2_bar[0] = (
        -(sub2_bar[0] * (div2[0] / add2))
        - sub2_bar[1] * (div2[1] / add2)
    )


def attention_value_and_grad_2(data, tables, kept, gradient, add1, exp1, div1, sub1_bar, div4, div5, add2_bar, div6, add1_bar_4, add1_bar_5, add1_bar_6):
    add1_bar = empty((2, 2))
    add1_bar_2 = empty(2)
    table7 = tables[88:97]
    table8 = tables[97:106]
    table9 = tables[106:115]
    table10 = tables[115:118]
    table11 = tables[118:121]
    value_bar = gradient[8:12].reshape((2, 2))
    data6 = data[16:20].reshape((2, 2))
    data7 = data[20:22]
    data8 = data[22:24]
    table12 = tables[121:129].reshape((2, 4))
    table13 = tables[129:135].reshape((2, 3))
    table14 = tables[135:147].reshape((2, 2, 3))
    table15 = tables[147:151].reshape((2, 2))
    # reverse sweep
    exp1_bar = (
        div4[0] * add1[0, 4]
        + div4[1] * add1[0, 5]
        - sub1_bar[0] * (div1[0] / exp1[0])
        - sub1_bar[1] * (div1[1] / exp1[0])
    )
    # add1_bar[1, i] = div5[i + 4] * exp1[9]
    for i in range(2):
        add1_bar[1, i] = div5[i + 4] * exp1[9]
    # div6[m] = exp1_bar_2 * exp1[m + 1] / 1.4142135623730951
    for m in range(9):
        exp1_bar_2 = (
            div5[table7[m]] * add1[table8[m], 4]
            + div5[table7[m] + 1] * add1[table8[m], 5]
            + add2_bar[table9[m]]
        )
        div6[m] = exp1_bar_2 * exp1[m + 1] / 1.4142135623730951
    # add1_bar_2[i] = div5[i + 4] * exp1[8] + div5[i + 2] * exp1[5]
    for i in range(2):
        add1_bar_2[i] = div5[i + 4] * exp1[8] + div5[i + 2] * exp1[5]
    # add1_bar[0, i] = div5[i] * exp1[table10[0]] + div5[i + 2] * exp1[table10[1]] +
    #     div5[i + 4] * exp1[table10[2]]
    for i in range(2):
        add1_bar[0, i] = (
            div5[i] * exp1[table10[0]]
            + div5[i + 2] * exp1[table10[1]]
            + div5[i + 4] * exp1[table10[2]]
        )
    # value_bar[i, n] = data6[0, n] * add1_bar[0, i] + data6[1, n] * add1_bar[1, i]
    #     + data7[n] * add1_bar_2[i] + data8[n] * add1_bar_3
    for i in range(2):
        add1_bar_3 = (
            div5[i] * exp1[table11[0]]
            + div5[i + 2] * exp1[table11[1]]
            + div5[i + 4] * exp1[table11[2]]
            + div4[i] * exp1[0]
        )
        for n in range(2):
            value_bar[i, n] = (
                data6[0, n] * add1_bar[0, i]
                + data6[1, n] * add1_bar[1, i]
                + data7[n] * add1_bar_2[i]
                + data8[n] * add1_bar_3
            )
    kept[1] = exp1_bar * exp1[0] / 1.4142135623730951
    # add1_bar_4[i] = kept[1] * add1[0, 2 * i + 1]
    for i in range(2):
        add1_bar_4[i] = kept[1] * add1[0, 2 * i + 1]
    # add1_bar_5[1, 1, i] = div6[8] * add1[3, i]
    for i in range(2):
        add1_bar_5[1, 1, i] = div6[8] * add1[3, i]
    # add1_bar_5[1, 0, i] = sum_k(div6[k + 5] * add1[k, table12[i, k]])
    for i in range(2):
        total3 = 0.0
        for k in range(4):
            total3 += div6[k + 5] * add1[k, table12[i, k]]
        add1_bar_5[1, 0, i] = total3
    # add1_bar_5[0, -i + 1, n] = div6[table13[i, 0]] * add1[i, table14[i, n, 0]] +
    #     div6[table13[i, 1]] * add1[i + 1, table14[i, n, 1]] + div6[table13[i, 2]]
    #     * add1[i + 2, table14[i, n, 2]]
    for i in range(2):
        for n in range(2):
            add1_bar_5[0, -i + 1, n] = (
                div6[table13[i, 0]] * add1[i, table14[i, n, 0]]
                + div6[table13[i, 1]] * add1[i + 1, table14[i, n, 1]]
                + div6[table13[i, 2]] * add1[i + 2, table14[i, n, 2]]
            )
    # add1_bar_6[i, n] = div6[6 * i + 1] * add1[2 * i + 1, -(2 * i) + n + 2] +
    #     div6[4 * i] * add1[2 * i, table15[i, n]]
    for i in range(2):
        for n in range(2):
            add1_bar_6[i, n] = (
                div6[6 * i + 1] * add1[2 * i + 1, -(2 * i) + n + 2]
                + div6[4 * i] * add1[2 * i, table15[i, n]]
            )


def attention_value_and_grad_3(data, tables, kept, gradient, add1, div6, add1_bar_4, add1_bar_5, add1_bar_6):
    data6 = data[16:20].reshape((2, 2))
    data7 = data[20:22]
    data8 = data[22:24]
    table16 = tables[151:154]
    key_bar = gradient[4:8].reshape((2, 2))
    query_bar = gradient[0:4].reshape((2, 2))
    data9 = data[24:28].reshape((2, 2))
    data10 = data[28:30]
    # reverse sweep
    # key_bar[i, n] = data6[0, n] * add1_bar_5[0, 0, i] + data6[1, n] *
    #     add1_bar_5[1, 1, i] + data7[n] * add1_bar_6[1, i] + data8[n] * add1_bar_7
    for i in range(2):
        add1_bar_7 = (
            div6[table16[0]] * add1[1, i]
            + div6[table16[1]] * add1[2, i]
            + div6[table16[2]] * add1[3, i]
            + kept[1] * add1[0, 2 * i]
        )
        for n in range(2):
            key_bar[i, n] = (
                data6[0, n] * add1_bar_5[0, 0, i]
                + data6[1, n] * add1_bar_5[1, 1, i]
                + data7[n] * add1_bar_6[1, i]
                + data8[n] * add1_bar_7
            )
    # query_bar[i, n] = data9[0, n] * add1_bar_5[0, 1, i] + data9[1, n] *
    #     add1_bar_5[1, 0, i] + data10[n] * add1_bar_6[0, i] + data8[n] *
    #     add1_bar_4[i]
    for i in range(2):
        for n in range(2):
            query_bar[i, n] = (
                data9[0, n] * add1_bar_5[0, 1, i]
                + data9[1, n] * add1_bar_5[1, 0, i]
                + data10[n] * add1_bar_6[0, i]
                + data8[n] * add1_bar_4[i]
            )


def attention_value_and_grad(inputs, data, tables):
    gradient = empty(12)
    add1 = empty((4, 6))
    exp1 = empty(10)
    div1 = empty(2)
    sub1_bar = empty(2)
    div4 = empty(2)
    div5 = empty(6)
    add2_bar = empty(3)
    div6 = empty(9)
    add1_bar_4 = empty(2)
    add1_bar_5 = empty((2, 2, 2))
    add1_bar_6 = empty((2, 2))
    kept = empty(2)
    attention_value_and_grad_1(inputs, data, tables, kept, add1, exp1, div1, sub1_bar, div4, div5, add2_bar)
    attention_value_and_grad_2(data, tables, kept, gradient, add1, exp1, div1, sub1_bar, div4, div5, add2_bar, div6, add1_bar_4, add1_bar_5, add1_bar_6)
    attention_value_and_grad_3(data, tables, kept, gradient, add1, div6, add1_bar_4, add1_bar_5, add1_bar_6)
    return kept[0], gradient
