"""Counting in reference tokens, shortening to fit, and translating to a model's own tokens.

One vocabulary, o200k_base, counts everything; it ships with the package, because tiktoken
would download it. Models with another vocabulary get a `Calibration`.
"""

import asyncio
import base64
import bisect
import functools
import gzip
import hashlib
import importlib.resources
import itertools
import math
import re
import threading
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import tiktoken

from core.errors import CauserieError
from core.types import Message, Usage

VOCABULARY = Path(str(importlib.resources.files("core"))) / "data" / "o200k_base.tiktoken.gz"

# Hash and pattern of o200k_base as in tiktoken 0.14, tiktoken_ext/openai_public.py, 2026-11.
# Its constructor there returns them only together with a download.
_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
_UPPER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
_LOWER = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_SUFFIX = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_PATTERN = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+{_SUFFIX}",
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*{_SUFFIX}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
_SPECIAL = {"<|endoftext|>": 199999, "<|endofprompt|>": 200018}

# Framing of a chat message: three tokens and its role (one token each), one more before a
# name, three that open the reply. OpenAI cookbook, "How to count tokens with tiktoken",
# gpt-4o; the API reference's example reports 19 = 2 * (3 + 1) + 8 of content + 3. 2026-11.
MESSAGE_TOKENS = 3
ROLE_TOKENS = 1
NAME_TOKENS = 1
PRIMER_TOKENS = 3

# tiktoken's time grows faster than an unbroken run of text does, and it panics on 1 MB of
# spaces. A multiple of 3 and of 128: runs of digits and of spaces are cut between tokens.
_PIECE_LENGTH = 6_144
# A cut through a run changed the sum by -2 to +3 in 30,000 random runs of 20 scripts.
_CUT_TOKENS = 3
# Where the pattern above always starts anew, so that a cut changes nothing: before a blank
# after ink, after a line break, before a mark after a letter or digit; else anywhere.
_MARKS = r",.;:!?\u0964\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f"
_PIECE = re.compile(
    rf"(?P<whole>.{{1,{_PIECE_LENGTH}}}"
    r"(?:\Z|(?<=\S)(?= )|(?<=[\r\n])(?=[^\s/])|"
    rf"(?<=[^\W_])(?=[{_MARKS}])))"
    rf"|.{{{_PIECE_LENGTH}}}",
    re.DOTALL,
)
# 16,000 characters took at most 4 ms here, whatever they were.
_BRIEF_LENGTH = 16_000

_loading = threading.Lock()


def count(text: str) -> int:
    """Count the reference tokens of `text`.

    Linear in time, and exact unless a run of more than 6,144 characters without a blank, line
    break or mark has to be cut: each such cut counts up to 6 tokens too many, and none too few
    in anything measured. A lone surrogate counts as U+FFFD. The first call loads the
    vocabulary.

    Raises:
        CauserieError: The vocabulary file is damaged.
    """
    return sum(tokens for _, tokens in _pieces(_sound(text))) if text else 0


async def counted(text: str) -> int:
    """Count like `count`, in a thread where it would hold the event loop up.

    Raises:
        CauserieError: The vocabulary file is damaged.
    """
    if len(text) > _BRIEF_LENGTH or not _load.cache_info().currsize:
        return await asyncio.to_thread(count, text)
    return count(text)


def message_tokens(message: Message) -> int:
    """Return what `message` adds to a prompt: as counted before, or else counted now."""
    return message.tokens or framing(message) + count(message.content)


def framing(message: Message) -> int:
    """Count what `message` adds to a prompt besides its content: role and name."""
    name = NAME_TOKENS + count(message.name) if message.name else 0
    return MESSAGE_TOKENS + ROLE_TOKENS + name


def prompt_tokens(prompt: Sequence[Message]) -> int:
    """Count a whole prompt, in reference tokens, as the provider will report it."""
    return PRIMER_TOKENS + sum(map(message_tokens, prompt))


