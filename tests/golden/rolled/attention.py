# attention(query, key, value): the value and the gradient
from gradcompile.ieee import exp
from numpy import empty


def attention_value_and_grad_1(inputs, data, tables, kept, add1, exp1, div4, div5, add2_bar):
    div1 = empty(2)
    sub1 = empty(2)
    s1 = empty(2)
    s2 = empty((2, 2))
    div2 = empty(2)
    sub2 = empty(6)
    div3 = empty((2, 2))
    sub1_bar = empty(2)
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
    # add1[l, k] = inputs[table1[l, k]] * data1[l] + inputs[table2[l, k]] * data2[l]
    for l in range(4):
        for k in range(6):
            add1[l, k] = inputs[table1[l, k]] * data1[l] + inputs[table2[l, k]] * data2[l]
    # exp1[m] = exp((add1[table3[m], 0] * add1[table4[m], table5[m]] + add1[table3[m], table6[m]] *
    #     add1[table4[m], 3]) / 1.4142135623730951)
    for m in range(10):
        exp1[m] = exp((add1[table3[m], 0] * add1[table4[m], table5[m]] + add1[table3[m], table6[m]] * add1[table4[m], 3]) / 1.4142135623730951)
    # div1[i] = exp1[0] * add1[0, i + 4] / exp1[0]
    # sub1[i] = div1[i] - data3[i]
    for i in range(2):
        div1[i] = exp1[0] * add1[0, i + 4] / exp1[0]
        sub1[i] = div1[i] - data3[i]
    add2 = exp1[1] + exp1[2]
    # s1[0] = sum_j(exp1[j + 3])
    total1 = 0.0
    for j in range(3):
        total1 += exp1[j + 3]
    s1[0] = total1
    # s1[1] = sum_l(exp1[l + 6])
    total2 = 0.0
    for l in range(4):
        total2 += exp1[l + 6]
    s1[1] = total2
    # s2[0, i] = sum_j(exp1[j + 3] * add1[j, i + 4])
    for i in range(2):
        s2[0, i] = 0.0
    for j in range(3):
        for i in range(2):
            s2[0, i] += exp1[j + 3] * add1[j, i + 4]
    # s2[1, i] = sum_l(exp1[l + 6] * add1[l, i + 4])
    for i in range(2):
        total3 = 0.0
        for l in range(4):
            total3 += exp1[l + 6] * add1[l, i + 4]
        s2[1, i] = total3
    # div2[i] = (exp1[1] * add1[0, i + 4] + exp1[2] * add1[1, i + 4]) / add2
    # sub2[i] = div2[i] - data4[i]
    for i in range(2):
        div2[i] = (exp1[1] * add1[0, i + 4] + exp1[2] * add1[1, i + 4]) / add2
        sub2[i] = div2[i] - data4[i]
    # div3[i, p] = s2[i, p] / s1[i]
    # sub2[2 * i + p + 2] = div3[i, p] - data5[i, p]
    for i in range(2):
        for p in range(2):
            div3[i, p] = s2[i, p] / s1[i]
            sub2[2 * i + p + 2] = div3[i, p] - data5[i, p]
    # kept[0] = sum_i(sub1[i] * sub1[i]) + sum_k(sub2[k] * sub2[k])
    kept[0] = 0.0
    for i in range(2):
        kept[0] += sub1[i] * sub1[i]
    for k in range(6):
        kept[0] += sub2[k] * sub2[k]
    # reverse sweep
    # sub1_bar[i] = sub1[i] * 2.0
    # div4[i] = sub1_bar[i] / exp1[0]
    for i in range(2):
        sub1_bar[i] = sub1[i] * 2.0
        div4[i] = sub1_bar[i] / exp1[0]
    # sub2_bar[k] = sub2[k] * 2.0
    for k in range(6):
        sub2_bar[k] = sub2[k] * 2.0
    # div5[2 * i + p + 2] = sub2_bar[2 * i + p + 2] / s1[i]
    for i in range(2):
        for p in range(2):
            div5[2 * i + p + 2] = sub2_bar[2 * i + p + 2] / s1[i]
    # add2_bar[i + 1] = -(sub2_bar[2 * i + 2] * (div3[i, 0] / s1[i])) - sub2_bar[2 * i + 3] *
    #     (div3[i, 1] / s1[i])
    for i in range(2):
        add2_bar[i + 1] = -(sub2_bar[2 * i + 2] * (div3[i, 0] / s1[i])) - sub2_bar[2 * i + 3] * (div3[i, 1] / s1[i])
    # div5[i] = sub2_bar[i] / add2
    for i in range(2):
        div5[i] = sub2_bar[i] / add2
    add2_bar[0] = -(sub2_bar[0] * (div2[0] / add2)) - sub2_bar[1] * (div2[1] / add2)
    # kept[1] = sum_i(div4[i] * add1[0, i + 4]) + sum_i(-(sub1_bar[i] * (div1[i] / exp1[0])))
    kept[1] = 0.0
    for i in range(2):
        kept[1] += div4[i] * add1[0, i + 4]
    for i in range(2):
        kept[1] -= sub1_bar[i] * (div1[i] / exp1[0])


