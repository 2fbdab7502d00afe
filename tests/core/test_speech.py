"""The speech client against a loopback API as strict as the real one."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any

import av
import pytest

from core import models
from core.errors import ModelError, SpeechError
from core.speech import OpenAISpeech
from core.types import Usage, Voice
from tests import sound
from tests.core.stand_ins import Till, free
from tests.servers.openai import (
    Break,
    OpenAIServer,
    broken,
    html,
    no_model,
    out_of_quota,
    rate_limited,
    refused,
    wrong_key,
)
from tests.servers.openai.errors import Refuse
from tests.servers.openai.faults import Fault

VOICE = Voice(ref="file-1", seconds=3.0)
Connect = Callable[..., OpenAISpeech]


@pytest.fixture
async def connect(openai_server: OpenAIServer) -> AsyncIterator[Connect]:
    """Make clients of the loopback server that wait little between attempts."""
    opened = []

    def connect(*names: str, **options: Any) -> OpenAISpeech:
        client = OpenAISpeech(
            names=names or ("gpt-transcribe", "whisper-1"),
            key=openai_server.key,
            base_url=openai_server.url,
            backoff_seconds=0.01,
            **options,
        )
        opened.append(client)
        return client

    yield connect
    for client in opened:
        await client.close()


async def test_a_voice_note_is_transcribed(openai_server: OpenAIServer, connect: Connect) -> None:
    """A voice note goes out as it came, once, and comes back as words with what they cost."""
    till = Till()
    openai_server.transcript = " What is the capital of France? "
    raw = sound.english()
    heard = await connect(language="en").transcribe(raw, VOICE, hold=till)
    assert heard.text == "What is the capital of France?"
    assert not heard.is_english
    (request,) = openai_server.requests
    assert request.path == "/audio/transcriptions"
    assert request.audio == raw
    assert request.file_name == "speech.ogg"
    assert request.body == {
        "model": "gpt-transcribe",
        "response_format": "json",
        "language": "en",
    }
    (usage,) = till.paid
    assert usage.purpose == "transcribe"
    assert usage.model == "gpt-transcribe"
    assert usage.seconds == pytest.approx(5, abs=1)
    assert not usage.is_estimated


async def test_usage_is_what_the_api_says(connect: Connect) -> None:
    """A model billed by the second reports seconds, one billed by tokens reports these too."""
    raw = sound.voice_note(7)
    till = Till()
    await connect("whisper-1").transcribe(raw, VOICE, hold=till)
    await connect("gpt-4o-transcribe").transcribe(raw, VOICE, hold=till)
    seconds, usage = till.paid
    assert seconds == Usage(purpose="transcribe", model="whisper-1", seconds=7)
    assert usage.seconds == pytest.approx(7)
    assert usage.input > 10
    assert usage.output > 3
    assert not usage.is_estimated


async def test_a_film_is_heard(openai_server: OpenAIServer, connect: Connect) -> None:
    """Of a video note only the sound goes out, small and mono."""
    raw = sound.tone(2, container="mp4", codec="aac", rate=44_100, has_film=True)
    await connect().transcribe(raw, VOICE, hold=free)
    (request,) = openai_server.requests
    with av.open(io.BytesIO(request.audio)) as container:
        assert container.format.name == "ogg"
    assert len(request.audio) < len(raw)


@pytest.mark.parametrize(
    ("raw", "voice", "sentence"),
    [
        (b"", VOICE, "is empty"),
        (b"no sound at all", VOICE, "cannot read this recording"),
        (sound.film(), VOICE, "no sound"),
        (sound.voice_note(2, loudness=0), VOICE, "could not hear any words"),
        (sound.voice_note(12), VOICE, "too long: I can hear 0.167 minutes"),
        (
            sound.voice_note(2),
            Voice(ref="file-2", seconds=11),
            "too long: I can hear 0.167 minutes",
        ),
    ],
)
async def test_what_cannot_be_heard_costs_nothing(
    openai_server: OpenAIServer, connect: Connect, raw: bytes, voice: Voice, sentence: str
) -> None:
    """A recording that is no speech, or too long, is refused before anything is sent."""
    with pytest.raises(SpeechError, match=sentence):
        await connect(longest_seconds=10).transcribe(raw, voice, hold=free)
    assert not openai_server.requests


@pytest.mark.parametrize("seconds", ['"2"', "null", "-1", "NaN", "1e300"])
async def test_odd_usage_costs_no_transcript(
    openai_server: OpenAIServer, connect: Connect, seconds: str
) -> None:
    """What cannot be a length or a number of tokens is replaced by what we know."""
    till = Till()
    usage = f'{{"seconds": {seconds}, "input_tokens": null, "output_tokens": "7"}}'
    body = f'{{"text": "hello", "usage": {usage}}}'.encode()
    openai_server.fail(Refuse(status=200, body=body, content_type="application/json"))
    await connect("whisper-1").transcribe(sound.voice_note(2), VOICE, hold=till)
    (found,) = till.paid
    assert (found.input, found.output) == (0, 0)
    assert found.seconds == pytest.approx(2, abs=0.5)


async def test_no_words_were_paid_for_all_the_same(
    openai_server: OpenAIServer, connect: Connect
) -> None:
    """A transcript without words becomes a sentence, and its cost is not forgotten."""
    openai_server.transcript = "  "
    till = Till()
    with pytest.raises(SpeechError, match="I could not hear any words"):
        await connect().transcribe(sound.voice_note(2), VOICE, hold=till)
    assert [usage.model for usage in till.paid] == ["gpt-transcribe"]


async def test_silence_is_paid_for(openai_server: OpenAIServer, connect: Connect) -> None:
    """Where the service fails before anybody speaks, what it heard until then is told."""

    def transcript(_audio: bytes, _form: dict[str, Any]) -> str:
        openai_server.fail(broken(), times=None)
        return ""

    openai_server.transcript = transcript
    till = Till()
    with pytest.raises(ModelError):
        await connect(part_seconds=20).transcribe(sound.voice_note(30), VOICE, hold=till)
    [usage] = till.paid
    assert usage.seconds == pytest.approx(openai_server.requests[0].seconds, abs=0.5)


async def test_who_stops_pays_for_it(openai_server: OpenAIServer, connect: Connect) -> None:
    """Each part is told as it is paid; the one that is cut off, as we estimate it."""
    till = Till()

    def transcript(_audio: bytes, _form: dict[str, Any]) -> str:
        openai_server.fail(Break(how="stall"), times=None)
        return "Hm."

    openai_server.transcript = transcript
    client = connect(part_seconds=20)
    hearing = asyncio.create_task(client.transcribe(sound.voice_note(36), VOICE, hold=till))
    async with asyncio.timeout(10):
        while len(openai_server.requests) < 2:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
    hearing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hearing
    assert [usage.is_estimated for usage in till.paid] == [False, True]
    assert sum(usage.seconds for usage in till.paid) == pytest.approx(24, abs=1)


async def test_a_long_recording_is_heard_in_parts(
    openai_server: OpenAIServer, connect: Connect
) -> None:
    """Parts go out in order, each with the end of what was said before as its prompt."""
    till = Till()
    said = iter(["One. " * 50, "Two.", "", "Four."])
    openai_server.transcript = lambda _audio, _form: next(said)
    heard = await connect(part_seconds=20).transcribe(sound.voice_note(56), VOICE, hold=till)
    assert heard.text == f"{('One. ' * 50).strip()} Two. Four."
    prompts = [request.body.get("prompt", "") for request in openai_server.requests]
    assert prompts[0] == ""
    assert prompts[1] == ("One. " * 50).strip()[-200:]
    assert prompts[2].endswith("One. Two.")
    assert [request.seconds < 20.1 for request in openai_server.requests] == [True] * 4
    assert sum(usage.seconds for usage in till.paid) == pytest.approx(56, abs=0.5)
    assert len(till.paid) == 4


async def test_what_was_heard_of_a_long_recording_is_kept(
    openai_server: OpenAIServer, connect: Connect
) -> None:
    """When the service fails in the middle, what is paid for is shown, and what is missing."""
    till = Till()

    def transcript(_audio: bytes, _form: dict[str, Any]) -> str:
        openai_server.fail(broken(), times=None)
        return "The beginning."

    openai_server.transcript = transcript
    heard = await connect(part_seconds=20).transcribe(sound.voice_note(30), VOICE, hold=till)
    assert heard.text == "The beginning. […the rest could not be heard.]"
    assert len(till.paid) == 1


@pytest.mark.parametrize(
    "fault",
    [
        rate_limited(retry_after=0.01),
        rate_limited(),
        broken(500),
        broken(503),
        html(),
        html(502),
        Break(how="reset"),
        Refuse(status=200, body={"task": "transcribe"}),
    ],
)
async def test_what_passes_is_tried_again(
    openai_server: OpenAIServer, connect: Connect, fault: Fault
) -> None:
    """A failure that passes does not show."""
    openai_server.fail(fault)
    heard = await connect().transcribe(sound.voice_note(2), VOICE, hold=free)
    assert heard.text == "This is what was said."
    assert [request.model for request in openai_server.requests] == ["gpt-transcribe"] * 2


async def test_silence_of_the_server_is_a_failure(
    openai_server: OpenAIServer, connect: Connect
) -> None:
    """One that never answers is asked again; but one may take as long as a recording lasts."""
    openai_server.fail(Break(how="stall"))
    await connect(read_seconds=0.1).transcribe(sound.voice_note(0.2), VOICE, hold=free)
    assert len(openai_server.requests) == 2
    openai_server.first_token_delay = 0.5
    await connect(read_seconds=0.1).transcribe(sound.voice_note(4), VOICE, hold=free)
    assert len(openai_server.requests) == 3


@pytest.mark.parametrize(
    "fault",
    [
        no_model("gpt-transcribe"),
        out_of_quota(),
        rate_limited(retry_after=3600),
        refused(400, "The prompt parameter is not supported."),
    ],
)
async def test_the_next_model_hears_it(
    openai_server: OpenAIServer, connect: Connect, fault: Fault
) -> None:
    """A model that is gone or refuses is passed over, for all parts that follow too."""
    till = Till()
    openai_server.fail(fault, model="gpt-transcribe")
    await connect(part_seconds=20).transcribe(sound.voice_note(30), VOICE, hold=till)
    assert [usage.model for usage in till.paid] == ["whisper-1"] * 2
    asked = [request.model for request in openai_server.requests]
    assert asked == ["gpt-transcribe", "whisper-1", "whisper-1"]


@pytest.mark.parametrize(
    ("fault", "sentence", "asked"),
    [
        (wrong_key(), "check its key", 1),
        (out_of_quota(), "no credit", 2),
        (no_model("any"), "not available", 2),
        (broken(), "trouble right now", 6),
        (Break(how="reset"), "cannot be reached", 6),
        (refused(400, "Something about this file."), "did not accept", 2),
    ],
)
async def test_what_does_not_pass_ends_in_a_sentence(
    openai_server: OpenAIServer,
    connect: Connect,
    fault: Fault,
    sentence: str,
    asked: int,
) -> None:
    """When no model hears it, one kind sentence says why, without a word of the server's."""
    openai_server.fail(fault, times=None)
    with pytest.raises(ModelError, match=sentence) as caught:
        await connect().transcribe(sound.voice_note(2), VOICE, hold=free)
    assert len(openai_server.requests) == asked
    assert "sk-" not in str(caught.value)


