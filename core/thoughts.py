"""Thoughts that a server leaves in what a model says."""

import re

# By the tag that opens them, what closes them: DeepSeek R1, Qwen 3 and most others; Gemini;
# Magistral; Seed-OSS. 2026-11.
_TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "[THINK]": "[/THINK]",
    "<seed:think>": "</seed:think>",
}


# Where a chat template opens the thoughts, as those of Qwen 3 Thinking and DeepSeek R1 do, only
# their end is said, on a line of its own; 2026-11. An answer about thoughts shows both tags.
_UNOPENED = re.compile(r"<think|\n</think>")


class Thoughts:
    """Leaves out what a model thinks before it answers.

    Most servers part thoughts from the answer. Those that do not leave them at its beginning,
    between tags, or before a closing one: then they pass for an answer until that comes.

    Attributes:
        were_all: What was returned before the last piece were thoughts, too.
    """

    def __init__(self) -> None:
        self.were_all = False
        self._held = ""
        self._end = ""
        self._has_begun = False  # the answer, as far as that can be told
        self._last = "\n"
        self._is_sure = False

    def leave_out(self, text: str) -> str:
        """Return what of a further piece belongs to the answer, as far as that can be told."""
        self.were_all = False
        if not self._has_begun:
            text = self._behind_tags(text)
        return text if self._is_sure or not text else self._behind_end(text)

    def rest(self) -> str:
        """Return what was held back and is no thought after all."""
        if self._has_begun or self._end:
            return ""
        self._has_begun = True
        return self._held

    def _behind_tags(self, text: str) -> str:
        self._held += text
        if not self._end:
            start = self._held.lstrip()
            self._end = next((_TAGS[tag] for tag in _TAGS if start.startswith(tag)), "")
            if not self._end:
                return "" if any(tag.startswith(start) for tag in _TAGS) else self.rest()
        _, found, answer = self._held.partition(self._end)
        if not found:
            self._held = self._held[-len(self._end) :]
            return ""
        self._has_begun = self._is_sure = True
        return answer.lstrip()

    def _behind_end(self, text: str) -> str:
        said = self._last + text
        self._last = said[-len("\n</think") :]
        tag = _UNOPENED.search(said)
        if not tag:
            return text
        self._is_sure = True
        if tag[0] == "<think":
            return text
        self.were_all = True
        return said[tag.end() :].lstrip()
