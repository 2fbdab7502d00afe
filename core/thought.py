"""What a model thinks before it speaks, where its server leaves that in the text."""

_OPENING, _CLOSING = "<think>", "</think>"


class Thought:
    """Takes the thought off the beginning of a text that comes in pieces.

    DeepSeek, Qwen and others put it into tags; vLLM and older servers hand that on unless they
    are told otherwise (2026-11).
    """

    def __init__(self) -> None:
        self._held = ""
        self._is_over = False

    def strip(self, text: str) -> str:
        """Return what a piece adds to what is said."""
        if self._is_over:
            return text
        self._held += text
        words = self._held.lstrip()
        if _OPENING.startswith(words):
            return ""
        if not words.startswith(_OPENING):
            return self.end()
        _, closing, words = words.partition(_CLOSING)
        if closing:
            self._is_over = True
            return words.lstrip()
        # Of a long thought, only what may be the beginning of its end.
        self._held = _OPENING + self._held[-len(_CLOSING) :]
        return ""

    def end(self) -> str:
        """Return what was held back as it might have begun a thought, and is none."""
        held, self._held, self._is_over = self._held, "", True
        return "" if held.lstrip().startswith(_OPENING) else held
