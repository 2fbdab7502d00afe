"""Memory: what is let go goes back to the machine, what stays is not searched for garbage."""

import ctypes
import gc
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


def settle() -> None:
    """Take what there is now, modules and vocabulary, for what stays until the end.

    To look through all of it took 35 to 49 ms every second or so under load, in which nobody was
    answered; what has come since takes 10 (`python -m tests.bench turns`, 2026-11).
    """
    gc.collect()
    gc.freeze()
