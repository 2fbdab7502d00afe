"""HTTP to Discord that never waits for a rate limit: what may not go out now is refused."""

import asyncio
import io
import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
import discord

from bots.discord.buckets import LONGEST_SECONDS, PAUSED, PER_SECOND, Limits, Route
from core import metrics
from core.errors import DeliveryError, FetchError
from core.proxies import system_proxy
from core.types import File

log = logging.getLogger(__name__)

# More than answers are likely to run at once.
CONNECTIONS = 256
# A connection the server dropped in the meantime costs a failed call.
IDLE_SECONDS = 30.0
CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
# A preview is worth less than this wait, and the final text has to outwait it.
PREVIEW_SECONDS = 2.5
# After a refusal that further calls would only make worse: of a token that is not valid any
# more, of our address. discord.com/developers/docs/topics/rate-limits#invalid-request-limit,
# 2026-11: 10,000 calls refused with 401, 403 or 429 in 10 minutes ban an address.
LONG_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 600.0
# With a file, so that a slow line is enough: 10 MB take two minutes at 0.7 Mbit/s.
UPLOAD_SECONDS = 120.0

# It has to begin with an address and a version: discord.com/developers/docs/reference, 2026-11.
_AGENT = f"DiscordBot (https://github.com/Rapptz/discord.py, {discord.__version__}) Causerie"
# JSON error codes of what passes: limits on writing and editing, of a channel or server, and on
# opening direct messages; sending or a feature switched off for a while; an application not yet
# available; overload.
# discord.com/developers/docs/topics/opcodes-and-status-codes, 2026-11.
_PASSING = (20016, 20022, 20028, 20029, 30046, 40003, 40004, 40006, 40062, 110001, 130000)
# The same list: "Cloudflare is blocking your request"; "Request entity too large".
_BLOCKED = 40333
TOO_LARGE = 40005
_ABOUT = re.compile("/(channels|guilds)/")
_IS_GLOBAL = "X-RateLimit-Global"
_UNREACHABLE = "Discord cannot be reached right now."
_NO_FILE_NOW = "Discord does not hand out the file right now."
_EXPIRED = "Discord does not hand out this file any more; please send it again."


class RefusedError(Exception):
    """Discord refused a call, for good. Stays within `bots.discord`.

    Attributes:
        status: Of HTTP.
        code: Discord's own ("JSON error codes", discord.com/developers/docs/topics/
            opcodes-and-status-codes, 2026-11); 0 for none in particular.
    """

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"{message} ({status}, {code})")
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    found: Any  # JSON, or None if it is something else


