"""Neural networks of `Value`s: `Neuron`, `Layer` and `MLP`, as in micrograd, with any activation.

Code written for `micrograd.nn` runs when its import is changed: the same seed draws the same
weights, and `parameters()` lists them in the same order.

    >>> import random
    >>> from gradcompile import nn
    >>> random.seed(1337)
    >>> model = nn.MLP(2, [3, 1])
    >>> model
    MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(3)]]
    >>> score = model([1.0, -2.0])
    >>> score.backward()
    >>> len(model.parameters()), model.flat.shape
    (13, (13,))

To compile a model, make a function of its parameters. `with_parameters` is the same model with
others in their place, such as those that `gdc.compile` traces:

    >>> import gradcompile as gdc
    >>> @gdc.compile(wrt="params")
    ... def loss(params, x, y):
    ...     return (model.with_parameters(params)(x) - y) ** 2
    >>> value, grads = loss.value_and_grad(model.flat, [1.0, -2.0], 1.0)
    >>> bool(value == (score.data - 1.0) ** 2), grads.params.shape
    (True, (13,))

Called in a traced function without that, a model has its present parameters as constants.
"""

import copy
import operator
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np

from gradcompile.graph.nested import flatten
from gradcompile.graph.value import Value
from gradcompile.ops import table
from gradcompile.ops.op import Op
from gradcompile.ops.operators import Operators
from gradcompile.support.arrays import FloatArray

Activation = str | Callable[[Any], Any]

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda x: x,
    **{op.name: op for op in table.TABLE.values() if op.arity - len(op.defaults) == 1},
}
"""What a neuron may do with its sum, by name: nothing, or an operation of one operand."""

MAX_NEURONS_LISTED = 16
"""How many neurons of a layer its repr lists one by one."""


# --- what modules share --------------------------------------------------------------------------


class Module:
    """Something with parameters. Subclasses say in `parameters()` which.

    Example:
        >>> class Line(Module):
        ...     def __init__(self):
        ...         self.slope, self.offset = Value(2.0), Value(1.0)
        ...     def __call__(self, x):
        ...         return self.slope * x + self.offset
        ...     def parameters(self):
        ...         return [self.slope, self.offset]
        >>> line = Line()
        >>> line(3.0).backward()
        >>> line.flat = line.flat - 0.1 * np.array([p.grad for p in line.parameters()])
        >>> line.flat
        array([1.7, 0.9])
    """

    def parameters(self) -> list[Value]:
        """List the Values to train, in a fixed order; none, unless a subclass says which."""
        return []

    def zero_grad(self) -> None:
        """Set the gradient of each parameter to 0."""
        for parameter in self.parameters():
            parameter.grad = 0.0

    @property
    def flat(self) -> FloatArray:
        """The numbers of all parameters, in their order: a new float64 array.

        Setting it sets the parameters. Changing its items does not.

        Raises:
            ValueError: it is set to more or fewer numbers than there are parameters.
            TypeError: it is set to something else than numbers.
        """
        return np.array([_number(x) for x in self.parameters()], dtype=np.float64)

    @flat.setter
    def flat(self, numbers: Any) -> None:
        own = list(self.parameters())
        given = _supplied(self, numbers, len(own), "flat")
        for parameter, data in zip(own, given, strict=True):
            parameter.data = data

    def with_parameters(self, params: Any) -> Self:
        """Make the same module with other parameters; this one stays as it is.

        What is not a parameter is shared by the two. Parameters are found in the attributes of
        modules, and in lists, tuples, dicts and arrays there.

        Args:
            params: numbers, Values or traced values, in the order of `parameters()`. A module with
                numbers for parameters computes numbers.

        Raises:
            ValueError: there are more or fewer than this module has.
            TypeError: one is no number and no Value, or a parameter is kept in something else.

        Example:
            >>> model = MLP(3, [4, 4, 1])
            >>> model.with_parameters([0.5] * 41)([1.0, 2.0, -1.0])
            7.5
        """
        own = list(self.parameters())
        given = _supplied(self, params, len(own), "with_parameters")
        twin: Self = _replaced(self, {id(p): x for p, x in zip(own, given, strict=True)})
        for index, (x, kept) in enumerate(zip(given, twin.parameters(), strict=True)):
            if kept is not x:
                raise TypeError(
                    f"{type(self).__name__}.with_parameters: parameter {index} is listed twice, or "
                    "not kept in an attribute of a Module or in a list, tuple, dict or array there"
                )
        return twin


