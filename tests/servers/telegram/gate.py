"""The HTTP side: from a request to a call, from its result to a response."""

import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests import leaks
from tests.servers.faults import Fault
from tests.servers.gate import BaseGate
from tests.servers.telegram import account, media, messages
from tests.servers.telegram.chats import Chat
from tests.servers.telegram.methods import METHODS, Method
from tests.servers.telegram.params import ApiError, Params, read, typed
from tests.servers.telegram.world import Json

if TYPE_CHECKING:
    from tests.servers.telegram.server import TelegramServer

_PATH = re.compile(r"/(file/)?bot([^/]*)/(.+)")
_TABLES = (account, media, messages)  # importing them fills METHODS
# Bot API 10.1, Sending files: 50 MB for uploads; and some room for the other fields.
_MOST_BODY = 51 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Call:
    """One request to the API.

    Attributes:
        params: In their documented types; raw when they could not be read.
        at: When it arrived, monotonic seconds.
        result: What was answered, or None.
        error: Description of the refusal; empty for none.
        is_done: An answer was worked out (even if a fault then swallowed it).
    """

    method: str
    params: Params = field(default_factory=dict)
    at: float = field(default_factory=time.monotonic)
    result: Any = None
    error: str = ""
    is_done: bool = False


class Gate(BaseGate[Call]):
    """Answers requests on behalf of a TelegramServer."""

    def __init__(self, owner: "TelegramServer") -> None:
        super().__init__(_MOST_BODY)
        self._owner = owner

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            is_file, name = self._route(request.path)
            if is_file:
                return await self._download(name)
            return _reply(200, {"ok": True, "result": await self._call(name, request)})
        except ApiError as error:
            found = {"ok": False, "error_code": error.code, "description": error.description}
            if error.parameters:
                found["parameters"] = error.parameters
            return _reply(error.code, found)

    def _route(self, path: str) -> tuple[bool, str]:
        match = _PATH.fullmatch(path)
        if match is None or ":" not in match[2]:
            raise ApiError(404, "Not Found")
        if match[2] != self._owner.token:
            raise ApiError(401, "Unauthorized")
        return bool(match[1]), match[3]

    async def _download(self, path: str) -> web.StreamResponse:
        call = Call(method="file", params={"file_path": path})
        self._owner.calls.append(call)
        fault = self._owner.faults.take("file", None)
        await self._suffer(fault, call)
        data = account.download(self._owner, path)
        await self._suffer_late(fault, call)
        call.is_done = True
        self._owner.bell.ring()
        return web.Response(body=data, content_type="application/octet-stream")

    async def _call(self, name: str, request: web.BaseRequest) -> Any:
        call = Call(method=name)
        self._owner.calls.append(call)
        try:
            method = _method(name)
            call.method = method.name
            return await self._run(method, call, await read(request))
        except ApiError as error:
            call.error = error.description
            raise
        finally:
            self._ring(call)

    async def _run(self, method: Method, call: Call, raw: Params) -> Any:
        call.params, unknown = typed(raw, method.types)
        leaks.note_codes(str(call.params.get("text", "")))
        chat = self._chat(call)
        if chat:
            chat.calls.append(call)
        for name in unknown:
            self._owner.remark(f"{method.name} has no parameter {name}")
        fault = self._owner.faults.take(method.name, call.params.get("chat_id"))
        await self._suffer(fault, call)
        if method.pace and chat:
            self._count(method, chat)
        method.check(call.params)
        result = method.run(self._owner, call.params)
        call.result = await result if asyncio.iscoroutine(result) else result
        call.is_done = True
        await self._suffer_late(fault, call)
        return call.result

    def _count(self, method: Method, chat: Chat) -> None:
        early = self._owner.pace.early(chat.id)
        if early:
            self._owner.remark(f"{method.name} came {early:.2f} s before its retry_after was over")
        is_draft = method.pace == "draft"
        self._owner.pace.count(chat.id, is_private=chat.type == "private", is_draft=is_draft)

    def _refused(self, fault: Fault, call: Call) -> None:
        if fault.retry_after is not None:
            self._owner.pace.told_to_wait(call.params.get("chat_id", 0), fault.retry_after)

    def _ring(self, call: Call) -> None:
        chat = self._chat(call)
        (chat.ring if chat else self._owner.bell.ring)()

    def _chat(self, call: Call) -> Chat | None:
        return self._owner.chats.get(call.params.get("chat_id", 0))


def _method(name: str) -> Method:
    try:
        return METHODS[name.lower()]
    except KeyError:
        raise ApiError(404, "Not Found") from None


def _reply(status: int, found: Json) -> web.Response:
    body = json.dumps(found, separators=(",", ":")).encode()
    return web.Response(status=status, body=body, content_type="application/json")
