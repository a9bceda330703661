"""A setting of the C library: keep freed memory for the next step instead of returning it to the system."""

import ctypes
import sys

# From glibc's malloc.h; its manual page is mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_KEPT = 64 * 2**20  # bytes; keeping larger blocks too is no faster and takes 50 % more memory
NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Makes glibc keep freed memory, and returns whether it does; another C library is left unchanged.

    A training step allocates the same large blocks each time. By default glibc returns each to the system, which clears
    it page by page at the next allocation: an eighth of a step of the paper's model, and a quarter of the decoding and
    writing of motion. The setting changes the whole process, so programs call this, not the library.

    >>> keep_freed_memory() in (True, False)
    True
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)) and bool(mallopt(M_TRIM_THRESHOLD, NEVER))