class Transport:
    """Makes calls for one bot account; see `bots.discord.rest` for which.

    A token is part of many paths, and aiohttp's errors repeat the URL: what is raised and
    logged here names routes and kinds of errors only.

    Args:
        token: The bot's.
        root: Of the API, version included; empty for the one the SDK uses.
        proxy: URL of an HTTP proxy; None means the one the system names, if any.
        preview_seconds: The most that a call for a preview takes.
        per_second: Calls that Discord allows the bot in a second.
    """

    def __init__(
        self,
        token: str,
        *,
        root: str = "",
        proxy: str | None = None,
        preview_seconds: float = PREVIEW_SECONDS,
        per_second: int = PER_SECOND,
    ) -> None:
        self._token = token
        self._preview_seconds = preview_seconds
        self._root = root.rstrip("/")
        self._proxy = proxy
        self._limits = Limits(per_second)
        self._is_unknown = False
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session:
            await session.close()

    def trace(self) -> aiohttp.TraceConfig:
        """Return what makes another client's calls keep to the limit over all, with ours.

        Only of those about channels and servers: whether the token is right is asked at once.
        """
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._let_out)
        trace.on_request_end.append(self._learn)
        return trace

    async def _let_out(
        self, _session: object, _context: object, params: aiohttp.TraceRequestStartParams
    ) -> None:
        if _ABOUT.search(params.url.path) is None:
            return
        wait = self._limits.take_other()
        while wait:
            await asyncio.sleep(wait)
            wait = self._limits.take_other()

    async def _learn(
        self, _session: object, _context: object, params: aiohttp.TraceRequestEndParams
    ) -> None:
        headers = params.response.headers
        if params.response.status == HTTPStatus.TOO_MANY_REQUESTS and _IS_GLOBAL in headers:
            self._limits.share(_seconds(headers.get("Retry-After"), 1.0))

    async def call(
        self,
        method: str,
        path: str,
        fields: object = None,
        *,
        file: File | None = None,
        is_preview: bool = False,
        seconds: float | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """Make a call; return the JSON it answers, or an empty mapping.

        Args:
            method: Of HTTP.
            path: Below the root of the API, with its query.
            fields: The body, for JSON; None for none.
            file: What goes with them; None for none.
            is_preview: It gives way to final texts, and does not take long.
            seconds: The most it takes; None for what is usual.

        Raises:
            DeliveryError: Not now. With `retry_after`, Discord did not carry it out; without,
                it may have.
            RefusedError: Never.
        """
        route = Route.of(method, path.partition("?")[0])
        bucket = self._limits.take(route, is_preview=is_preview)
        headers: Mapping[str, str] = {}
        try:
            async with self._open().request(
                method,
                self._base + path,
                data=_body(fields, file),
                headers=self._headers(route, is_form=bool(file), is_empty=fields is None),
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(
                    total=seconds or (self._preview_seconds if is_preview else TOTAL_SECONDS),
                    sock_connect=CONNECT_SECONDS,
                ),
                allow_redirects=False,
            ) as response:
                headers = response.headers
                found = _parsed(await response.read())
                answer = _Answer(status=response.status, headers=headers, found=found)
        except (aiohttp.ClientError, OSError) as error:
            log.debug("%s failed: %s", route.name, type(error).__name__)
            raise DeliveryError(_UNREACHABLE) from None
        finally:
            self._limits.answered(route, bucket, headers)
        return self._checked(route, answer)

    async def fetch(self, url: str, *, most: int) -> bytes:
        """Return a file's bytes; nothing of ours goes to where it stands.

        Args:
            url: As Discord gave it.
            most: Bytes at which to stop reading.

        Raises:
            FetchError: It is larger, or is not there any more.
            DeliveryError: Not now.
        """
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=TOTAL_SECONDS
        )
        try:
            async with self._open().get(
                url, proxy=self._proxy, timeout=timeout, allow_redirects=False
            ) as response:
                _check_file(response)
                found = bytearray()
                async for part in response.content.iter_any():
                    found += part
                    if len(found) > most:
                        raise FetchError(f"This file is too large: I take {_spelled(most)}.")
                return bytes(found)
        except aiohttp.InvalidURL:
            raise FetchError(_EXPIRED) from None
        except (aiohttp.ClientError, OSError) as error:
            log.debug("a file was not fetched: %s", type(error).__name__)
            raise DeliveryError(_NO_FILE_NOW) from None

    @property
    def _base(self) -> str:
        return self._root or discord.http.Route.BASE

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._proxy = self._proxy or system_proxy(self._base)
            connector = aiohttp.TCPConnector(
                limit=CONNECTIONS, keepalive_timeout=IDLE_SECONDS, ttl_dns_cache=300
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers={"User-Agent": _AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _headers(self, route: Route, *, is_form: bool, is_empty: bool) -> dict[str, str]:
        headers = {} if route.is_by_token else {"Authorization": f"Bot {self._token}"}
        if not is_form and not is_empty:
            headers["Content-Type"] = "application/json"
        return headers

    def _checked(self, route: Route, answer: _Answer) -> Any:  # noqa: ANN401 - JSON
        """Return what a call answered, or raise what that means."""
        status, found = answer.status, answer.found
        if status < HTTPStatus.MULTIPLE_CHOICES and found is not None:
            self._is_unknown = False
            return found
        about = found if isinstance(found, dict) else {}
        if status == HTTPStatus.TOO_MANY_REQUESTS or "retry_after" in about:
            raise self._paused(route, answer, about)
        if status == HTTPStatus.UNAUTHORIZED and not route.is_by_token:
            raise self._unknown()
        code = about.get("code", 0)
        if status == HTTPStatus.FORBIDDEN and (not about or code == _BLOCKED):
            # Perhaps of this text only, so that others need not wait.
            log.warning("%s is blocked in front of Discord", route.name)
            self._limits.block(route, LONG_PAUSE_SECONDS)
            raise DeliveryError(PAUSED, retry_after=LONG_PAUSE_SECONDS)
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise RefusedError(status, TOO_LARGE, str(about.get("message", "")))
        is_refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        if not is_refused or not about or code in _PASSING:
            log.debug("%s failed: %d, %s", route.name, status, code)
            raise DeliveryError(_UNREACHABLE)
        raise RefusedError(status, code, str(about.get("message", "")))

    def _paused(self, route: Route, answer: _Answer, about: Mapping[str, Any]) -> DeliveryError:
        """Note how long a 429 asks us to wait, and where."""
        metrics.count(metrics.RATE_LIMITED, "discord")
        if not about:
            seconds = _seconds(answer.headers.get("Retry-After"), LONG_PAUSE_SECONDS)
            seconds = min(max(seconds, LONG_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            log.warning("banned in front of Discord, silent for %.0f s", seconds)
            self._limits.silence(seconds)
            return DeliveryError(PAUSED, retry_after=seconds)
        seconds = _seconds(about.get("retry_after"), 1.0)
        self._limits.block(route, seconds)
        if about.get("global"):
            self._limits.share(seconds)
        log.info(
            "%s has to wait %.2f s, scope=%s, global=%s",
            route.name,
            seconds,
            answer.headers.get("X-RateLimit-Scope", "-"),
            bool(about.get("global")),
        )
        return DeliveryError(PAUSED, retry_after=seconds)

    def _unknown(self) -> DeliveryError:
        """Note that our token is refused; say so once, until it is accepted again."""
        self._limits.pause(LONG_PAUSE_SECONDS)
        if not self._is_unknown:
            log.error("Discord refuses DISCORD_BOT_TOKEN; was it reset? nothing can be sent")
        self._is_unknown = True
        return DeliveryError(_UNREACHABLE, retry_after=LONG_PAUSE_SECONDS)


def _body(fields: object, file: File | None) -> bytes | aiohttp.FormData | None:
    if fields is None:
        return None
    spelled = json.dumps(fields, separators=(",", ":"))
    if not file:
        return spelled.encode()
    form = aiohttp.FormData(quote_fields=False)  # Discord wants the brackets as they are
    form.add_field("payload_json", spelled, content_type="application/json")
    form.add_field(
        "files[0]",
        io.BytesIO(file.data),  # a stream, so that a large one does not hold up the event loop
        filename=file.name,
        content_type=file.mime,
    )
    return form


def _parsed(payload: bytes) -> Any:  # noqa: ANN401 - JSON
    if not payload:
        return {}
    try:
        return json.loads(payload)
    except ValueError:
        return None


def _seconds(value: object, otherwise: float) -> float:
    """Return a time to wait that is sensible."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return otherwise
    return min(seconds, LONGEST_SECONDS) if 0 < seconds < math.inf else otherwise


def _check_file(response: aiohttp.ClientResponse) -> None:
    if response.status == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = _seconds(response.headers.get("Retry-After"), 1.0)
        raise DeliveryError(_NO_FILE_NOW, retry_after=min(seconds, LONGEST_PAUSE_SECONDS))
    if HTTPStatus.BAD_REQUEST <= response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise FetchError(_EXPIRED)
    if response.status != HTTPStatus.OK:
        raise DeliveryError(_NO_FILE_NOW)


def _spelled(size: int) -> str:
    return f"at most {size >> 20} MB" if size >> 20 else f"at most {size} bytes"
