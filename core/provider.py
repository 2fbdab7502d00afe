"""The way to a model server: one client, and one reading of all that can go wrong with it.

Chat and speech share it. The SDK takes half a second to import, so it is imported when the first
client is opened.
"""

import asyncio
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from core import sdk
from core.errors import ContextLengthError, ModelError, ModelSetupError
from core.proxies import system_proxy

if TYPE_CHECKING:
    import httpx2
    import openai

OPENAI_URL = "https://api.openai.com/v1"
CONNECT_SECONDS = 5.0
# Waiting for a free connection included.
POOL_SECONDS = 10.0
# Below the shortest idle time after which servers hang up (nginx: 75 s), above aiohttp's 15 s.
KEEPALIVE_SECONDS = 30.0
MAX_CONNECTIONS = 4_096

Cause = Literal[
    "busy",
    "quota",
    "key",
    "model",
    "address",
    "length",
    "parameter",
    "refused",
    "broken",
    "unreachable",
    "unclear",
    "empty",
    "blocked",
    "full",
]
# Worth another try at the same model.
TRANSIENT: frozenset[Cause] = frozenset({"busy", "broken", "unreachable", "unclear", "empty"})
# Only the owner can mend these.
SETUP: frozenset[Cause] = frozenset({"quota", "key", "model", "address"})

_SENTENCES: dict[Cause, str] = {
    "busy": "The model is very busy right now; please try again in a minute.",
    "quota": "The model's account has no credit left; whoever runs this bot has to top it up.",
    "key": "The model server does not let us in; whoever runs this bot has to check its key.",
    "model": "The model we ask for is not available; whoever runs this bot has to name another.",
    "address": "There is no model at the address we have; whoever runs this bot has to check it.",
    "length": "This chat has become too long for the model; please start a new one with /new.",
    "parameter": "The model server does not understand our request; "
    "whoever runs this bot finds more in its log.",
    "refused": "The model server did not accept our request; "
    "whoever runs this bot finds more in its log.",
    "broken": "The model server has trouble right now; please try again in a minute.",
    "unreachable": "The model cannot be reached right now; please try again in a minute.",
    "unclear": "The model's answer broke off or was unreadable; please try again.",
    "empty": "The model gave an empty answer; please put it in other words.",
    "blocked": "The model's provider blocked this answer; please put it in other words.",
    "full": "The model ran out of room before it could answer; please ask for something shorter.",
}

