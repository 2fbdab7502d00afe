"""Reading errors of all kinds of servers, and the rules for trying again."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import CauserieError, ContextLengthError, ModelError, ModelSetupError
from core.provider import Cause, Failure, open_client, read_error
from core.retry import BACKOFF_SECONDS, MAX_ATTEMPTS, is_given_up, pause
from core.speech import OpenAISpeech
from core.types import Voice
from tests.core.stand_ins import free
from tests.servers.openai import OpenAIServer, Refuse
from tests.sound import voice_note

CAUSES = get_args(Cause)
# As users of these servers quote them, 2026-11.
TOO_LONG = [
    (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in "
        "8203 tokens. Please reduce the length of the messages."
    ),
    (
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in "
        "289650 tokens. Please reduce the length of the messages."
    ),
    (
        "This model's maximum context length is 262144 tokens. However, you requested 0 output "
        "tokens and your prompt contains at least 262145 input tokens."
    ),
    "Requested token count exceeds the model's maximum context length of 202752 tokens.",
    "Input length (265330) exceeds model's maximum context length (262144).",
    "request (66202 tokens) exceeds the available context size (65536 tokens), try increasing it",
    "Requested tokens (2285) exceed context window of 2048",
    (
        "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum "
        "context length"
    ),
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "prompt is too long: 213462 tokens > 200000 maximum",
    "Prompt too long: 5152 tokens exceeds max_seq_len 2048 (leave room for output tokens)",
    "The input token count (1198310) exceeds the maximum number of tokens allowed (1048575).",
    "Input is too long for requested model.",
    "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.",
    "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000",
    "input length and max_tokens exceed context limit: 170636 + 34048 > 200000",
]


@pytest.mark.parametrize("message", TOO_LONG)
def test_every_server_has_its_words_for_too_long(message: str) -> None:
    """A prompt too long is recognized in the words of any common server."""
    failure = read_error({"message": message, "type": "invalid_request_error"}, status=400)
    assert failure.cause == "length"
    assert isinstance(failure.error, ContextLengthError)


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (400, {"code": "context_length_exceeded"}, "length"),
        (None, {"code": 400, "type": "exceed_context_size_error"}, "length"),
        (429, {"message": "Too many tokens, please wait."}, "busy"),
        (429, {"code": "insufficient_quota"}, "quota"),
        (None, {"type": "insufficient_quota"}, "quota"),
        (None, {"code": "rate_limit_exceeded"}, "busy"),
        (None, {"code": 429}, "busy"),
        (None, {"code": "503"}, "broken"),
        (None, {"code": 7}, "broken"),
        (None, "overloaded", "broken"),
        (None, None, "broken"),
        (403, {"code": "model_not_found"}, "model"),
        (404, {"message": "The model `x` does not exist"}, "model"),
        (404, "<html>Not found</html>", "address"),
        (401, None, "key"),
        (408, None, "broken"),
        (529, {"type": "overloaded_error"}, "broken"),
        (400, {"message": "max_tokens is too large: 20000. At most 16384."}, "refused"),
    ],
)
def test_causes(status: int | None, body: object, cause: Cause) -> None:
    """What the server names counts first, then its status."""
    assert read_error(body, status=status).cause == cause


def test_a_parameter_refused_by_a_list_of_details() -> None:
    """FastAPI's way of refusing is understood as any other."""
    detail = {
        "type": "extra_forbidden",
        "loc": ["body", "stream_options"],
        "msg": "Extra inputs are not permitted",
    }
    failure = read_error({"detail": [detail]}, status=422)
    assert (failure.cause, failure.parameter) == ("parameter", "stream_options")


