"""Server-sent events on a connection, in every shape the format allows."""

import asyncio
import json
import socket
import struct

from aiohttp import web

from tests.servers.openai.faults import Shape

PLAIN = Shape()


def reset(request: web.Request) -> None:
    """Drop the client's connection with a TCP reset."""
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Wire:
    """Writes events to a response."""

    def __init__(self, response: web.StreamResponse, shape: Shape = PLAIN) -> None:
        self._response = response
        self._shape = shape
        self._is_plain = not (
            shape.is_crlf or shape.is_commented or shape.split or shape.is_multiline
        )

    async def send(self, data: bytes) -> None:
        """Write one event."""
        if self._is_plain:
            await self._response.write(b"data: " + data + b"\n\n")
            return
        end = "\r\n" if self._shape.is_crlf else "\n"
        lines = [data.decode()]
        if self._shape.is_multiline and data.startswith(b"{"):
            lines = json.dumps(json.loads(data), indent=1, ensure_ascii=False).split("\n")
        comment = f": keep-alive{end}{end}" if self._shape.is_commented else ""
        body = "".join(f"data: {line}{end}" for line in lines)
        await self._write(f"{comment}{body}{end}".encode())

    async def _write(self, raw: bytes) -> None:
        size = self._shape.split or len(raw)
        for start in range(0, len(raw), size):
            await self._response.write(raw[start : start + size])
            if self._shape.split:
                await asyncio.sleep(0)