def _supplied(module: Module, params: Any, count: int, user: str) -> list[Any]:
    """Return `params` as a list of the right length; of numbers alone to set `flat`."""
    name = f"{type(module).__name__}.{user}"
    is_leaf = None if user == "flat" else lambda x: isinstance(x, Operators)
    try:
        leaves, _ = flatten(params, is_leaf=is_leaf)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    if len(leaves) != count:
        raise ValueError(f"{name}: expected {count} parameters, got {len(leaves)}")
    return leaves


def _number(parameter: Any) -> Any:
    return parameter.data if isinstance(parameter, Value) else parameter


def _replaced(node: Any, twins: dict[int, Any]) -> Any:
    """Copy `node` with every object that has a twin, by its id, replaced by that.

    Not a deep copy: that would also follow the graph of a Value that a module has kept.
    """
    if id(node) in twins:
        return twins[id(node)]
    if isinstance(node, Module):
        twin = twins[id(node)] = copy.copy(node)
        vars(twin).update({name: _replaced(x, twins) for name, x in vars(node).items()})
        return twin
    if isinstance(node, dict):
        return {key: _replaced(x, twins) for key, x in node.items()}
    if isinstance(node, list | tuple):
        items = [twins[id(x)] if id(x) in twins else _replaced(x, twins) for x in node]
        return type(node)(*items) if hasattr(node, "_fields") else type(node)(items)
    if isinstance(node, np.ndarray) and node.dtype == object:
        return np.frompyfunc(lambda x: _replaced(x, twins), 1, 1)(node)
    return node


# --- micrograd's modules -------------------------------------------------------------------------


class Neuron(Module):
    """`activation(b + w[0] * x[0] + w[1] * x[1] + ...)`.

    Weights are drawn by `random.uniform(-1, 1)`; the bias is 0.

    Args:
        nin: how many inputs it has.
        nonlin: whether there is an activation at all.
        activation: the name of an operation of one operand, such as "tanh"; "linear" for none; or
            a function that takes and gives a Value.

    Attributes:
        w: the weights.
        b: the bias.

    Raises:
        TypeError: the size is no whole number, or the activation is neither a name nor a function.
        ValueError: the size is negative; there is no activation of this name.

    Example:
        >>> neuron = Neuron(2, activation="tanh")
        >>> neuron.flat = [-3.0, 1.0, 6.8813735870195432]
        >>> neuron
        TanhNeuron(2)
        >>> round(neuron([2.0, 0.0]).data, 12)
        0.707106781187
    """

    def __init__(self, nin: int, nonlin: bool = True, activation: Activation = "relu") -> None:
        self.w = [Value(random.uniform(-1, 1)) for _ in range(_size(nin, "Neuron"))]
        self.b = Value(0.0)
        # A name, where there is one: a model of names can be pickled.
        self.activation = _activation(activation)
        self.nonlin = bool(nonlin) and self.activation != "linear"

    def __call__(self, x: Any) -> Any:
        """Compute the output for inputs: numbers or Values in a list, a tuple or an array.

        Raises:
            ValueError: there are more or fewer inputs than weights.
            TypeError: the inputs are something else.
        """
        inputs = _inputs(x)
        if len(inputs) != len(self.w):
            raise ValueError(f"{self}: expected {len(self.w)} inputs, got {len(inputs)}")
        # Not by sum(), which from Python 3.12 on rounds floats otherwise than Values.
        total: Any = self.b
        for wi, xi in zip(self.w, inputs, strict=True):
            total = total + wi * xi
        return self._activated(total) if self.nonlin else total

    def _activated(self, total: Any) -> Any:
        if isinstance(self.activation, str):
            return ACTIVATIONS[self.activation](total)
        result = self.activation(total)
        if isinstance(total, Operators) and not isinstance(result, Operators):
            # math.tanh would do this, and no gradient would pass.
            raise TypeError(
                f"{self}: the activation made {type(result).__name__} {result!r:.60} of a Value; "
                "compute with gradcompile's functions, such as gdc.tanh"
            )
        return result

    def parameters(self) -> list[Value]:
        """List the weights, then the bias."""
        return [*self.w, self.b]

    def __repr__(self) -> str:
        name = self.activation
        if not isinstance(name, str):
            name = getattr(name, "__name__", type(name).__name__).strip("<>")
        words = "Linear" if not self.nonlin else "".join(map(str.capitalize, name.split("_")))
        return f"{'ReLU' if words == 'Relu' else words}Neuron({len(self.w)})"


