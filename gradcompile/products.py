"""Products of matrices, and sums of rows: what loop nests that only add are emitted as.

Emitted code imports them by name. CPython leaves them to numpy; machine code keeps a part of the
result in registers while everything that is added to it is read (`jit/tiles.py`).
"""

import numpy as np

from gradcompile.support.arrays import FloatArray


def set_product(c: FloatArray, a: FloatArray, b: FloatArray) -> None:
    """`c[:] = a @ b`, where the elements of each row of `b` and of `c` are neighbours in memory.

    Args:
        c: has a row for each of `a`, and a column for each of `b`.
        a: has a column for each row of `b`.
        b: shares no memory with `c`.

    Example:
        >>> c = np.empty((2, 1))
        >>> set_product(c, np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0], [6.0]]))
        >>> c
        array([[17.],
               [39.]])
    """
    c[:] = a @ b


def set_affine(c: FloatArray, a: FloatArray, b: FloatArray, d: FloatArray) -> None:
    """`c[:] = a @ b + d[:, newaxis]`, as `set_product`: what a layer of neurons computes.

    Args:
        c: has a row for each of `a`, and a column for each of `b`.
        a: has a column for each row of `b`.
        b: shares no memory with `c`.
        d: a vector, with an element for each row of `a`.

    Example:
        >>> c = np.empty((2, 1))
        >>> set_affine(c, np.eye(2), np.array([[5.0], [6.0]]), np.array([1.0, 2.0]))
        >>> c
        array([[6.],
               [8.]])
    """
    c[:] = a @ b + d[:, np.newaxis]


def add_product(c: FloatArray, a: FloatArray, b: FloatArray) -> None:
    """`c += a @ b`, where the elements of each row of `b` and of `c` are neighbours in memory.

    Args:
        c: has a row for each of `a`, and a column for each of `b`.
        a: has a column for each row of `b`.
        b: shares no memory with `c`.

    Example:
        >>> c = np.ones((2, 1))
        >>> add_product(c, np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0], [6.0]]))
        >>> c
        array([[18.],
               [40.]])
    """
    c += a @ b


def add_inner_products(c: FloatArray, a: FloatArray, b: FloatArray) -> None:
    """`c += a @ b.T`, where the elements of each row of all three are neighbours in memory.

    Args:
        c: has a row for each of `a`, and a column for each row of `b`.
        a: has as many columns as `b`.
        b: shares no memory with `c`.

    Example:
        >>> c = np.zeros((1, 2))
        >>> add_inner_products(c, np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
        >>> c
        array([[11., 17.]])
    """
    c += a @ b.T


def add_sums(c: FloatArray, a: FloatArray) -> None:
    """`c += a.sum(axis=1)`, where the elements of each row of `a` are neighbours in memory.

    Args:
        c: a vector, with an element for each row of `a`.
        a: shares no memory with `c`.

    Example:
        >>> c = np.ones(2)
        >>> add_sums(c, np.array([[1.0, 2.0], [3.0, 4.0]]))
        >>> c
        array([4., 8.])
    """
    c += a.sum(axis=1)


def subtract_product(c: FloatArray, a: FloatArray, b: FloatArray) -> None:
    """`c -= a @ b`; see `add_product`.

    Example:
        >>> c = np.zeros((1, 1))
        >>> subtract_product(c, np.array([[1.0, 2.0]]), np.array([[5.0], [6.0]]))
        >>> c
        array([[-17.]])
    """
    c -= a @ b


def subtract_inner_products(c: FloatArray, a: FloatArray, b: FloatArray) -> None:
    """`c -= a @ b.T`; see `add_inner_products`.

    Example:
        >>> c = np.zeros((1, 1))
        >>> subtract_inner_products(c, np.array([[1.0, 2.0]]), np.array([[5.0, 6.0]]))
        >>> c
        array([[-17.]])
    """
    c -= a @ b.T


def subtract_sums(c: FloatArray, a: FloatArray) -> None:
    """`c -= a.sum(axis=1)`; see `add_sums`.

    Example:
        >>> c = np.zeros(1)
        >>> subtract_sums(c, np.array([[1.0, 2.0]]))
        >>> c
        array([-3.])
    """
    c -= a.sum(axis=1)


FUNCTIONS = {
    function.__name__: function
    for function in (
        set_product,
        set_affine,
        add_product,
        add_inner_products,
        add_sums,
        subtract_product,
        subtract_inner_products,
        subtract_sums,
    )
}
"""What emitted code may call, by name."""