def shorten(text: str, tokens: int) -> str:
    """Cut the middle out of `text` so that at most `tokens` reference tokens are left.

    What fits comes back as it is. Else the head and the tail stay, with a note between them
    that says how much is missing; where there is no room for the note, only the head stays.
    Cuts between characters, not necessarily between words.
    """
    text, tokens = _sound(text), max(0, tokens)
    pieces = list(_pieces(text))
    total = sum(size for _, size in pieces)
    if total <= tokens:
        return text
    room = tokens - count(_note(total))
    while room > 1:
        head = _fit(pieces, room - room // 2, at=0)
        tail = _fit(pieces, room // 2, at=-1)
        short = head + _note(total - count(head) - count(tail)) + tail
        excess = count(short) - tokens
        if excess <= 0:
            return short
        room -= excess
    return _fit(pieces, tokens, at=0)


class Calibration:
    """How many of its own tokens a model needs for a reference token, learned from its usage.

    Leans to the high side, so that a budget is kept: of the last twenty ratios the third
    highest counts, of fewer than ten the highest. So one odd report does no lasting harm.
    """

    # Measured on mixed text, 2026-11: vocabularies of 128,000 and more (Llama 3, Qwen 3,
    # Mistral's Tekken) need 0.8-1.35 times the reference in English, code, European languages,
    # Chinese and Japanese; small ones (SmolLM2, Mistral 7B) 1.0-1.3 in English and code,
    # 1.4-4.0 in other languages.
    EXACT = 1.0
    UNKNOWN = 1.35
    SMALL = 2.2

    # Below, the chat template's fixed text outweighs the content.
    _LEAST_TOKENS = 256
    _LOWEST, _HIGHEST = 0.7, 4.0
    _SEEDS, _REMEMBERED, _RANK = 2, 20, 0.9

    def __init__(self, factor: float = UNKNOWN) -> None:
        self._ratios = deque([factor] * self._SEEDS, maxlen=self._REMEMBERED)
        self._factor = factor

    @property
    def factor(self) -> float:
        """The model's tokens per reference token, between 0.7 and 4."""
        return self._factor

    def learn(self, usage: Usage) -> None:
        """Take a report of the model into account; estimates and small prompts tell nothing."""
        if usage.is_estimated or usage.predicted < self._LEAST_TOKENS or usage.input <= 0:
            return
        ratio = usage.input / usage.predicted
        self._ratios.append(min(max(ratio, self._LOWEST), self._HIGHEST))
        ranked = sorted(self._ratios)
        self._factor = ranked[math.ceil(self._RANK * len(ranked)) - 1]

    def fit(self, limit: int) -> int:
        """Return how many reference tokens probably fit into `limit` of the model's tokens."""
        return int(limit / self._factor)


def vocabulary() -> tiktoken.Encoding:
    """Return the reference vocabulary; loading it takes 0.4 s, once in a process.

    Raises:
        CauserieError: Its file is damaged.
    """
    with _loading:
        return _load()


@functools.cache
def _load() -> tiktoken.Encoding:
    return read_vocabulary(VOCABULARY)


def read_vocabulary(path: Path) -> tiktoken.Encoding:
    """Build the reference vocabulary from a gzipped file of tiktoken's format.

    Raises:
        CauserieError: It is not o200k_base, byte for byte.
    """
    try:
        ranks = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error):
        ranks = b""
    if hashlib.sha256(ranks).hexdigest() != _SHA256:
        raise CauserieError(f"{path.name} is damaged; please install Causerie anew.")
    lines = (line.split() for line in ranks.splitlines())
    by_token = {base64.b64decode(token): int(rank) for token, rank in lines}
    encoding = tiktoken.Encoding(
        "o200k_base", pat_str=_PATTERN, mergeable_ranks=by_token, special_tokens=_SPECIAL
    )
    # It works on a copy of its own; ours weighs 27 MB of 75.
    by_token.clear()
    return encoding


def _sound(text: str) -> str:
    """Replace lone surrogates, which no UTF-8 can carry."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _pieces(text: str) -> Iterator[tuple[str, int]]:
    """Cut a text into pieces of bounded length; count each, and what the cut may have hidden."""
    encode = vocabulary().encode_ordinary
    for match in _PIECE.finditer(text):
        cut = 0 if match["whole"] else _CUT_TOKENS
        yield match[0], len(encode(match[0])) + cut


def _note(tokens: int) -> str:
    return f"\n[… {tokens:,} tokens left out …]\n"


def _fit(pieces: Sequence[tuple[str, int]], tokens: int, *, at: int) -> str:
    """Return at most `tokens` tokens from the start (`at` 0) or the end (-1) of too many."""
    step = -1 if at else 1
    ordered = pieces[::step]
    sums = list(itertools.accumulate((size for _, size in ordered), initial=0))
    whole = bisect.bisect_right(sums, tokens) - 1
    kept = [piece for piece, _ in ordered[:whole]]
    kept.append(_part(ordered[whole][0], tokens - sums[whole], at=at))
    return "".join(kept[::step])


def _part(piece: str, tokens: int, *, at: int) -> str:
    ids = vocabulary().encode_ordinary(piece)
    while tokens > 0:
        some = ids[-tokens:] if at else ids[:tokens]
        # A token may hold a part of a character: what is not whole is dropped.
        part = vocabulary().decode_bytes(some).decode("utf-8", "ignore")
        if count(part) <= tokens:
            return part
        tokens -= 1
    return ""
