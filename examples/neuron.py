"""The lecture's neuron: as a graph of Values first, then compiled.

Run it with `python examples/neuron.py`. It saves a picture of the graph in `neuron.svg`.
"""

import gradcompile as gdc
from gradcompile import Value

# --- eager: every number remembers how it was computed ------------------------------------------

x1 = Value(2.0, label="x1")
x2 = Value(0.0, label="x2")
w1 = Value(-3.0, label="w1")
w2 = Value(1.0, label="w2")
b = Value(6.8813735870195432, label="b")

n = x1 * w1 + x2 * w2 + b
n.label = "n"
o = n.tanh()
o.label = "o"

o.backward()
print("eager    ", o.data, [x1.grad, x2.grad, w1.grad, w2.grad, b.grad])
print("picture  ", gdc.draw(o).save("neuron.svg"))

# --- compiled: the graph becomes a function of its inputs ---------------------------------------

neuron = gdc.compile(o, inputs=[x1, x2, w1, w2, b], name="neuron")

value, grads = neuron.value_and_grad(2.0, 0.0, -3.0, 1.0, 6.8813735870195432)
print("compiled ", value, list(grads))

# This is the text that numba has compiled: the backpropagation, ready to be read.
print()
print(neuron.source)

# And it is the text that sympy checks, one derivative at a time.
print(neuron.verify())

# --- or: trace a function, and descend ----------------------------------------------------------


@gdc.compile(wrt=["w", "b"])
def loss(w, b, x, target):
    """The squared error of a neuron with any number of inputs."""
    return (gdc.tanh(sum(wi * xi for wi, xi in zip(w, x, strict=True)) + b) - target) ** 2


w, bias = [-3.0, 1.0], 6.8813735870195432
print()
for step in range(5):
    error, slope = loss.value_and_grad(w, bias, [2.0, 0.0], -1.0)
    print(f"step {step}: loss {error:.6f}")
    w = [wi - 0.1 * di for wi, di in zip(w, slope.w, strict=True)]
    bias -= 0.1 * slope.b
