"""A setting of numpy's library of matrix products: one thread for each process."""

import os
import sys

SETTINGS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
"""Variables of the environment that OpenBLAS reads while numpy is imported; the first one decides."""


def multiply_on_one_thread() -> bool:
    """Makes OpenBLAS compute products on one thread in this process, and returns whether it does.

    The threads of a product wait for each other without giving up their processors. The products of motion are small,
    so with other load on the machine, as from a second process of moglow, they mostly wait. A number of threads in the
    environment is kept, and after numpy is imported nothing can be set. Programs call this, not the library.
    """
    if "numpy" in sys.modules or any(name in os.environ for name in SETTINGS):
        return False
    os.environ[SETTINGS[0]] = "1"
    return True
