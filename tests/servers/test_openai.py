"""The loopback model server refuses what OpenAI refuses, seen through the real SDK."""

import asyncio
import io
import warnings
import wave
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.servers.openai import (
    Break,
    Limits,
    OpenAIServer,
    Shape,
    broken,
    no_model,
    out_of_quota,
    rate_limited,
)

MODEL = "gpt-5.4-mini"
HELLO: list[Any] = [{"role": "user", "content": "Hello!"}]


def sound(seconds: float = 1.0) -> bytes:
    """Return silence as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8_000)
        out.writeframes(bytes(2 * int(seconds * 8_000)))
    return file.getvalue()


@pytest.fixture
async def sdk(openai_server: OpenAIServer) -> AsyncIterator[openai.AsyncOpenAI]:
    """The SDK, pointed at the server, without retries of its own."""
    async with openai.AsyncOpenAI(
        api_key=openai_server.key, base_url=openai_server.url, max_retries=0
    ) as client:
        yield client


async def say(sdk: openai.AsyncOpenAI, **wanted: Any) -> Any:
    """Ask for a chat completion."""
    return await sdk.chat.completions.create(**({"model": MODEL, "messages": HELLO} | wanted))


async def test_prompt_tokens_are_openais(sdk: openai.AsyncOpenAI) -> None:
    """The API reference's own example has 19 prompt tokens."""
    messages = [{"role": "system", "content": "You are a helpful assistant."}, *HELLO]
    reply = await say(sdk, messages=messages)
    assert reply.choices[0].message.content == "You said: Hello!"
    assert reply.usage.prompt_tokens == 19


@pytest.mark.parametrize(
    ("wanted", "code", "words"),
    [
        ({"messages": []}, "empty_array", "Invalid 'messages': empty array"),
        ({"extra_body": {"messages": None}}, "missing_required_parameter", "'messages'"),
        ({"extra_body": {"messages": "Hi"}}, "invalid_type", "array of objects"),
        ({"extra_body": {"messages": ["Hi"]}}, "invalid_type", "an object"),
        ({"messages": [{"role": "robot", "content": ""}]}, "invalid_value", "'robot'"),
        ({"messages": [{"role": "user", "content": None}]}, "invalid_type", "got null"),
        ({"messages": [{"role": "user", "content": [{"type": "x"}]}]}, "invalid_value", "'x'"),
        ({"messages": [{"role": "tool", "content": "4"}]}, None, "tool_call_id"),
        ({"messages": [HELLO[0] | {"name": "Ann Lee"}]}, "invalid_value", "match pattern"),
        ({"max_tokens": 5}, "unsupported_parameter", "Use 'max_completion_tokens' instead."),
        ({"temperature": 0.2}, "unsupported_value", "Only the default (1) value"),
        ({"extra_body": {"foo": 1, "bar": 2}}, None, "arguments supplied: bar, foo"),
        ({"extra_body": {"stream_options": {}}}, None, "only allowed when 'stream'"),
        ({"max_completion_tokens": 0}, "integer_below_min_value", "minimum value"),
        ({"max_completion_tokens": 999_999}, "invalid_value", "at most 128000"),
        ({"model": ""}, None, "must provide a model"),
        (
            {"model": "old-server", "max_completion_tokens": 5},
            "unsupported_parameter",
            "Use 'max_tokens' instead.",
        ),
    ],
)
async def test_bad_requests(
    sdk: openai.AsyncOpenAI, wanted: dict[str, Any], code: str | None, words: str
) -> None:
    """What the API does not take is refused with its own code and words."""
    with pytest.raises(openai.BadRequestError) as caught:
        await say(sdk, **wanted)
    assert caught.value.code == code
    assert words in caught.value.message


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "developer", "content": "Be kind."}, *HELLO],
        [{"role": "user", "content": [{"type": "text", "text": "Hello!"}]}],
        [
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
            {"role": "tool", "content": "4", "tool_call_id": "1"},
            HELLO[0] | {"name": "Ann"},
        ],
    ],
)
async def test_good_messages(sdk: openai.AsyncOpenAI, messages: list[Any]) -> None:
    """All roles and parts that the API takes are taken."""
    assert (await say(sdk, messages=messages)).choices[0].message.content == "You said: Hello!"


