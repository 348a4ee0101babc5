"""Sparse Jacobians and Hessians: the nonzeros, computed as a kernel, in a matrix of scipy's.

Where they are follows from the program, so it is known before any number is, and is the same for
all numbers: whatever may be other than zero, on either branch of a choice, is a nonzero.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.directions import WEIGHTS, DirectedKernel
from gradcompile.compiler.inspection import Inspection
from gradcompile.compiler.kernel import Kernel
from gradcompile.compiler.options import Kind, nonzeros, weighted
from gradcompile.support.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from gradcompile.compiler.build import Build
