"""Count a prompt as OpenAI bills it, and find the prefix that an earlier prompt had too."""

import base64
import functools
import gzip
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

import tiktoken

from tests.servers.openai.records import text_of

# 3 tokens open a message, its role is one, 3 open the reply
# (OpenAI cookbook, how_to_count_tokens_with_tiktoken, 2026-11).
PER_MESSAGE = 3
PRIMER = 3
# Prefixes of 1,024 tokens and more are cached in steps of 128 (prompt caching guide, 2026-11).
CACHED_FROM = 1_024
CACHED_STEP = 128
# Split pattern of o200k_base, as tiktoken_ext/openai_public.py has it (tiktoken 0.12).
_FRAME = -1


class Counter:
    """Counts prompts and remembers their prefixes.

    Args:
        is_exact: Count with o200k_base; else estimate four bytes a token, which costs
            nothing and caches nothing, for benchmarks.
    """

    def __init__(self, *, is_exact: bool) -> None:
        self._is_exact = is_exact
        self._seen: set[int] = set()

    def prompt(self, messages: Iterable[dict[str, Any]]) -> tuple[int, int]:
        """Return the tokens of a prompt and how many of them were cached; remember it."""
        tokens: list[int] = []
        estimate = PRIMER
        for message in messages:
            text = text_of(message.get("content"))
            if not self._is_exact:
                estimate += PER_MESSAGE + 1 + self.text(text)
                continue
            tokens += [_FRAME] * PER_MESSAGE
            tokens += _o200k().encode_ordinary(message["role"])
            if name := message.get("name"):
                tokens += [_FRAME, *_o200k().encode_ordinary(name)]
            tokens += _o200k().encode_ordinary(text)
        if not self._is_exact:
            return estimate, 0
        tokens += [_FRAME] * PRIMER
        return len(tokens), self._cached(tokens)

    def text(self, text: str) -> int:
        """Return the tokens of a text."""
        if self._is_exact:
            return len(_o200k().encode_ordinary(text))
        return (len(text.encode()) + 3) // 4

    def cut(self, text: str, limit: int) -> str:
        """Return as much of the beginning of a text as fits into `limit` tokens."""
        if not self._is_exact:
            return text[: limit * 4]
        tokens = _o200k().encode_ordinary(text)
        if len(tokens) <= limit:
            return text
        return _o200k().decode(tokens[:limit], errors="ignore")

    def _cached(self, tokens: Sequence[int]) -> int:
        cached = chain = 0
        is_known = True
        for end in range(CACHED_STEP, len(tokens) + 1, CACHED_STEP):
            chain = hash((chain, *tokens[end - CACHED_STEP : end]))
            is_known = is_known and chain in self._seen
            if is_known:
                cached = end
            self._seen.add(chain)
        return cached if cached >= CACHED_FROM else 0


@functools.cache
def _o200k() -> tiktoken.Encoding:
    packed = resources.files("core").joinpath("data", "o200k_base.tiktoken.gz").read_bytes()
    ranks = {
        base64.b64decode(token): int(rank)
        for token, rank in (line.split() for line in gzip.decompress(packed).splitlines() if line)
    }
    letters = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
    smalls = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
    ending = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    pattern = "|".join(
        (
            rf"[^\r\n\p{{L}}\p{{N}}]?[{letters}]*[{smalls}]+{ending}",
            rf"[^\r\n\p{{L}}\p{{N}}]?[{letters}]+[{smalls}]*{ending}",
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        )
    )
    return tiktoken.Encoding("o200k", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