def attention_value_and_grad_2(data, tables, kept, gradient, add1, exp1, div4, div5, add2_bar):
    add1_bar = empty((2, 2))
    div6 = empty(9)
    add1_bar_2 = empty(2)
    add1_bar_3 = empty(2)
    add1_bar_4 = empty(2)
    add1_bar_5 = empty((2, 2, 2))
    add1_bar_6 = empty((2, 2))
    add1_bar_7 = empty(2)
    table7 = tables[106:115]
    table8 = tables[88:97]
    table9 = tables[97:106]
    table10 = tables[115:118]
    table11 = tables[118:121]
    value_bar = gradient[8:12].reshape((2, 2))
    data6 = data[20:22]
    data7 = data[22:24]
    data8 = data[16:20].reshape((2, 2))
    table12 = tables[121:129].reshape((2, 4))
    table13 = tables[129:135].reshape((2, 3))
    table14 = tables[135:147].reshape((2, 2, 3))
    table15 = tables[147:151].reshape((2, 2))
    table16 = tables[151:154]
    query_bar = gradient[0:4].reshape((2, 2))
    data9 = data[28:30]
    data10 = data[24:28].reshape((2, 2))
    key_bar = gradient[4:8].reshape((2, 2))
    # reverse sweep
    # add1_bar[1, i] = div5[i + 4] * exp1[9]
    for i in range(2):
        add1_bar[1, i] = div5[i + 4] * exp1[9]
    # exp1_bar_2 = sum_i(div5[table8[n] + i] * add1[table9[n], i + 4]) + add2_bar[table7[n]]
    # div6[n] = exp1_bar_2 * exp1[n + 1] / 1.4142135623730951
    for n in range(9):
        exp1_bar_2 = add2_bar[table7[n]]
        for i in range(2):
            exp1_bar_2 += div5[table8[n] + i] * add1[table9[n], i + 4]
        div6[n] = exp1_bar_2 * exp1[n + 1] / 1.4142135623730951
    # add1_bar_2[i] = div5[i + 4] * exp1[8] + div5[i + 2] * exp1[5]
    for i in range(2):
        add1_bar_2[i] = div5[i + 4] * exp1[8] + div5[i + 2] * exp1[5]
    # add1_bar[0, i] = sum_j(div5[i + 2 * j] * exp1[table10[j]])
    for i in range(2):
        add1_bar[0, i] = 0.0
    for j in range(3):
        for i in range(2):
            add1_bar[0, i] += div5[i + 2 * j] * exp1[table10[j]]
    # add1_bar_3[i] = sum_j(div5[i + 2 * j] * exp1[table11[j]]) + div4[i] * exp1[0]
    for i in range(2):
        add1_bar_3[i] = div4[i] * exp1[0]
    for j in range(3):
        for i in range(2):
            add1_bar_3[i] += div5[i + 2 * j] * exp1[table11[j]]
    div7 = kept[1] * exp1[0] / 1.4142135623730951
    # add1_bar_4[i] = div7 * add1[0, 2 * i + 1]
    for i in range(2):
        add1_bar_4[i] = div7 * add1[0, 2 * i + 1]
    # value_bar[i, p] = sum_q(data8[q, p] * add1_bar[q, i]) + data6[p] * add1_bar_2[i] + data7[p] *
    #     add1_bar_3[i]
    for i in range(2):
        for p in range(2):
            value_bar[i, p] = data6[p] * add1_bar_2[i] + data7[p] * add1_bar_3[i]
        for q in range(2):
            for p in range(2):
                value_bar[i, p] += data8[q, p] * add1_bar[q, i]
    # add1_bar_5[1, 1, i] = div6[8] * add1[3, i]
    for i in range(2):
        add1_bar_5[1, 1, i] = div6[8] * add1[3, i]
    # add1_bar_5[1, 0, i] = sum_l(div6[l + 5] * add1[l, table12[i, l]])
    for i in range(2):
        total4 = 0.0
        for l in range(4):
            total4 += div6[l + 5] * add1[l, table12[i, l]]
        add1_bar_5[1, 0, i] = total4
    # add1_bar_5[0, -i + 1, p] = sum_j(div6[table13[i, j]] * add1[i + j, table14[i, p, j]])
    for i in range(2):
        for p in range(2):
            add1_bar_5[0, -i + 1, p] = 0.0
        for j in range(3):
            for p in range(2):
                add1_bar_5[0, -i + 1, p] += div6[table13[i, j]] * add1[i + j, table14[i, p, j]]
    # add1_bar_6[i, p] = div6[6 * i + 1] * add1[2 * i + 1, -(2 * i) + p + 2] + div6[4 * i] * add1[2
    #     * i, table15[i, p]]
    for i in range(2):
        for p in range(2):
            add1_bar_6[i, p] = div6[6 * i + 1] * add1[2 * i + 1, -(2 * i) + p + 2] + div6[4 * i] * add1[2 * i, table15[i, p]]
    # add1_bar_7[i] = sum_j(div6[table16[j]] * add1[j + 1, i]) + div7 * add1[0, 2 * i]
    for i in range(2):
        add1_bar_7[i] = div7 * add1[0, 2 * i]
    for j in range(3):
        for i in range(2):
            add1_bar_7[i] += div6[table16[j]] * add1[j + 1, i]
    # query_bar[i, p] = sum_q(data10[q, p] * add1_bar_5[q, -q + 1, i]) + data9[p] * add1_bar_6[0, i]
    #     + data7[p] * add1_bar_4[i]
    for i in range(2):
        for p in range(2):
            query_bar[i, p] = data9[p] * add1_bar_6[0, i] + data7[p] * add1_bar_4[i]
        for q in range(2):
            for p in range(2):
                query_bar[i, p] += data10[q, p] * add1_bar_5[q, -q + 1, i]
    # key_bar[i, p] = sum_q(data8[q, p] * add1_bar_5[q, q, i]) + data6[p] * add1_bar_6[1, i] +
    #     data7[p] * add1_bar_7[i]
    for i in range(2):
        for p in range(2):
            key_bar[i, p] = data6[p] * add1_bar_6[1, i] + data7[p] * add1_bar_7[i]
        for q in range(2):
            for p in range(2):
                key_bar[i, p] += data8[q, p] * add1_bar_5[q, q, i]


def attention_value_and_grad(inputs, data, tables):
    gradient = empty(12)
    add1 = empty((4, 6))
    exp1 = empty(10)
    div4 = empty(2)
    div5 = empty(6)
    add2_bar = empty(3)
    kept = empty(2)
    attention_value_and_grad_1(inputs, data, tables, kept, add1, exp1, div4, div5, add2_bar)
    attention_value_and_grad_2(data, tables, kept, gradient, add1, exp1, div4, div5, add2_bar)
    return kept[0], gradient
