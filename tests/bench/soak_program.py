"""The program as it is, but that it tidies up more often: an hour of a compressed day is short.

Started by `tests.bench.soak` with the seconds of that hour before the program's own arguments.
"""

import runpy
import sys

from core.retention import keep_tidy


def main() -> None:
    """Run the program."""
    keep_tidy.__kwdefaults__ = {"seconds": float(sys.argv.pop(1))}
    runpy.run_module("bots", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
