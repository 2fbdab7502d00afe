"""Thoughts that a server leaves in what a model says."""

# By the tag that opens them, what closes them: DeepSeek R1, Qwen 3 and most others; Gemini;
# Magistral; Seed-OSS. 2026-11.
_TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "[THINK]": "[/THINK]",
    "<seed:think>": "</seed:think>",
}


class Thoughts:
    """Leaves out what a model thinks before it answers, where that begins its words.

    Most servers part thoughts from the answer. Those that do not leave them at its beginning,
    between tags.
    """

    def __init__(self) -> None:
        self._held = ""
        self._end = ""
        self._is_past = False

    def leave_out(self, text: str) -> str:
        """Return what of a further piece belongs to the answer, as far as that can be told."""
        if self._is_past:
            return text
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
        self._is_past = True
        return answer.lstrip()

    def rest(self) -> str:
        """Return what was held back and is no thought after all."""
        if self._is_past or self._end:
            return ""
        self._is_past = True
        return self._held
