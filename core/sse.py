"""Server-sent events out of raw bytes, at a few microseconds each."""

_BOM = b"\xef\xbb\xbf"


class EventReader:
    """Puts events together from the pieces a connection hands out, cut anywhere.

    Reads what the HTML standard's event streams may hold: lines ending in LF, CRLF or CR,
    comments, events of several data lines, fields nobody asked for.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._data: list[bytes] = []
        self._is_first = True

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that `piece` completes, in order."""
        self._parts.append(piece)
        if b"\n" not in piece and b"\r" not in piece:
            return []
        raw = b"".join(self._parts)
        if b"\r" in raw:
            raw = _with_plain_ends(raw)
        *lines, rest = raw.split(b"\n")
        self._parts = [rest] if rest else []
        if self._is_first and lines:
            lines[0] = lines[0].removeprefix(_BOM)
            self._is_first = False
        return self._read(lines)

    def end(self) -> list[bytes]:
        """Return the data of an event that the stream's end left without its blank line."""
        return self.feed(b"\n\n")

    def _read(self, lines: list[bytes]) -> list[bytes]:
        events = []
        data = self._data
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line and data:
                events.append(data[0] if len(data) == 1 else b"\n".join(data))
                data.clear()
            elif line.startswith(b"error:"):
                # llama.cpp of 2024 and 2025 reports errors in a field of that name.
                data.append(b'{"error":' + line[6:] + b"}")
        return events


def _with_plain_ends(raw: bytes) -> bytes:
    """Turn every line end into LF; a CR at the very end waits for what follows it."""
    tail = b"\r" if raw.endswith(b"\r") else b""
    raw = raw.removesuffix(b"\r")
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + tail
