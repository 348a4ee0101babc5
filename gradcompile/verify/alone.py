"""One thread at a time: sympy and mpmath keep state that all threads of a process share.

sympy evaluates under the precision of mpmath's global context, which it sets and puts back: two
threads that do so by turns may leave it at the precision of either. mpmath remembers pi, log(2) and
Bernoulli numbers with the precision that they are known to, in two steps. Both are Python, so that
under the interpreter's own lock waiting for one another costs threads nothing.
"""

from threading import RLock

ALONE = RLock()
"""Held by whoever asks sympy or mpmath."""