# Names of an error in `code` or `type`. platform.openai.com/docs/guides/error-codes; llama.cpp,
# tools/server/utils.hpp; 2026-11.
_BY_NAME: dict[str, Cause] = {
    "context_length_exceeded": "length",
    "exceed_context_size_error": "length",
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "model_not_found": "model",
    "invalid_api_key": "key",
    "rate_limit_exceeded": "busy",
    "content_filter": "blocked",
    "content_policy_violation": "blocked",
}
_BY_STATUS: dict[int, Cause] = {
    401: "key",
    402: "quota",
    403: "key",
    408: "broken",
    409: "broken",
    425: "broken",
    429: "busy",
}
# Sentences of OpenAI, vLLM, SGLang, llama.cpp, LM Studio, Mistral, xAI, Anthropic, Gemini,
# Bedrock, TGI and OpenRouter, as their users quote them, 2026-11. "max_tokens is too large" is
# none of them: shortening the prompt would not help.
_LENGTH = re.compile(
    r"maximum (context|prompt|allowed input|model) length|context (length|size|window|limit)"
    r"|input tokens exceed|(prompt|input|request) is too long|prompt too long"
    r"|(input )?token count .{0,40}exceeds|too many (input )?tokens"
    r"|must have less than \d+ tokens|too large for model|exceeds .{0,20}max_(seq|model)_len"
    r"|reduce the length of the (messages|prompt|input)",
    re.IGNORECASE,
)
_UNSUPPORTED = re.compile(
    r"unsupport|not support|unrecognized|unknown|unexpected|extra|not permitted|not allowed"
    r"|invalid (field|argument)|not a valid (parameter|field|argument)",
    re.IGNORECASE,
)
# A number of tokens above this is none; it would not fit into the ledger either.
_MOST_TOKENS = 1_000_000_000
# What cannot be anybody's text or key.
_CODE = re.compile(r"[a-z0-9_]{1,40}")
_PARAMETERS = (
    "max_completion_tokens",
    "max_tokens",
    "prompt_cache_key",
    "stream_options",
    "temperature",
)
# OpenAI's own models, at whichever gateway: the later ones refuse max_tokens. The servers of open
# models know it best: Ollama, LM Studio and llama-cpp-python ignore max_completion_tokens without
# a word, Mistral refuses it; 2026-11.
_OPENAI_MODEL = re.compile(r"(?:^|[/:])(?:gpt-\d|o\d|chatgpt-)")
_LIMITS = ("max_completion_tokens", "max_tokens")
# Of templates (Gemma, Mistral 7B; llama.cpp calls that its own fault), of OpenAI's o1, Gemini and
# Bedrock, as their users quote them, 2026-11.
_NO_SYSTEM = re.compile(
    r"system (role|message|prompt|instruction)s? (is |are )?not (supported|enabled|allowed)"
    r"|developer instruction is not enabled|does not support 'system'"
    r"|doesn't support (the )?system|roles must alternate"
    r"|only user(,| and) assistant.{0,20} roles are supported",
    re.IGNORECASE,
)
# An answer is none the worse without them, so nobody needs to know what is wrong with them.
_DISPENSABLE = frozenset({"prompt_cache_key", "stream_options", "temperature"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a call failed.

    Attributes:
        retry_after: Seconds the server asked us to wait; None if it named none.
        parameter: The parameter it does not take, for the cause `parameter`; `system` for
            messages of that role.
        status: Of the response; None when there was none.
        code: The server's name for it, for the log.
        is_silent: The server kept the connection and said nothing, as long as we waited for it.
        reason: Kind of error, where there was no answer.
    """

    cause: Cause
    retry_after: float | None = None
    parameter: str = ""
    status: int | None = None
    code: str = ""
    is_silent: bool = False
    reason: str = ""

    @property
    def is_transient(self) -> bool:
        """Whether the same call may succeed later."""
        return self.cause in TRANSIENT

    @property
    def error(self) -> ModelError:
        """What a person is told."""
        text = _SENTENCES[self.cause]
        if self.cause == "length":
            return ContextLengthError(text)
        return ModelSetupError(text) if self.cause in SETUP else ModelError(text)


def open_client(
    *, key: str | None, base_url: str | None, proxy: str | None, read_seconds: float = 60
) -> "openai.AsyncOpenAI":
    """Open a client for a model server, which never retries by itself.

    The first call loads the SDK (0.5 s) and reads the system's certificates, so call it in
    a thread. Close it with `await client.close()`.

    Args:
        key: The server's key; None where it wants none.
        base_url: Root of the API, ending in /v1 as a rule; None for OpenAI's own.
        proxy: URL of an HTTP proxy for everything; None means the one the system names, if any.
        read_seconds: Longest silence of the server before the call fails.
    """
    sdk.load()
    import httpx2  # noqa: PLC0415 - with the SDK, see above
    import openai  # noqa: PLC0415 - loaded above

    url = base_url or OPENAI_URL
    client = openai.AsyncOpenAI(
        api_key=key or "none",
        base_url=url,
        max_retries=0,
        timeout=timeout(read_seconds),
        http_client=openai.DefaultAioHttpClient(
            limits=httpx2.Limits(
                max_connections=MAX_CONNECTIONS, keepalive_expiry=KEEPALIVE_SECONDS
            ),
            proxy=proxy or system_proxy(url),
            verify=httpx2.create_ssl_context(trust_env=url.startswith("https")),
            trust_env=False,  # which knows other rules for proxies
        ),
    )
    if base_url:
        # The SDK reads these from the environment; they are OpenAI's business alone.
        client.organization = client.project = None
    return client


def timeout(read_seconds: float) -> "httpx2.Timeout":
    """Return how long a call waits for each of its steps, given the longest for an answer."""
    import httpx2  # noqa: PLC0415 - as in open_client

    return httpx2.Timeout(
        connect=CONNECT_SECONDS, read=read_seconds, write=read_seconds, pool=POOL_SECONDS
    )


class Connection:
    """A client that is opened when it is first needed, off the event loop.

    Args:
        options: As for `open_client`.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - see open_client
        self._options = options
        self._client: openai.AsyncOpenAI | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> "openai.AsyncOpenAI":
        """Return the client."""
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(open_client, **self._options)
            return self._client

    async def close(self) -> None:
        """Let go of connections; calls that still run break."""
        if self._client:
            await self._client.close()
            self._client = None


def call_errors() -> tuple[type[Exception], ...]:
    """Return what a call may raise, for `except`; read it with `failure_of`.

    The SDK lets some through that are not its own: errors of JSON, which too deep a nesting makes
    a `RecursionError`, and of aiohttp, such as of a response that is no HTTP.
    """
    import aiohttp  # noqa: PLC0415 - 0.2 s, with the SDK
    import httpx2  # noqa: PLC0415 - as in open_client
    import openai  # noqa: PLC0415 - as in open_client

    return (
        openai.OpenAIError,
        httpx2.HTTPError,
        httpx2.StreamError,
        aiohttp.ClientError,
        OSError,
        ValueError,
        RecursionError,
    )


def failure_of(error: Exception) -> Failure:
    """Say why a call failed, given one of `call_errors`."""
    import aiohttp  # noqa: PLC0415 - as in call_errors
    import httpx2  # noqa: PLC0415 - as in open_client
    import openai  # noqa: PLC0415 - as in open_client

    match error:
        case openai.APIStatusError():
            found = read_error(error.body, status=error.status_code)
            return replace(found, retry_after=_retry_after(error.response.headers))
        case (
            openai.APIConnectionError()
            | httpx2.TransportError()
            | aiohttp.ClientError()
            | OSError()
        ):
            # The SDK's own error of that name is one of lost connections, too.
            is_silent = any(
                isinstance(each, (httpx2.ReadTimeout, TimeoutError))
                for each in (error, error.__cause__)
            )
            return Failure(cause="unreachable", is_silent=is_silent, reason=_reason(error))
        case _:
            return Failure(cause="unclear")


def _reason(error: BaseException) -> str:
    """Return the kind of the error that the SDK found in its way."""
    import aiohttp  # noqa: PLC0415 - as in call_errors

    found: BaseException | None = error
    while found and not isinstance(found, (aiohttp.ClientError, OSError)):
        found = found.__cause__
    return type(found).__name__ if found else ""


def read_error(body: object, *, status: int | None) -> Failure:
    """Say what an error object means.

    Args:
        body: The object in `error`, or the whole body where there is none.
        status: Of the response; None when the error came within a stream.
    """
    fields: dict[str, Any] = body if isinstance(body, dict) else {"message": body or ""}
    # FastAPI, below vLLM, Mistral and others, has `detail` in place of `error`.
    message = str(fields.get("message") or fields.get("detail") or "")
    names = {str(fields.get("code")), str(fields.get("type"))}
    if status is None:
        status = _status_in(fields)
    cause = _cause(status, names, message)
    parameter = ""
    if cause == "refused":
        parameter = _refused_parameter(str(fields.get("param") or ""), message)
    if cause in {"refused", "broken"} and _NO_SYSTEM.search(message):
        parameter = "system"
    cause = "parameter" if parameter else cause
    code = str(fields.get("code") or fields.get("type") or "")
    return Failure(
        cause=cause,
        parameter=parameter,
        status=status,
        code=code if _CODE.fullmatch(code) else "",
    )


def limit_names(model: str) -> tuple[str, str]:
    """Return the names that the limit of a reply may have, the likelier one first."""
    first, second = _LIMITS
    return (first, second) if _OPENAI_MODEL.search(model) else (second, first)


def reported_tokens(value: object) -> int:
    """Return the number of tokens a server reports; 0 where it reports none that can be."""
    return value if isinstance(value, int) and 0 <= value <= _MOST_TOKENS else 0


def _cause(status: int | None, names: set[str], message: str) -> Cause:
    for name in names & _BY_NAME.keys():
        return _BY_NAME[name]
    if status in {400, 413, 422} and _LENGTH.search(message):
        return "length"
    if status == 404:  # noqa: PLR2004 - Not Found
        return "model" if "model" in message.lower() else "address"
    if status is None or status >= 500:  # noqa: PLR2004 - the server's own fault
        return "broken"
    return _BY_STATUS.get(status, "refused")


def _refused_parameter(param: str, message: str) -> str:
    # Some give the path to it, such as stream_options.include_usage.
    if blamed := _DISPENSABLE.intersection(param.split(".")):
        return min(blamed)
    if not _UNSUPPORTED.search(message):
        return ""
    named = [name for name in _PARAMETERS if name == param]
    # The message may go on to say what to use instead; the first name is the one refused.
    places = {name: message.find(name) for name in _PARAMETERS if name in message}
    return (named or sorted(places, key=lambda name: places[name]) or [""])[0]


def _status_in(fields: dict[str, Any]) -> int | None:
    """Return the HTTP status that some servers repeat in the error object of a stream."""
    code = fields.get("code")
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    return code if isinstance(code, int) and 400 <= code < 600 else None  # noqa: PLR2004


def _retry_after(headers: Any) -> float | None:  # noqa: ANN401 - httpx2 is not imported here
    """Return the seconds of Retry-After; a date there counts as none given."""
    for name, scale in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return max(0.0, float(headers.get(name)) / scale)
        except (TypeError, ValueError):
            continue
    return None
