"""Sparse Jacobians and Hessians: the nonzeros, in a matrix of scipy's.

Where they are follows from the program, so it is known before any number is, and is the same for
all numbers: what may be other than zero on either branch of a choice is a nonzero.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcompile.compiler.directions import DirectedKernel, WeightedKernel
from gradcompile.compiler.kernel import Kernel
from gradcompile.compiler.options import HESSIAN, VALUE_GRAD_AND_HESSIAN, nonzeros
from gradcompile.graph.nested import NUMBER
from gradcompile.graph.users import TraceError
from gradcompile.show.structures import StructurePicture
from gradcompile.support.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from gradcompile.compiler.request import Request

TRIANGLES = ("full", "lower", "upper")

TRIANGLE = "triangle"


def _csr_array() -> Any:
    """The class of scipy's sparse arrays, which loads on first use."""
    try:
        from scipy.sparse import csr_array
    except ImportError:
        raise ImportError(
            "sparse matrices are scipy's: run `pip install scipy`, or use values and structure"
        ) from None
    return csr_array


class SparseKernel(Kernel):
    """A kernel that gives a `scipy.sparse.csr_array`.

    Its rows are the outputs (of a Hessian, the arguments) and its columns the arguments, each as a
    flat vector. All matrices of one structure share their index arrays.

    Example:
        >>> import gradcompile as gdc
        >>> f = gdc.compile(lambda x: x[0] ** 2 * x[1] + x[2] ** 3)
        >>> f.hessian.sparse([1.0, 2.0, 3.0]).toarray()
        array([[ 4.,  2.,  0.],
               [ 2.,  0.,  0.],
               [ 0.,  0., 18.]])
        >>> f.hessian.sparse.structure
        (array([0, 0, 1, 2]), array([0, 1, 0, 2]))
        >>> f.hessian.sparse.values([1.0, 2.0, 3.0])
        array([ 4.,  2.,  2., 18.])
    """

    __slots__ = ()

    @property
    def values(self) -> Kernel:
        """The kernel of the nonzeros alone: row by row, in each by columns."""
        is_known = "values" in self._related
        kernel: Kernel = self._relative("values", self._plain(), self._kind)
        if not is_known:
            kernel._requests, kernel._builds = self._requests, self._builds
        return kernel

    def _plain(self) -> type[Kernel]:
        """The kind of kernel that gives the nonzeros alone."""
        return Kernel

    @property
    def structure(self) -> tuple[IntArray, IntArray]:
        """The rows and the columns of the nonzeros, for the latest new structure of arguments."""
        rows, columns = self._located().places
        return rows.copy(), columns.copy()

    def _located(self) -> "Request":
        """What is asked for, with its nonzeros, for the latest new structure of arguments."""
        return self._request(self._arguments.latest())

    def draw(self) -> StructurePicture:
        """Draw where the nonzeros are, for the latest new structure of arguments."""
        request = self._located()
        name = f"{self._arguments.name}.{self._path.removesuffix('.sparse')}"
        return StructurePicture(name, request.matrix_shape, *request.places)

    def _repr_svg_(self) -> str | None:
        try:
            return self.draw().svg()
        except (TraceError, TypeError, ValueError):
            return None  # it has not been called yet, or cannot be

    def _call_on_values(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        name = f"{self._arguments.name}.{self._path}"
        raise TypeError(
            f"{name}: matrices of scipy hold numbers, not Values; "
            f"use {name}.values, which builds a graph of the nonzeros, and {name}.structure"
        )

    def _wrap(self, request: "Request") -> Callable[[Any], Any]:
        """What makes the matrix of its nonzeros."""
        csr_array = _csr_array()
        if request.options.batched and request.options.reduce is None:
            name = request.traced.lowered.name
            raise ValueError(
                f"sparse: {name} has a matrix for each row; use values, which gives the nonzeros "
                "of each row, and structure, which says where in it they are"
            )
        (rows, columns), shape = request.places, request.matrix_shape
        is_small = max(*shape, len(rows)) < 2**31
        indices = columns.astype(np.int32 if is_small else np.int64)
        starts = np.searchsorted(rows, np.arange(shape[0] + 1)).astype(indices.dtype)
        for array in (indices, starts):
            array.flags.writeable = False  # they are shared by all matrices

        def matrix(values: FloatArray) -> Any:
            return csr_array((values, indices, starts), shape)

        return matrix


class SparseDirectedKernel(SparseKernel, DirectedKernel):
    """A sparse Hessian of a weighted sum of several outputs."""

    __slots__ = ()

    def _plain(self) -> type[Kernel]:
        return DirectedKernel


class SparseHessian(SparseKernel, WeightedKernel):
    """A sparse Hessian: of one number, or of several outputs with `weights=`."""

    __slots__ = ()

    _directed = SparseDirectedKernel

    def _plain(self) -> type[Kernel]:
        return WeightedKernel

    def _located(self) -> "Request":
        traced = self._arguments.latest()
        # That of a weighted sum does not depend on the weights.
        return self._request(traced) if traced.result == NUMBER else self.weighted._request(traced)

    @property
    def lower(self) -> "SparseHessian":
        """The kernel of the lower triangle, with the diagonal."""
        return self._of("lower")

    @property
    def upper(self) -> "SparseHessian":
        """The kernel of the upper triangle, with the diagonal."""
        return self._of("upper")

    def _of(self, triangle: str) -> "SparseHessian":
        if triangle not in TRIANGLES:
            raise ValueError(f'triangle: expected "full", "lower" or "upper", got {triangle!r:.60}')
        if triangle == self._kind.entries:
            return self
        whole = VALUE_GRAD_AND_HESSIAN if self._kind.keeps_value else HESSIAN
        kernel: SparseHessian = self._relative(triangle, SparseHessian, nonzeros(whole, triangle))
        return kernel

    def _general(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if TRIANGLE not in kwargs or TRIANGLE in self._arguments.signature.parameters:
            return super()._general(args, kwargs)
        others = {name: x for name, x in kwargs.items() if name != TRIANGLE}
        return self._of(kwargs[TRIANGLE])(*args, **others)


class MatrixKernel(Kernel):
    """A kernel of a Jacobian, which is dense, and has a sparse one beside it."""

    __slots__ = ()

    @property
    def sparse(self) -> SparseKernel:
        """The same with a `scipy.sparse.csr_array` as the matrix."""
        kernel: SparseKernel = self._relative("sparse", SparseKernel, nonzeros(self._kind))
        return kernel


class HessianKernel(WeightedKernel):
    """A kernel of a Hessian, which is dense, and has a sparse one beside it."""

    __slots__ = ()

    @property
    def sparse(self) -> SparseHessian:
        """The same with a `scipy.sparse.csr_array` as the matrix."""
        kernel: SparseHessian = self._relative("sparse", SparseHessian, nonzeros(self._kind))
        return kernel
