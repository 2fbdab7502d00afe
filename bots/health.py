"""What a monitor asks this process over HTTP: is it alive, is it ready, how does it run."""

import asyncio
import contextlib
import importlib.metadata
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from bots.web import serve_http
from core import metrics
from core.errors import SettingsError, StoreError
from core.kept import Depth
from core.protocols import Store

log = logging.getLogger(__name__)

# The store has so long to answer, by default.
STORE_SECONDS = 2.0
# What waits there is counted no more often than this.
DEPTH_SECONDS = 2.0

Check = Callable[[], str]


class Health:
    """What is known of how this process runs.

    Attributes:
        checks: By name, what says in a few words what is wrong, or nothing.

    Args:
        store: Asked whether it answers, and what waits there.
        seconds: It has so long to answer.
    """

    def __init__(self, store: Store, *, seconds: float = STORE_SECONDS) -> None:
        self.checks: dict[str, Check] = {}
        self._is_started = False
        self._store = store
        self._seconds = seconds
        self._asking: asyncio.Task[Depth] | None = None
        self._asked_at = -DEPTH_SECONDS

    @contextlib.contextmanager
    def started(self) -> Iterator[None]:
        """Note that all checks are there, until left."""
        self._is_started = True
        try:
            yield
        finally:
            self._is_started = False

    @contextlib.asynccontextmanager
    async def served(self, address: str, *, is_default: bool) -> AsyncIterator[None]:
        """Answer at an address until left.

        Args:
            address: `host:port`.
            is_default: Nobody has chosen it; if it is taken, nothing is answered.

        Raises:
            SettingsError: It cannot be listened on.
        """
        metrics.INFO.labels(importlib.metadata.version("causerie")).set(1)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            server = serve_http(address, self._routes(), setting="HEALTH_LISTEN", drain=1.0)
            try:
                port = await stack.enter_async_context(server)
            except SettingsError as error:
                if not is_default:
                    raise
                log.warning("no monitor can ask how this process runs: %s", error)
            else:
                host = address.rpartition(":")[0]
                log.info("health and metrics at http://%s:%d", host, port)
            yield

    async def _close(self) -> None:
        if self._asking:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.get("/healthz", self._alive),
            web.get("/readyz", self._ready),
            web.get("/metrics", self._metrics),
        ]

    async def _alive(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _ready(self, _: web.Request) -> web.Response:
        found = {"process": "" if self._is_started else "starts or ends"}
        found |= {name: check() for name, check in self.checks.items()}
        found["store"] = await self._check_store()
        is_ready = not any(found.values())
        checks = {name: wrong or "ok" for name, wrong in found.items()}
        return web.json_response(
            {"ready": is_ready, "checks": checks},
            status=HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE,
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        if time.monotonic() >= self._asked_at + DEPTH_SECONDS:
            await self._check_store()
        # The version that every scraper reads; to some a later one is an unknown format.
        kind = {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        return web.Response(body=metrics.exposed(), headers=kind)

    async def _check_store(self) -> str:
        """Ask what waits in the store, which has to answer soon; say what is wrong."""
        depth, wrong = None, ""
        try:
            async with asyncio.timeout(self._seconds):
                # One question at a time, however many ask, and however long it takes.
                depth = await asyncio.shield(self._ask())
                wrong = "" if depth.is_writable else "stores nothing"
        except TimeoutError:
            wrong = f"does not answer within {self._seconds:g} s"
        except StoreError:
            wrong = "fails"
        self._asked_at = time.monotonic()
        metrics.show_depth(depth)
        return wrong

    def _ask(self) -> asyncio.Task[Depth]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._store.depth())
            self._asking.add_done_callback(_note_read)
        return self._asking


def _note_read(task: asyncio.Task[Depth]) -> None:
    """Read the error of a task that nobody may wait for any more."""
    if not task.cancelled():
        task.exception()
