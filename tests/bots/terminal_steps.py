"""Steps that the tests of the terminal share."""

import re


def visible(output: str, *, height: int) -> str:
    """Return what a terminal of unlimited scrollback shows after `output`."""
    rows = [""]
    row = 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", output):
        if piece == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif piece.endswith("A") and piece.startswith("\x1b"):
            row -= int(piece[2:-1])
            assert row > len(rows) - 1 - height, "moved above the top of the terminal"
        elif piece == "\x1b[2K":
            rows[row] = ""
        elif piece[0] not in "\x1b\r":
            rows[row] += piece
    return "\n".join(line.rstrip() for line in rows).rstrip()
