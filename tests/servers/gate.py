"""The HTTP side that platforms share: cut connections, gateways that answer, faults suffered."""

import asyncio
import http
from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol, TypeVar

from aiohttp import web

from tests.servers.faults import Fault


class Noted(Protocol):
    """A call, as far as faults go.

    Attributes:
        error: What went wrong; empty for nothing.
    """

    error: str


C = TypeVar("C", bound=Noted)


class Dropped(Exception):  # noqa: N818 - a fault, not an error
    """The connection is to be closed without an answer."""


class Gateway(Exception):  # noqa: N818 - a fault, not an error
    """A gateway answers in place of the server."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class BaseGate(ABC, Generic[C]):
    """Answers requests on behalf of a server.

    Args:
        most_body: Bytes of the largest request it reads.

    Attributes:
        server: aiohttp's low-level server, to be run.
    """

    def __init__(self, most_body: int) -> None:
        self._most_body = most_body
        self.server = web.Server(
            self._answer, request_factory=self._request, handler_cancellation=True, access_log=None
        )

    @abstractmethod
    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""

    @abstractmethod
    def _ring(self, call: C) -> None:
        """Let whoever waits look again."""

    @abstractmethod
    def _refused(self, fault: Fault, call: C) -> None:
        """Take note that a call is to be refused."""

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._respond(request)
        except Gateway as gateway:
            text = f"{gateway.status} {http.HTTPStatus(gateway.status).phrase}"
            page = f"<html><head><title>{text}</title></head></html>"
            return web.Response(status=gateway.status, text=page, content_type="text/html")
        except Dropped:
            if request.transport:
                request.transport.abort()
            return web.Response()

    async def _suffer(self, fault: Fault | None, call: C) -> None:
        """Let go wrong what is to before a call is worked out."""
        if fault is None:
            return
        self._ring(call)
        if fault.kind == "delay":
            await fault.hold()
        elif fault.kind == "drop":
            call.error = "connection dropped"
            raise Dropped
        elif fault.kind == "html":
            call.error = f"HTML {fault.status}"
            raise Gateway(fault.status)
        elif fault.refusal:
            self._refused(fault, call)
            raise fault.refusal

    async def _suffer_late(self, fault: Fault | None, call: C) -> None:
        """Let go wrong what is to once a call was worked out."""
        if fault and fault.kind == "lose":
            call.error = "connection dropped"
            raise Dropped
        if fault and fault.kind == "hold":
            self._ring(call)
            await fault.hold()

    def _request(
        self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any
    ) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(
            message, payload, protocol, writer, task, loop, client_max_size=self._most_body
        )