@pytest.mark.parametrize(
    ("message", "param", "parameter"),
    [
        (
            (
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead."
            ),
            "max_tokens",
            "max_tokens",
        ),
        ("Unrecognized request argument supplied: stream_options", None, "stream_options"),
        (
            "Extra inputs are not permitted: body.max_completion_tokens",
            None,
            "max_completion_tokens",
        ),
        (
            "Unsupported value: 'temperature' does not support 0.2 with this model.",
            "temperature",
            "temperature",
        ),
        ("Invalid parameter: stream_options", "stream_options", "stream_options"),
        ("Nothing we know.", "stream_options.include_usage", "stream_options"),
        ("Nothing we know.", "body.prompt_cache_key", "prompt_cache_key"),
        ("Should be 1.", "temperature", "temperature"),
        ("'stream_options' is not a valid parameter", None, "stream_options"),
        ("'max_tokens' is not a valid parameter", "max_tokens", "max_tokens"),
        (
            "Invalid field: max_completion_tokens",
            "max_completion_tokens",
            "max_completion_tokens",
        ),
        ("Invalid field: max_completion_tokens", None, "max_completion_tokens"),
        ("100000 is not a valid number of tokens", "max_completion_tokens", ""),
        ("Nothing we know.", "messages", ""),
        ("Unknown parameter: 'foo'.", "foo", ""),
        ("max_completion_tokens is too large", "max_completion_tokens", ""),
    ],
)
def test_refused_parameters(message: str, param: str | None, parameter: str) -> None:
    """A parameter the server does not take is named, whichever way the server names it."""
    failure = read_error({"message": message, "param": param}, status=400)
    assert failure.parameter == parameter
    assert failure.cause == ("parameter" if parameter else "refused")


@given(code=st.text())
def test_only_plain_codes_are_kept(code: str) -> None:
    """What goes into the log is a name, never a text that somebody wrote."""
    kept = read_error({"code": code}, status=400).code
    assert kept in {code, ""}
    assert all(letter.isascii() and (letter.isalnum() or letter == "_") for letter in kept)


@pytest.mark.parametrize("cause", CAUSES)
def test_sentences(cause: Cause) -> None:
    """Every cause has one sentence; those that only the owner can mend say so."""
    error = Failure(cause=cause).error
    assert isinstance(error, CauserieError)
    assert str(error).endswith(".")
    assert str(error).count(". ") == 0
    assert isinstance(error, ModelSetupError) is ("whoever runs" in str(error)) or cause in {
        "refused",
        "parameter",
    }


@given(
    cause=st.sampled_from(CAUSES),
    attempt=st.integers(1, 5),
    retry_after=st.none() | st.floats(0, 100),
    backoff=st.floats(0, 2),
)
def test_waits_are_bounded(
    cause: Cause, attempt: int, retry_after: float | None, backoff: float
) -> None:
    """A wait is what the server asked for, or random below a growing bound; never over 20 s."""
    failure = Failure(cause=cause, retry_after=retry_after)
    seconds = pause(failure, attempt, backoff_seconds=backoff, is_last=True)
    if attempt >= MAX_ATTEMPTS or not failure.is_transient or (retry_after or 0) > 20:
        assert seconds is None
    if seconds is not None:
        assert not is_given_up(failure) or cause == "empty"
        if retry_after is None:
            longest = min(8, backoff * 5 ** (attempt - 1))
            assert longest / 2 <= seconds <= longest
        else:
            assert seconds == retry_after


@pytest.mark.parametrize("cause", ["busy", "broken", "unreachable", "unclear"])
def test_a_trouble_of_some_seconds_is_outlasted(cause: Cause) -> None:
    """The second attempt comes soon, the third after a restart, and chats come one by one."""
    waits = [
        [
            pause(Failure(cause=cause), attempt, backoff_seconds=BACKOFF_SECONDS, is_last=True)
            or 0
            for attempt in range(1, MAX_ATTEMPTS)
        ]
        for _ in range(100)
    ]
    assert all(1 <= first <= 1.5 and 6 <= first + second <= 9 for first, second in waits)
    assert len({round(second, 3) for _, second in waits}) > 50


async def test_an_answer_nested_too_deeply_is_unclear(openai_server: OpenAIServer) -> None:
    """Whoever asks hears so, in a sentence."""
    answer = Refuse(status=200, body=b"[" * 100_000)
    openai_server.fail(answer, times=None)
    ear = OpenAISpeech(
        names=("whisper-1",),
        key=openai_server.key,
        base_url=openai_server.url,
        backoff_seconds=0.001,
    )
    with pytest.raises(ModelError, match="unreadable"):
        await ear.transcribe(voice_note(0.5), Voice(ref="1"), hold=free)
    assert len(openai_server.requests) == 3
    await ear.close()


async def test_openai_is_the_default_server() -> None:
    """Without a URL the client talks to OpenAI, with what the environment says of the account."""
    client = open_client(key="sk-x", base_url=None, proxy=None)
    assert str(client.base_url) == "https://api.openai.com/v1/"
    assert client.max_retries == 0
    await client.close()
