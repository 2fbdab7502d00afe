"""A bot without an SDK: requests, and a socket to the gateway, as they are."""

import json
import zlib
from typing import Any, Self

import aiohttp

from tests.servers.discord import DiscordServer
from tests.servers.discord.errors import Json

AGENT = "DiscordBot (https://example.org, 1.0)"
# Everything a chat bot asks for: guilds, messages in guilds and DMs, their content.
INTENTS = 1 << 0 | 1 << 9 | 1 << 12 | 1 << 15


class Rest:
    """Calls the API.

    Attributes:
        status: Of the last response.
        headers: The same.
    """

    def __init__(self, server: DiscordServer, http: aiohttp.ClientSession) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._server = server
        self._http = http

    async def __call__(self, method: str, path: str, body: Any = None, **fields: Any) -> Any:
        """Make a call with a JSON body; return what it answers, None for nothing."""
        headers = {"User-Agent": AGENT, "Authorization": f"Bot {self._server.token}"}
        headers |= fields.pop("headers", {})
        if body is not None:
            fields["json"] = body
        url = f"{self._server.url}/api/v10{path}"
        async with self._http.request(method, url, headers=headers, **fields) as response:
            self.status, self.headers = response.status, dict(response.headers)
            text = await response.text()
            is_json = response.headers.get("Content-Type") == "application/json"
            return json.loads(text) if is_json else text or None

    async def refused(self, method: str, path: str, body: Any = None, **fields: Any) -> Any:
        """Make a call that must fail; return (status, code)."""
        found = await self(method, path, body, **fields)
        assert self.status >= 400, found
        return self.status, found["code"]

    async def wrong(self, method: str, path: str, body: Any) -> Json:
        """Make a call whose form is wrong; return where."""
        found = await self(method, path, body)
        assert (self.status, found["code"]) == (400, 50035), found
        errors: Json = found["errors"]
        return errors


class Socket:
    """A connection to the gateway."""

    def __init__(self, server: DiscordServer, http: aiohttp.ClientSession, query: str) -> None:
        self._server = server
        self._http = http
        self._query = query
        self._zlib = zlib.decompressobj()
        self._socket: aiohttp.ClientWebSocketResponse

    async def __aenter__(self) -> Self:
        url = f"{self._server.gateway_url}?{self._query}"
        self._socket = await self._http.ws_connect(url, autoclose=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close(code=4000)

    async def send(self, op: int, data: Any = None) -> None:
        """Send a payload."""
        await self._socket.send_json({"op": op, "d": data})

    async def send_text(self, text: str) -> None:
        """Send anything."""
        await self._socket.send_str(text)

    async def receive(self) -> Json:
        """Return the next payload."""
        message = await self._socket.receive(timeout=10)
        data = message.data
        if message.type == aiohttp.WSMsgType.BINARY:
            data = self._zlib.decompress(data)
        found: Json = json.loads(data)
        return found

    async def event(self, name: str) -> Any:
        """Return the next event of that name, passing over others."""
        while True:
            found = await self.receive()
            if found["t"] == name:
                return found["d"]

    async def closed(self) -> int | None:
        """Return the code the server closes with, passing over what comes before."""
        while (await self._socket.receive(timeout=10)).type in {
            aiohttp.WSMsgType.TEXT,
            aiohttp.WSMsgType.BINARY,
        }:
            pass
        return self._socket.close_code

    async def identify(self, **fields: Any) -> Json:
        """Begin a session; return READY."""
        await self.send(2, self.identity(**fields))
        found: Json = await self.event("READY")
        return found

    def identity(self, **fields: Any) -> Json:
        """Return the data of an IDENTIFY."""
        properties = {"os": "linux", "browser": "test", "device": "test"}
        base = {"token": self._server.token, "intents": INTENTS, "properties": properties}
        return base | fields

    async def resume(self, ready: Json, seq: int) -> None:
        """Ask to resume."""
        data = {"token": self._server.token, "session_id": ready["session_id"], "seq": seq}
        await self.send(6, data)

    async def close(self, code: int) -> None:
        """Close."""
        await self._socket.close(code=code)


class Bot:
    """Both sides of a bot without an SDK."""

    def __init__(self, server: DiscordServer, http: aiohttp.ClientSession) -> None:
        self.rest = Rest(server, http)
        self.http = http
        self._server = server

    def socket(self, query: str = "v=10&encoding=json") -> Socket:
        """Return a connection to the gateway, to be entered."""
        return Socket(self._server, self.http, query)
