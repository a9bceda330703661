"""Asks the C library to keep freed memory for the next step rather than to return it."""

import ctypes
import sys

# From glibc's malloc.h; its manual page is mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_KEPT = 64 * 2**20  # bytes; keeping larger blocks too is no faster and takes half as much memory again
NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Returns whether the C library could be told so; where it is not glibc nothing happens.

    A training step allocates the same large blocks each time. By default glibc hands each back to the system, which
    clears it page by page when it is asked for again: an eighth of a step of the paper's model. It holds for the
    whole process, so this is for a program to choose, not for a library.

    >>> keep_freed_memory() in (True, False)
    True
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)) and bool(mallopt(M_TRIM_THRESHOLD, NEVER))