async def test_a_failure_that_passes_is_named_before_one_that_does_not(
    openai_server: OpenAIServer, connect: Connect
) -> None:
    """Of a busy model and one that is gone, the person hears of the busy one."""
    openai_server.fail(rate_limited(), times=None, model="gpt-transcribe")
    with pytest.raises(ModelError, match="very busy"):
        await connect("gpt-transcribe", "gone").transcribe(sound.voice_note(2), VOICE, hold=free)


async def test_a_model_that_translates_is_asked_to(
    openai_server: OpenAIServer, connect: Connect
) -> None:
    """English is asked of the first model in the list that can give it."""
    till = Till()
    openai_server.transcript = "I like music very much."
    heard = await connect(language="es").transcribe(
        sound.spanish(), VOICE, hold=till, to_english=True
    )
    assert heard.is_english
    assert heard.text == "I like music very much."
    (request,) = openai_server.requests
    assert request.path == "/audio/translations"
    assert request.model == "whisper-1"
    (usage,) = till.paid
    assert usage.model == "whisper-1"
    assert usage.seconds == pytest.approx(4, abs=1)


async def test_a_model_that_was_shut_down_hears_nothing(
    openai_server: OpenAIServer, connect: Connect
) -> None:
    """The next of the list is asked at once; the last one left is asked all the same."""
    models.use(clock=lambda: date(2027, 2, 27))
    raw = sound.voice_note(2)
    await connect("whisper-1", "gpt-transcribe").transcribe(raw, VOICE, hold=free, to_english=True)
    await connect("whisper-1").transcribe(raw, VOICE, hold=free)
    assert [request.model for request in openai_server.requests] == ["gpt-transcribe", "whisper-1"]


