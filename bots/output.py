"""What commands print: all of it reaches standard output, or it is said that it does not."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import CauserieError, GoneError


def write(*lines: str) -> None:
    """Write lines to standard output, at once.

    Raises:
        GoneError: Nobody reads it any more, as behind `| head`.
        CauserieError: It does not take them: its disk is full, say.
    """
    with mapped():
        sys.stdout.write("".join(f"{line}\n" for line in lines))


@contextmanager
def mapped() -> Iterator[None]:
    """Have what is printed meanwhile reach standard output.

    Raises:
        GoneError, CauserieError: As `write`.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The terminal's locale may not know a sign, and a file's name may be no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        # What is still buffered would make Python's exit complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise GoneError("Nobody reads the output any more.") from error
        raise CauserieError(f"Cannot write to standard output: {error.strerror}.") from error