@pytest.mark.parametrize("model", ["no-such-model", "gpt-4"])
async def test_models_that_do_not_serve(sdk: openai.AsyncOpenAI, model: str) -> None:
    """Unknown and retired models are not found."""
    with pytest.raises(openai.NotFoundError) as caught:
        await say(sdk, model=model)
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        await sdk.models.retrieve(model)


async def test_models_are_listed(sdk: openai.AsyncOpenAI) -> None:
    """The list has what serves, and nothing that was retired."""
    names = {model.id async for model in sdk.models.list()}
    assert {MODEL, "whisper-1"} <= names
    assert "gpt-4" not in names
    assert (await sdk.models.retrieve(MODEL)).id == MODEL


async def test_keys(openai_server: OpenAIServer, sdk: openai.AsyncOpenAI) -> None:
    """Only the right key is let in; the refusal shows no more than its ends."""
    wrong = sdk.with_options(api_key="sk-0123456789-0123456789-abcd")
    for call in (say(wrong), wrong.models.list(), wrong.models.retrieve(MODEL)):
        with pytest.raises(openai.AuthenticationError) as caught:
            await call
        assert caught.value.code == "invalid_api_key"
        assert "sk-01********abcd" in caught.value.message
    with pytest.raises(openai.AuthenticationError, match="didn't provide"):
        await sdk.models.list(extra_headers={"Authorization": "Basic x"})
    assert "authorization" not in openai_server.requests[0].headers


@pytest.mark.parametrize(
    ("model", "limit", "words"),
    [
        ("small-4k", None, "messages resulted in 5007 tokens"),
        ("mid", 900, "requested 5907 tokens (5007 in the messages, 900 in the completion)"),
        ("thinking", None, "Input tokens exceed the configured limit of 5000 tokens"),
    ],
)
async def test_context_window(
    openai_server: OpenAIServer, sdk: openai.AsyncOpenAI, model: str, limit: int | None, words: str
) -> None:
    """Prompt and reply must fit into the window; the refusal counts as the API does."""
    openai_server.models["mid"] = Limits(context=5_500, output=1_000)
    openai_server.models["thinking"] = Limits(context=5_000, is_reasoning=True)
    messages = [{"role": "user", "content": "word " * 4_999}]
    with pytest.raises(openai.BadRequestError) as caught:
        await say(sdk, model=model, messages=messages, max_completion_tokens=limit)
    assert caught.value.code == "context_length_exceeded"
    assert words in caught.value.message


async def test_the_limit_cuts_the_reply(
    openai_server: OpenAIServer, sdk: openai.AsyncOpenAI
) -> None:
    """A reply is cut at the tokens asked for, and says so."""
    openai_server.reply = lambda _: ["one two", " three four"]
    reply = await say(sdk, max_completion_tokens=3)
    assert reply.choices[0].message.content == "one two three"
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage.completion_tokens == 3


async def test_cache(sdk: openai.AsyncOpenAI) -> None:
    """The prefix a prompt shares with an earlier one is cached in steps of 128 tokens."""
    text = "word " * 1_500
    used = []
    for ending in ("", "", "one", "two"):
        messages = [{"role": "user", "content": text}, {"role": "user", "content": ending}]
        reply = await say(sdk, messages=messages)
        used.append(reply.usage.prompt_tokens_details.cached_tokens)
    assert used == [0, 1_408, 1_408, 1_408]
    changed = await say(sdk, messages=[{"role": "user", "content": f"New {text}"}])
    assert changed.usage.prompt_tokens_details.cached_tokens == 0


async def test_a_cheap_count() -> None:
    """Without exact counting a limit still holds, roughly, and nothing is cached."""
    async with (
        OpenAIServer(is_exact=False) as server,
        openai.AsyncOpenAI(api_key=server.key, base_url=server.url) as sdk,
    ):
        reply = await say(sdk, max_completion_tokens=3)
        assert reply.choices[0].message.content == "You said: He"
        assert reply.usage.prompt_tokens == 9