async def test_without_a_translator_the_words_come_as_spoken(
    openai_server: OpenAIServer, connect: Connect
) -> None:
    """Where nothing translates any more, the transcript says that it is not English."""
    openai_server.transcript = "Me gusta mucho la música."
    heard = await connect("gpt-transcribe").transcribe(
        sound.spanish(), VOICE, hold=free, to_english=True
    )
    assert not heard.is_english
    assert heard.text == "Me gusta mucho la música."


async def test_an_endpoint_that_is_gone_is_no_failure(
    openai_server: OpenAIServer, connect: Connect
) -> None:
    """When the translating model or its endpoint has been shut down, others transcribe."""
    till = Till()
    openai_server.fail(no_model("whisper-1"), model="whisper-1", times=None)
    heard = await connect().transcribe(sound.spanish(), VOICE, hold=till, to_english=True)
    assert not heard.is_english
    assert [usage.model for usage in till.paid] == ["gpt-transcribe"]


async def test_an_old_server_says_nothing_of_costs(
    openai_server: OpenAIServer, connect: Connect
) -> None:
    """Without a usage in the answer, the length of the recording is what is recorded."""
    openai_server.fail(Refuse(status=200, body={"text": "Hello."}))
    till = Till()
    await connect("tiny").transcribe(sound.voice_note(2), VOICE, hold=till)
    (usage,) = till.paid
    assert usage.is_estimated
    assert usage.seconds == pytest.approx(2, abs=0.1)


async def test_a_client_closes_and_opens_again(connect: Connect) -> None:
    """Closing lets go of connections; closing twice, or before the first call, is fine."""
    client = connect()
    await client.close()
    await client.transcribe(sound.voice_note(2), VOICE, hold=free)
    await client.close()
    assert (await client.transcribe(sound.voice_note(2), VOICE, hold=free)).text


async def test_no_speech_is_logged(
    openai_server: OpenAIServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """What somebody said, and the key, stay out of the log, whatever fails."""
    caplog.set_level("DEBUG", logger="core")
    openai_server.transcript = "My secret."
    openai_server.fail(broken())
    await connect().transcribe(sound.voice_note(2), VOICE, hold=free)
    assert "speech call failed" in caplog.text
    assert "secret" not in caplog.text
    assert openai_server.key not in caplog.text
