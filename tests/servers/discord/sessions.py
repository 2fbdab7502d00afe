"""A gateway session: what it gets, what it has got, and the connection it has now."""

import asyncio
import json
import time
import zlib
from collections import deque
from typing import Any

from aiohttp import web

from tests import leaks
from tests.servers.discord import intents as intent
from tests.servers.discord.errors import Json

# Gateway, "Rate limiting", 2026-11: 120 payloads a minute.
_SEND_EVENTS = 120
_SEND_SECONDS = 60.0
# Speed matters more here than size.
_LEVEL = 1


class Connection:
    """One WebSocket; what is sent leaves in order, by a task of its own.

    Attributes:
        session: Once it has identified or resumed.
        is_frozen: Nothing leaves any more, not even acknowledgements: a zombie.
        is_closing: Nothing more is sent or heard.
    """

    def __init__(self, socket: web.WebSocketResponse, *, is_compressed: bool) -> None:
        self.session: Session | None = None
        self.is_frozen = False
        self.is_closing = False
        self._socket = socket
        self._zlib = zlib.compressobj(_LEVEL) if is_compressed else None
        self._queue: asyncio.Queue[str | int] = asyncio.Queue()
        self._times: deque[float] = deque()
        self._transport: Any = None
        self._beaten_at = time.monotonic()
        self._watch: asyncio.TimerHandle | None = None
        self._writer = asyncio.create_task(self._write())

    def attach(self, transport: Any) -> None:
        """Remember the transport, for cutting it."""
        self._transport = transport

    def send(self, op: int, data: Any = None) -> None:
        """Send something that is not an event."""
        self.send_text(json.dumps({"op": op, "d": data, "s": None, "t": None}))

    def send_text(self, text: str) -> None:
        """Send a payload as it is."""
        if not self.is_frozen and not self.is_closing:
            self._queue.put_nowait(text)

    def close(self, code: int) -> None:
        """Close once everything sent so far is out."""
        if not self.is_closing:
            self.is_closing = True
            self._queue.put_nowait(code)

    def cut(self) -> None:
        """Cut the TCP connection, without a word."""
        self.is_closing = True
        if self._transport:
            self._transport.abort()

    def beat(self) -> None:
        """Note a heartbeat."""
        self._beaten_at = time.monotonic()

    def watch(self, patience: float, code: int) -> None:
        """Close with `code` as soon as no heartbeat has come for so many seconds."""
        left = self._beaten_at + patience - time.monotonic()
        if left <= 0:
            self.close(code)
            return
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(left, self.watch, patience, code)

    def is_flooded(self) -> bool:
        """Count a payload of the client; say whether it is more than 120 a minute."""
        now = time.monotonic()
        while self._times and self._times[0] <= now - _SEND_SECONDS:
            self._times.popleft()
        self._times.append(now)
        return len(self._times) > _SEND_EVENTS

    async def _write(self) -> None:
        while True:
            item = await self._queue.get()
            try:
                if isinstance(item, int):
                    await self._socket.close(code=item)
                    return
                if self._zlib is None:
                    await self._socket.send_str(item)
                else:
                    data = self._zlib.compress(item.encode())
                    await self._socket.send_bytes(data + self._zlib.flush(zlib.Z_SYNC_FLUSH))
            except (ConnectionError, RuntimeError):
                return

    async def end(self) -> None:
        """Stop sending."""
        if self._watch:
            self._watch.cancel()
        self._writer.cancel()
        await asyncio.wait({self._writer})


class Session:
    """A session; it outlives its connection until it expires.

    Attributes:
        seq: Number of the last event.
        left_at: When its connection was lost, by the server's clock; None while it has one.
        events: Names of what it got, in order.
    """

    def __init__(self, id: str, *, intents: int, shard: tuple[int, int]) -> None:  # noqa: A002
        self.id = id
        self.intents = intents
        self.shard = shard
        self.seq = 0
        self.connection: Connection | None = None
        self.left_at: float | None = None
        self.events: list[str] = []
        self._log: deque[tuple[int, str]] = deque(maxlen=10_000)

    def dispatch(self, event: str, data: Any) -> None:
        """Send an event, and keep it for a resumption."""
        leaks.note_event(data)
        self.seq += 1
        text = json.dumps({"t": event, "s": self.seq, "op": 0, "d": data}, separators=(",", ":"))
        self._log.append((self.seq, text))
        self.events.append(event)
        if self.connection:
            self.connection.send_text(text)

    def offer(
        self, event: str, data: Json, *, bot_id: int, guild_id: int | None, is_about_bot: bool
    ) -> None:
        """Dispatch an event if this session is to have it."""
        number, count = self.shard
        shard = (guild_id >> 22) % count if guild_id else 0
        is_direct = guild_id is None
        if shard != number or not intent.wants(
            self.intents, event, is_direct=is_direct, is_about_bot=is_about_bot
        ):
            return
        if not self.intents & intent.MESSAGE_CONTENT:
            data = intent.strip(event, data, bot_id=bot_id)
        self.dispatch(event, data)

    def knows(self, seq: int) -> bool:
        """Say whether it can be resumed from there."""
        oldest = self._log[0][0] if self._log else self.seq + 1
        return oldest - 1 <= seq <= self.seq

    def replay(self, seq: int) -> None:
        """Send every event after `seq` again."""
        if self.connection:
            for number, text in self._log:
                if number > seq:
                    self.connection.send_text(text)
