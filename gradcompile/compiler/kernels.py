"""The kernels of a compiled function beside its value and its gradient, made when asked for."""

from functools import cached_property

from gradcompile.compiler import options as kinds
from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.directions import DirectedKernel
from gradcompile.compiler.kernel import Kernel
from gradcompile.compiler.sparse import HessianKernel, MatrixKernel


class Derivatives:
    """Tangents, Jacobians and second derivatives of a function."""

    arguments: Arguments

    @cached_property
    def jvp(self) -> DirectedKernel:
        """Give the value and its tangent: `jvp(args, tangents)`, tangents as the arguments are.

        Example:
            >>> import gradcompile as gdc
            >>> f = gdc.compile(lambda x, y: [x * y, x**2])
            >>> f.jvp((3.0, 2.0), (1.0, 0.5))
            ([6.0, 9.0], [3.5, 6.0])
        """
        return DirectedKernel(self.arguments, kinds.JVP)

    @cached_property
    def vjp(self) -> DirectedKernel:
        """Give the value, and the gradient of its sum with cotangents: `vjp(args, cotangents)`.

        Example:
            >>> import gradcompile as gdc
            >>> f = gdc.compile(lambda x, y: [x * y, x**2])
            >>> f.vjp((3.0, 2.0), [1.0, 0.5])
            ([6.0, 9.0], Gradient(x=5.0, y=3.0))
        """
        return DirectedKernel(self.arguments, kinds.VJP)

    @cached_property
    def jacobian(self) -> MatrixKernel:
        """Give the Jacobian: in the structure of the value, of whose leaves each is a gradient.

        The derivative of an output of shape s by an argument of shape t has shape s + t.

        Example:
            >>> import gradcompile as gdc
            >>> f = gdc.compile(lambda x, y: {"product": x * y, "square": x**2})
            >>> f.jacobian(3.0, 2.0)["square"]
            Gradient(x=6.0, y=0.0)
            >>> f.jacobian.flat([3.0, 2.0])
            array([[2., 3.],
                   [6., 0.]])
        """
        return MatrixKernel(self.arguments, kinds.JACOBIAN)

    @cached_property
    def value_and_jacobian(self) -> MatrixKernel:
        """Give the value and the Jacobian, which share their work.

        Example:
            >>> import gradcompile as gdc
            >>> f = gdc.compile(lambda x: [x[0] ** 2, x[1]])
            >>> value, jacobian = f.value_and_jacobian.sparse([3.0, 2.0])
            >>> value, jacobian.toarray().tolist()
            ([9.0, 2.0], [[6.0, 0.0], [0.0, 1.0]])
        """
        return MatrixKernel(self.arguments, kinds.VALUE_AND_JACOBIAN)

    @cached_property
    def hessian(self) -> HessianKernel:
        """Give the Hessian: arguments over arguments, `hessian(x, y).x.y`.

        Of several outputs it is that of their sum with `weights=`, in the structure of the value.

        Example:
            >>> import gradcompile as gdc
            >>> gdc.compile(lambda x, y: x**2 * y).hessian(3.0, 2.0).x
            Gradient(x=4.0, y=6.0)
            >>> f = gdc.compile(lambda x, y: [x * y, x**2])
            >>> f.hessian(3.0, 2.0, weights=[1.0, 10.0]).x
            Gradient(x=20.0, y=1.0)
        """
        return HessianKernel(self.arguments, kinds.HESSIAN)

    @cached_property
    def value_grad_and_hessian(self) -> HessianKernel:
        """Give the value, the gradient and the Hessian, which share their work.

        Example:
            >>> import gradcompile as gdc
            >>> f = gdc.compile(lambda x: (x - 1.0) ** 2)
            >>> f.value_grad_and_hessian.flat([3.0])
            (4.0, array([4.]), array([[2.]]))
        """
        return HessianKernel(self.arguments, kinds.VALUE_GRAD_AND_HESSIAN)

    @cached_property
    def hvp(self) -> DirectedKernel:
        """Give the Hessian times a vector, without the Hessian: `hvp(args, vector)`.

        Example:
            >>> import gradcompile as gdc
            >>> f = gdc.compile(lambda x, y: x**2 * y)
            >>> f.hvp((3.0, 2.0), (1.0, 0.0))
            Gradient(x=4.0, y=6.0)
            >>> f.hvp.flat([3.0, 2.0], [1.0, 0.0])
            array([4., 6.])
        """
        return DirectedKernel(self.arguments, kinds.HVP)

    @cached_property
    def grad_and_hvp(self) -> DirectedKernel:
        """Give the gradient, and the Hessian times a vector: `grad_and_hvp(args, vector)`."""
        return DirectedKernel(self.arguments, kinds.GRAD_AND_HVP)

    @cached_property
    def hessian_diagonal(self) -> Kernel:
        """Give the second derivative by each number, in the structure of the gradient.

        Example:
            >>> import gradcompile as gdc
            >>> gdc.compile(lambda x, y: x**2 * y**3).hessian_diagonal(3.0, 2.0)
            Gradient(x=16.0, y=108.0)
        """
        return Kernel(self.arguments, kinds.HESSIAN_DIAGONAL)
