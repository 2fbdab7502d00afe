"""What is let go goes back to the machine."""

import gc
import subprocess
import sys

import pytest

from bots.heap import settle

# Blocks as large as a picture's, and fewer threads than draw.
_PROGRAM = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from bots.heap import give_back

def held():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024

def work(number):
    for _ in range(4):
        bytearray(b"x") * (12 << 20)

{call}
before = held()
with ThreadPoolExecutor(4) as threads:
    list(threads.map(work, range(40)))
    print(held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_what_threads_let_go_goes_back() -> None:
    """Large blocks, whichever thread had them."""
    found = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(call="give_back()")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(found.stdout) < 10


def test_what_stays_is_not_looked_through() -> None:
    """Only what has come since is searched for garbage."""
    kept = [[] for _ in range(1000)]  # type: ignore[var-annotated]
    try:
        settle()
        assert gc.get_freeze_count() > len(kept)
        assert len(gc.get_objects()) < len(kept)
    finally:
        gc.unfreeze()
