"""A server that says what a test wants, for what no loopback server says."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web


@contextlib.asynccontextmanager
async def answering(answers: Mapping[str, Any]) -> AsyncIterator[str]:
    """Serve fixed JSON; yield the root.

    Args:
        answers: By the last two parts of a path, such as `users/@me`, or by the last one.
    """

    async def answer(request: web.Request) -> web.Response:
        *_, first, last = request.path.split("/")
        found = answers.get(f"{first}/{last}", answers.get(last))
        return web.json_response(found)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()
