"""Memory that is let go, and goes back to the machine."""

import ctypes
import sys

# mallopt(3): from which size on a block is the machine's own, and how much is kept free at the
# end of a heap.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# What is read from a socket fits below: asyncio has 256 KB ready for that, each time.
_BYTES = 1 << 20


def give_back() -> None:
    """Have a large block of memory go back to the machine as soon as it is let go.

    From the first that is let go, glibc learns to keep such blocks for the next one, in every
    thread: those that have drawn a chart held 24 MB each, for good. Told of a size, it learns
    none. Where there is another C library, this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, _BYTES)
        mallopt(_M_TRIM_THRESHOLD, 2 * _BYTES)