async def test_stream(openai_server: OpenAIServer, sdk: openai.AsyncOpenAI) -> None:
    """A stream opens with the role, ends with a finish_reason and, if wanted, the usage."""
    stream = await say(sdk, stream=True, stream_options={"include_usage": True})
    first, *middle, last, usage = [chunk async for chunk in stream]
    assert first.choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in middle] == ["You ", "said", ": He", "llo!"]
    assert last.choices[0].finish_reason == "stop"
    assert usage.choices == []
    assert usage.usage.completion_tokens == 5
    (request,) = openai_server.requests
    assert request.is_done
    assert request.at <= request.first_token_at <= request.last_token_at
    assert request.texts == [("user", "Hello!")]
    stream = await say(sdk, stream=True)
    assert not any([chunk.usage async for chunk in stream])


async def test_faults_by_number_and_model(
    openai_server: OpenAIServer, sdk: openai.AsyncOpenAI
) -> None:
    """A fault strikes as often as ordered, one model only if ordered so, in order."""
    openai_server.fail(broken(), model="gpt-4o")
    openai_server.fail(rate_limited(retry_after=7), times=2)
    openai_server.fail(out_of_quota(), times=None)
    for model, kind in (
        (MODEL, openai.RateLimitError),
        ("gpt-4o", openai.InternalServerError),
        ("gpt-4o", openai.RateLimitError),
        ("gpt-4o", openai.RateLimitError),
    ):
        with pytest.raises(kind) as caught:
            await say(sdk, model=model)
    assert caught.value.code == "insufficient_quota"
    openai_server.heal()
    await say(sdk)
    openai_server.fail(no_model(MODEL))
    with pytest.raises(openai.NotFoundError):
        await say(sdk)


@pytest.mark.parametrize("how", ["reset", "stall"])
@pytest.mark.parametrize("after", [None, 1])
async def test_breaks_without_a_stream(
    openai_server: OpenAIServer, sdk: openai.AsyncOpenAI, how: str, after: int | None
) -> None:
    """A whole reply can fail to come, too."""
    openai_server.fail(Break(how=how, after=after))  # type: ignore[arg-type]
    with pytest.raises(openai.APIConnectionError):
        await say(sdk.with_options(timeout=0.2))


async def test_a_refusal(openai_server: OpenAIServer, sdk: openai.AsyncOpenAI) -> None:
    """A refusal takes the place of the content."""
    openai_server.fail(Shape(refusal="No."))
    message = (await say(sdk)).choices[0].message
    assert (message.content, message.refusal) == (None, "No.")


async def test_what_is_no_request(openai_server: OpenAIServer, sdk: openai.AsyncOpenAI) -> None:
    """A body that is no JSON, or a path nobody serves, is refused."""
    with pytest.raises(openai.BadRequestError, match="could not parse"):
        await sdk.post("/chat/completions", cast_to=object, content=b"[")
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        await sdk.get("/nothing", cast_to=object)
    assert openai_server.requests == []


async def test_until_is_bounded(openai_server: OpenAIServer) -> None:
    """Waiting for what does not happen ends."""
    with pytest.raises(TimeoutError):
        await openai_server.until(lambda: False, seconds=0.01)


async def test_a_server_ends_in_the_middle() -> None:
    """A server that is left while it answers does not wait for the end."""
    async with OpenAIServer() as server:
        server.first_token_delay = 600
        client = openai.AsyncOpenAI(api_key=server.key, base_url=server.url, max_retries=0)
        asking = asyncio.create_task(say(client))
        await server.until(lambda: server.requests)
    with pytest.raises(openai.APIConnectionError):
        await asking
    await client.close()
    assert not server.requests[0].is_cut


async def hear(sdk: openai.AsyncOpenAI, **wanted: Any) -> Any:
    """Ask for a transcript."""
    call = {"model": "whisper-1", "file": ("a.wav", sound())} | wanted
    return await sdk.audio.transcriptions.create(**call)


