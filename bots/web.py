"""A small HTTP server of our own: for what a platform or a monitor asks us."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from core.errors import SettingsError

# Longer than any of our answers takes; a reverse proxy has then sent its last requests elsewhere.
DRAIN_SECONDS = 5.0

log = logging.getLogger(__name__)
# What is no HTTP gets a 400. Whoever sends it shall not fill the log, nor write into it.
log.addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
)


@contextlib.asynccontextmanager
async def serve_http(
    address: str,
    routes: Iterable[web.RouteDef],
    *,
    setting: str,
    largest: int = 1 << 20,
    drain: float = DRAIN_SECONDS,
) -> AsyncIterator[int]:
    """Answer requests until left, and then those under way; yields the port.

    Args:
        address: `host:port`; port 0 for any that is free.
        routes: What is answered.
        setting: Where the address is from, for the error.
        largest: Bytes of a request.
        drain: Seconds for requests under way to end.

    Raises:
        SettingsError: The address cannot be listened on.
    """
    application = web.Application(client_max_size=largest)
    application.add_routes(list(routes))
    runner = web.AppRunner(application, access_log=None, logger=log, shutdown_timeout=drain)
    await runner.setup()
    host, _, port = address.rpartition(":")
    try:
        site = web.TCPSite(runner, host.strip("[]") or None, int(port))
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(
                f"{setting}: cannot listen on {address} ({error.strerror})"
            ) from None
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
