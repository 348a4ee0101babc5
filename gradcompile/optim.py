"""Steps of gradient descent on flat arrays: `SGD`, `Adam` and `AdamW`, by the rules of torch.optim.

An optimizer keeps its settings and what it remembers of the steps before; the loop is yours:

    >>> import numpy as np
    >>> import gradcompile as gdc
    >>> from gradcompile import optim
    >>> loss = gdc.compile(lambda p: (p[0] - 3.0) ** 2 + 10.0 * (p[1] + 1.0) ** 2)
    >>> params, opt = np.zeros(2), optim.SGD(lr=0.02, momentum=0.8)
    >>> for k in range(200):
    ...     opt.lr = 0.02 * (1.0 - k / 200)
    ...     value, grads = loss.value_and_grad(params)
    ...     params = opt.step(params, grads.p)
    >>> params.round(6)
    array([ 3., -1.])

For BFGS and its like, give `.flat` of a kernel to scipy.optimize.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcompile.ops.op import as_float
from gradcompile.support.arrays import FloatArray

NUMERIC_SETTINGS = ("lr", "momentum", "weight_decay", "eps")
"""The settings that are a number from 0 on."""


@dataclass(eq=False, slots=True)
class Optimizer(ABC):
    """What the optimizers share. A setting is checked whenever it is set, and may change any time.

    Attributes:
        lr: the learning rate.
    """

    lr: float = 1e-3
    _shape: tuple[int, ...] | None = field(default=None, init=False, repr=False)

    def step(self, params: Any, grads: Any) -> FloatArray:
        """Return the parameters after one step; those given are left as they are.

        Args:
            params: numbers: a flat array or list, always of the same length.
            grads: the slopes of what is to become small; of the same shape.

        Returns:
            A new float64 array.

        Raises:
            ValueError: the shapes differ, or are not those of the step before.
            TypeError: these are no numbers.
        """
        p, g = self._array(params, "params"), self._array(grads, "grads")
        if g.shape != p.shape:
            raise ValueError(
                f"{self._name}.step: expected grads of shape {p.shape}, as params, got {g.shape}"
            )
        if self._shape not in (None, p.shape):
            raise ValueError(
                f"{self._name}.step: expected params of shape {self._shape}, as in the step "
                f"before, got {p.shape}"
            )
        self._shape = p.shape
        with np.errstate(all="ignore"):  # inf and nan are results like others
            return self._stepped(p, g)

    @abstractmethod
    def _stepped(self, p: FloatArray, g: FloatArray) -> FloatArray:
        """Compute the new parameters, and remember what the next step needs."""

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _array(self, numbers: Any, argument: str) -> FloatArray:
        if hasattr(numbers, "_fields"):
            raise TypeError(
                f"{self._name}.step: expected {argument} as a flat array, got a "
                f"{type(numbers).__name__}; give one of its fields {', '.join(numbers._fields)}"
            )
        try:
            array = np.asarray(numbers)
        except ValueError:
            raise ValueError(
                f"{self._name}.step: expected {argument} as a flat array, got lists of different "
                "lengths"
            ) from None
        if array.size and array.dtype.kind not in "iuf":
            raise TypeError(
                f"{self._name}.step: expected {argument} as an array of numbers, got one of dtype "
                f"{array.dtype}; those of a model are `model.flat`"
            )
        return array.astype(np.float64, copy=False)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, self._checked(name, value))

    def _checked(self, name: str, value: Any) -> Any:
        if name == "betas":
            pair = value if isinstance(value, tuple | list) and len(value) == 2 else None
            if pair is None:
                raise ValueError(f"{self._name}: expected betas as two numbers, got {value!r:.60}")
            return tuple(self._number(name, beta, 1.0) for beta in pair)
        return self._number(name, value) if name in NUMERIC_SETTINGS else value

    def _number(self, name: str, value: Any, below: float = math.inf) -> float:
        limit = "finite" if below == math.inf else f"below {below:g}"
        expected = f"{self._name}: expected {name} as a number from 0 on and {limit}"
        try:
            setting = as_float(value, name)
        except TypeError:
            raise TypeError(f"{expected}, got {type(value).__name__} {value!r:.60}") from None
        if not 0.0 <= setting < below:  # nor nan
            raise ValueError(f"{expected}, got {value!r}")
        return setting


@dataclass(eq=False, slots=True)
class SGD(Optimizer):
    """Gradient descent, with momentum if asked: `params - lr * grads` is the plain step.

    Args:
        lr: the learning rate.
        momentum: how much of the last step's velocity stays.
        weight_decay: adds this times the parameters to the gradient.
        nesterov: look ahead along the velocity; needs momentum.

    Raises:
        ValueError: a setting is negative, nan or inf; `nesterov` without momentum.
        TypeError: a setting is no number.

    Example:
        >>> SGD(lr=0.1).step([1.0, 2.0], [10.0, 0.0])
        array([0., 2.])
    """

    momentum: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False
    _velocity: FloatArray | float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.nesterov and self.momentum == 0.0:
            raise ValueError("SGD: nesterov needs momentum")

    def _stepped(self, p: FloatArray, g: FloatArray) -> FloatArray:
        if self.weight_decay:
            g = g + self.weight_decay * p
        if self.momentum:
            self._velocity = self.momentum * self._velocity + g
            g = g + self.momentum * self._velocity if self.nesterov else self._velocity
        return np.asarray(p - self.lr * g)


@dataclass(eq=False, slots=True)
class Adam(Optimizer):
    """Steps of the gradient's running mean, over the root of the running mean of its square.

    Kingma and Ba, Adam: a method for stochastic optimization, 2015, https://arxiv.org/abs/1412.6980

    Args:
        lr: the learning rate.
        betas: how much of the two running means stays in each step.
        eps: is added to the root.
        weight_decay: adds this times the parameters to the gradient.

    Raises:
        ValueError: a setting is negative, nan or inf, or a beta is not below 1.
        TypeError: a setting is no number.

    Example:
        >>> Adam(lr=0.1).step([1.0, 2.0], [10.0, -0.001]).round(4)
        array([0.9, 2.1])
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    _steps: int = field(default=0, init=False, repr=False)
    _mean: FloatArray | float = field(default=0.0, init=False, repr=False)
    _square: FloatArray | float = field(default=0.0, init=False, repr=False)

    def _stepped(self, p: FloatArray, g: FloatArray) -> FloatArray:
        return self._adapted(p, g + self.weight_decay * p if self.weight_decay else g)

    def _adapted(self, p: FloatArray, g: FloatArray) -> FloatArray:
        beta1, beta2 = self.betas
        self._steps += 1
        self._mean = beta1 * self._mean + (1.0 - beta1) * g
        self._square = beta2 * self._square + (1.0 - beta2) * g * g
        # Both means start at 0; this takes out what that does to them.
        mean = self._mean / (1.0 - beta1**self._steps)
        root = np.sqrt(self._square / (1.0 - beta2**self._steps))
        return np.asarray(p - self.lr * mean / (root + self.eps))


@dataclass(eq=False, slots=True)
class AdamW(Adam):
    """`Adam` whose weight decay makes the parameters smaller and leaves the gradient alone.

    Loshchilov and Hutter, Decoupled weight decay regularization, 2019,
    https://arxiv.org/abs/1711.05101

    Args:
        lr: the learning rate.
        betas: how much of the two running means stays in each step.
        eps: is added to the root.
        weight_decay: each step takes `lr * weight_decay` times the parameters away first.

    Example:
        >>> AdamW(lr=0.1, weight_decay=0.5).step([1.0, 2.0], [0.0, 0.0])
        array([0.95, 1.9 ])
    """

    weight_decay: float = 1e-2

    def _stepped(self, p: FloatArray, g: FloatArray) -> FloatArray:
        return self._adapted(p * (1.0 - self.lr * self.weight_decay), g)
