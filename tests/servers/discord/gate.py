"""The HTTP side: from a request to a call, from its result to a response."""

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

from tests.servers.discord import rest_app, rest_channels, rest_interactions, rest_messages, routes
from tests.servers.discord.checks import number
from tests.servers.discord.errors import ApiError, Json, not_found, refused, unauthorized
from tests.servers.discord.limits import EVERYWHERE, TooMany
from tests.servers.discord.routes import Route
from tests.servers.faults import Fault
from tests.servers.gate import BaseGate, Dropped, Gateway

if TYPE_CHECKING:
    from tests.servers.discord.channels import Channel
    from tests.servers.discord.server import DiscordServer

_TABLES = (rest_app, rest_channels, rest_interactions, rest_messages)  # importing fills them
API = "/api/v10"
GATEWAY = "/gateway"
# What tells Discord's answers from those of the gateway in front of it; SDKs look for it.
_VIA = {"Via": "1.1 google"}
# Message resource, "Create message": 25 MiB a request; and room for what it is wrapped in.
_MOST_BODY = 26 * 1024 * 1024
# Reference, "User agent".
_AGENT = re.compile(r"DiscordBot \(\S+,? \S+\).*")
_FILE = re.compile(r"files\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that came with a call; `index` as in `files[index]`."""

    index: int
    name: str
    data: bytes
    mime: str


@dataclass(slots=True, kw_only=True)
class Call:
    """One request to the API.

    Attributes:
        name: Of its route, as in `create_message`; empty if there is none.
        path: Behind /api/v10.
        ids: What stands in the path's placeholders.
        json: The body; None for none.
        at: When it arrived, by the server's clock.
        status: Of the response; 0 while there is none, or when the connection was cut.
        result: The response's body.
        error: What a refusal says; empty for none.
        is_done: It was worked out (even if a fault then swallowed the answer).
    """

    method: str
    path: str
    at: float
    name: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    json: Any = None
    files: list[Upload] = field(default_factory=list)
    status: int = 0
    result: Any = None
    error: str = ""
    is_done: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    def id(self, name: str) -> int:
        """Return an id of the path.

        Raises:
            ApiError: 50035: it is none.
        """
        return number(self.ids[name], name)


class Gate(BaseGate[Call]):
    """Answers requests on behalf of a DiscordServer."""

    def __init__(self, owner: "DiscordServer") -> None:
        super().__init__(_MOST_BODY)
        self._owner = owner

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._owner.is_out:
            raise Dropped
        if request.path.rstrip("/") == GATEWAY:
            return await self._owner.gateway.connect(request)
        if request.path.startswith("/attachments/"):
            return await self._download(request)
        return await self._api(request)

    async def _download(self, request: web.BaseRequest) -> web.StreamResponse:
        call = self._note(request, request.path)
        call.name = "download"
        fault = self._owner.faults.take(call.name, None)
        try:
            await self._suffer(fault, call)
        except ApiError as error:  # which is no JSON here
            call.status, call.error = error.status, str(error)
            return web.Response(status=error.status)
        found = self._owner.cdn.open(request.path_qs)
        call.status, call.is_done = (200 if found else 404), True
        self._owner.bell.ring()
        await self._suffer_late(fault, call)
        if found is None:
            text = "This content is no longer available."
            return web.Response(status=404, text=text)
        kind = found.mime or "application/octet-stream"
        return web.Response(body=found.data, headers={"Content-Type": kind})

    def _note(self, request: web.BaseRequest, path: str) -> Call:
        call = Call(
            method=request.method,
            path=path,
            at=self._owner.clock.now(),
            query=dict(request.query),
        )
        self._owner.calls.append(call)
        return call

    async def _api(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.removeprefix(API)
        call = self._note(request, path)
        if self._owner.pace.is_banned:
            call.status, call.error = 429, "banned"
            raise Gateway(429)
        try:
            if path == request.path:
                raise not_found()
            route, call.ids = routes.find(request.method, path)
            call.name = route.name
            await self._run(route, call, request)
            call.status = route.status if call.result is not None else 204
            return _reply(call.status, call.result, call.headers)
        except Gateway as gateway:
            call.status = gateway.status
            raise
        except TooMany as error:
            return self._refuse(call, error, error.headers)
        except ApiError as error:
            return self._refuse(call, error, {})
        finally:
            self._ring(call)

    def _refuse(self, call: Call, error: ApiError, headers: dict[str, str]) -> web.Response:
        call.status, call.error = error.status, error.message
        call.result = error.json()
        self._owner.pace.count_invalid(error.status, headers.get("X-RateLimit-Scope", ""))
        return _reply(error.status, call.result, call.headers | headers)

    def _ring(self, call: Call) -> None:
        channel = self._channel(call)
        if channel:
            channel.bell.ring()
        self._owner.bell.ring()

    def _channel(self, call: Call) -> "Channel | None":
        """Return the channel a call is about, by its id or an interaction's token."""
        number_ = call.ids.get("channel_id", "")
        if number_.isdecimal():
            return self._owner.channels.get(int(number_))
        token = call.ids.get("webhook_token") or call.ids.get("interaction_token", "")
        interaction = self._owner.interactions.get(token)
        return interaction.channel if interaction else None

    async def _run(self, route: Route, call: Call, request: web.BaseRequest) -> None:
        channel = self._channel(call)
        if channel:
            channel.calls.append(call)
        await _read(request, call)
        self._check_headers(route, request)
        fault = self._owner.faults.take(route.name, channel.id if channel else None)
        await self._suffer(fault, call)
        self._count(route, call)
        result = route.run(self._owner, call)
        call.result = await result if asyncio.iscoroutine(result) else result
        call.is_done = True
        await self._suffer_late(fault, call)

    def _check_headers(self, route: Route, request: web.BaseRequest) -> None:
        if route.has_token:
            return
        agent = request.headers.get("User-Agent", "")
        if not _AGENT.fullmatch(agent):
            self._owner.remark(f"User-Agent is {agent!r}, not DiscordBot ($url, $version)")
        if request.headers.get("Authorization") != f"Bot {self._owner.token}":
            raise unauthorized()

    def _count(self, route: Route, call: Call) -> None:
        key = route.bucket_key(call.ids)
        is_global = not route.has_token
        verdict = self._owner.pace.count(route.bucket, key, is_global=is_global)
        call.headers = verdict.headers
        if verdict.early > 0:
            self._owner.remark(
                f"{route.name} came {verdict.early:.3f} s before its retry_after was over"
            )
        if verdict.wait > 0:
            raise TooMany(verdict.wait, scope=verdict.scope, headers=verdict.headers)

    def _refused(self, fault: Fault, call: Call) -> None:
        if isinstance(fault.refusal, TooMany) and call.name in routes.BY_NAME:
            key = routes.BY_NAME[call.name].bucket_key(call.ids)
            is_global = fault.refusal.scope == "global"
            self._owner.pace.told_to_wait(EVERYWHERE if is_global else key, fault.refusal.seconds)


async def _read(request: web.BaseRequest, call: Call) -> None:
    """Read the body, JSON or a form with files.

    Raises:
        ApiError: It is neither.
    """
    if not request.body_exists:
        return
    if request.content_type == "multipart/form-data":
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader):
                await _read_part(part, call)
        return
    body = await request.read()
    if not body:
        return
    if request.content_type != "application/json":
        raise ApiError(400, 50035, 'Expected "Content-Type" header to be "application/json".')
    call.json = _parse(body)


async def _read_part(part: BodyPartReader, call: Call) -> None:
    match = _FILE.fullmatch(part.name or "")
    data = bytes(await part.read())
    if match:
        mime = part.headers.get("Content-Type", "")
        name = part.filename or "unknown"
        call.files.append(Upload(index=int(match[1]), name=name, data=data, mime=mime))
    elif part.name == "payload_json":
        call.json = _parse(data)
    else:
        raise refused(50109)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise refused(50109) from None


def _reply(status: int, found: Json | None, headers: dict[str, str]) -> web.Response:
    if status == 204:
        return web.Response(status=204, headers=headers | _VIA)
    body = json.dumps(found, separators=(",", ":")).encode()
    kind = {"Content-Type": "application/json"}
    return web.Response(status=status, body=body, headers=headers | _VIA | kind)