@pytest.mark.parametrize(
    ("wanted", "code", "words"),
    [
        ({"file": ("a.aac", sound())}, None, "Invalid file format. Supported formats: ['flac'"),
        ({"file": ("a.ogg", sound())}, "invalid_value", "corrupted or unsupported"),
        ({"file": ("a.mp3", b"\xff\xfbrest")}, "invalid_value", "corrupted or unsupported"),
        ({"file": ("a.wav", b"")}, "audio_too_short", "Minimum audio length is 0.1 seconds"),
        ({"file": ("a.wav", sound(0.05))}, "audio_too_short", "0.1 seconds"),
        ({"response_format": "yaml"}, "unsupported_value", "response_format 'yaml'"),
        (
            {"model": "gpt-transcribe", "response_format": "text"},
            "unsupported_value",
            "Use 'json'",
        ),
        ({"languages": ["de"]}, "unsupported_parameter", "'languages'"),
        ({"language": "german"}, "invalid_language_format", "ISO-639-1"),
        ({"extra_body": {"foo": "1"}}, None, "foo"),
        ({"model": ""}, None, "must provide a model"),
        (
            {"model": "gpt-4o-transcribe", "file": ("a.wav", sound(1_501))},
            "invalid_value",
            "longer than 1500 seconds",
        ),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
async def test_bad_recordings(
    sdk: openai.AsyncOpenAI, wanted: dict[str, Any], code: str | None, words: str
) -> None:
    """Recordings and forms that the API does not take are refused in its words."""
    with pytest.raises(openai.BadRequestError) as caught:
        await hear(sdk, **wanted)
    assert caught.value.code == code
    assert words in caught.value.message


async def test_transcripts(openai_server: OpenAIServer, sdk: openai.AsyncOpenAI) -> None:
    """A transcript comes in the format asked for, with what was used."""
    openai_server.transcript = lambda audio, form: f"{len(audio)} {form['prompt']}"
    length = len(sound())
    plain = await hear(sdk, response_format="text", prompt="Ann")
    assert plain == f"{length} Ann\n"
    full = await hear(sdk, response_format="verbose_json", prompt="Ann")
    assert (full.text, full.duration) == (f"{length} Ann", 1.0)
    openai_server.transcript = "Hello."
    new = await hear(sdk, model="gpt-transcribe")
    assert (new.text, new.usage.output_tokens) == ("Hello.", 2)
    assert (await hear(sdk)).usage.seconds == 1
    assert openai_server.requests[0].file_name == "a.wav"


async def test_translation(sdk: openai.AsyncOpenAI) -> None:
    """Only whisper-1 translates, and takes no language."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        create = sdk.audio.translations.create
        file = ("a.wav", sound())
        assert (await create(model="whisper-1", file=file)).text == "This is what was said."
        with pytest.raises(openai.BadRequestError, match="not supported for translation"):
            await create(model="gpt-transcribe", file=file)
        with pytest.raises(openai.BadRequestError, match="'language'"):
            await create(model="whisper-1", file=file, extra_body={"language": "de"})


async def test_recordings_too_large(sdk: openai.AsyncOpenAI) -> None:
    """A request above 25 MB is refused by its size."""
    with pytest.raises(openai.APIStatusError, match="Maximum content size limit") as caught:
        await hear(sdk, file=("a.wav", bytes(26_214_400)))
    assert caught.value.status_code == 413


async def test_other_speech_refusals(openai_server: OpenAIServer, sdk: openai.AsyncOpenAI) -> None:
    """Unknown models, missing files and ordered faults are refused for speech as for chat."""
    with pytest.raises(openai.NotFoundError):
        await hear(sdk, model="no-such-model")
    with pytest.raises(openai.BadRequestError, match="'file'"):
        await sdk.post(
            "/audio/transcriptions",
            cast_to=object,
            body={"model": "whisper-1"},
            files={"sound": ("a.wav", sound())},
            options={"headers": {"Content-Type": "multipart/form-data"}},
        )
    openai_server.fail(rate_limited())
    with pytest.raises(openai.RateLimitError):
        await hear(sdk)