class Layer(Module):
    """Neurons that have the same inputs.

    Args:
        nin: how many inputs they have.
        nout: how many neurons there are.
        nonlin: see `Neuron`.
        activation: see `Neuron`.

    Example:
        >>> len(Layer(3, 4, activation="sigmoid")([1.0, 2.0, 3.0]))
        4
    """

    def __init__(
        self, nin: int, nout: int, nonlin: bool = True, activation: Activation = "relu"
    ) -> None:
        self.neurons = [Neuron(nin, nonlin, activation) for _ in range(_size(nout, "Layer"))]

    def __call__(self, x: Any) -> Any:
        """Compute the outputs of the neurons in a list; that of a single neuron as it is."""
        inputs = _inputs(x)
        outputs = [neuron(inputs) for neuron in self.neurons]
        return outputs[0] if len(outputs) == 1 else outputs

    def parameters(self) -> list[Value]:
        """List the parameters of the first neuron, then of the second, and so on."""
        return [parameter for neuron in self.neurons for parameter in neuron.parameters()]

    def __repr__(self) -> str:
        if (
            len(self.neurons) > MAX_NEURONS_LISTED
            and len({str(neuron) for neuron in self.neurons}) == 1
        ):
            return f"Layer of [{len(self.neurons)} × {self.neurons[0]}]"
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """A multilayer perceptron: each layer has the outputs of the one before as inputs.

    Args:
        nin: how many inputs the first layer has.
        nouts: how many neurons each layer has.
        activation: that of every layer but the last; see `Neuron`.
        output: the activation of the last layer.

    Raises:
        TypeError: `nouts` is no list of whole numbers.

    Example:
        >>> MLP(3, [2, 1], activation="tanh", output="tanh")  # as in the lecture
        MLP of [Layer of [TanhNeuron(3), TanhNeuron(3)], Layer of [TanhNeuron(2)]]
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        activation: Activation = "relu",
        output: Activation = "linear",
    ) -> None:
        if not isinstance(nouts, Iterable):
            raise TypeError(f"MLP: expected a list of sizes, got {type(nouts).__name__} {nouts!r}")
        sizes = [nin, *nouts]
        activations = [activation] * (len(sizes) - 2) + [output]
        self.layers = [
            Layer(before, size, activation=choice)
            for before, size, choice in zip(sizes, sizes[1:], activations, strict=False)
        ]

    def __call__(self, x: Any) -> Any:
        """Compute the outputs of the last layer in a list; that of a single neuron as it is."""
        for layer in self.layers:
            x = layer(x)
        return x

    def parameters(self) -> list[Value]:
        """List the parameters of the first layer, then of the second, and so on."""
        return [parameter for layer in self.layers for parameter in layer.parameters()]

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"


# --- arguments -----------------------------------------------------------------------------------


def _size(count: Any, user: str) -> int:
    try:
        size = operator.index(count)
    except TypeError:
        kind = type(count).__name__
        raise TypeError(f"{user}: expected a whole number as size, got {kind} {count!r}") from None
    if size < 0:
        raise ValueError(f"{user}: expected a size of 0 or more, got {size}")
    return size


def _activation(activation: Any) -> Activation:
    """Return an activation by its name, where it is one of `ACTIVATIONS`."""
    name = activation.name if isinstance(activation, Op) else activation
    if isinstance(name, str):
        if name not in ACTIVATIONS:
            raise ValueError(
                f"activation: expected a function or one of {', '.join(ACTIVATIONS)}; got {name!r}"
            )
        return name
    if not callable(name):
        kind = type(name).__name__
        raise TypeError(f"activation: expected a name or a function, got {kind} {name!r:.60}")
    function: Callable[[Any], Any] = name
    return function


def _inputs(x: Any) -> Sequence[Any]:
    """List the inputs one by one; a number alone is one input."""
    if isinstance(x, np.ndarray):
        if x.ndim > 1:
            raise ValueError(
                f"expected the inputs of one row, got an array of shape {x.shape}; "
                "call the model for each row"
            )
        x = x.tolist()
    if isinstance(x, list | tuple):
        return x
    if isinstance(x, Operators | int | float | np.number):
        return [x]
    try:
        return list(x)
    except TypeError:
        raise TypeError(
            f"expected inputs in a list or an array, got {type(x).__name__} {x!r:.60}"
        ) from None
