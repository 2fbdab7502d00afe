"""Memory that is let go, and goes back to the machine."""

import ctypes
import sys

# mallopt(3), glibc 2.40: the number of the option, and its value before it is learnt.
_M_MMAP_THRESHOLD = -3
_BYTES = 128 * 1024


def give_back() -> None:
    """Have a large block of memory go back to the machine as soon as it is let go.

    From the first that is let go, glibc learns to keep such blocks for the next one, in every
    thread: those that have drawn a chart held 24 MB each, for good. Told of a size, it learns
    none. Where there is another C library, this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, _BYTES)
