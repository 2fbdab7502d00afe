"""How much models take: tokens of a prompt and a reply, as the table, the owner and they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core import models, tokens
from core.types import Usage

# A prompt is resent with every turn, so the default is far below what large models take.
DEFAULT_CONTEXT = 16_384
DEFAULT_REPLY = 4_096
SUMMARY_SHARE = 8  # a summary takes at most one eighth of the prompt
# A prompt that was too long is followed by one of this size; later ones may grow again, since a
# window does not shrink, and a server's error may have been one.
SHRINK, GROW = 0.7, 1.01
LEAST_PROMPT = 96  # holds a cut persona, a name and a few words of the message
LEAST_REPLY = 256  # a few sentences, where money is short
NOTEWORTHY = 0.01  # a smaller change of a model's factor is not worth a write


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Tokens for one call, counted as the reference vocabulary does.

    Attributes:
        prompt: For everything the model reads.
        reply: For what it writes, in its own tokens.
    """

    prompt: int
    reply: int

    @property
    def summary(self) -> int:
        """For the summary within the prompt."""
        return self.prompt // SUMMARY_SHARE


class Windows:
    """Knows what may be used of models' windows.

    Args:
        context_tokens: Most tokens of a prompt, as the owner sets it; None for the default.
        reply_tokens: Most tokens of a reply, likewise.
        factors: What was learned earlier about models' own tokens.
    """

    def __init__(
        self,
        *,
        context_tokens: int | None = None,
        reply_tokens: int | None = None,
        factors: Mapping[str, float] | None = None,
    ) -> None:
        self._context_tokens = context_tokens
        self._reply_tokens = reply_tokens
        self._shares: dict[str, float] = {}  # of the prompt, where a model took less
        self._replies: dict[str, float] = {}
        self._learned = {name: tokens.Calibration(f) for name, f in (factors or {}).items()}

    def budget(self, names: Sequence[str], *, share: float = 1.0) -> Budget:
        """Return what a call may use so that no model of a list can be asked too much."""
        budgets = [self._budget(name) for name in names]
        prompt = min(budget.prompt for budget in budgets)
        reply = min(budget.reply for budget in budgets)
        return Budget(
            prompt=max(int(prompt * share), min(prompt, LEAST_PROMPT)),
            reply=max(int(reply * share), min(reply, LEAST_REPLY)),
        )

    def _budget(self, name: str) -> Budget:
        model = models.describe(name)
        context = model.context
        if self._context_tokens and not model.is_known:
            context = self._context_tokens + (self._reply_tokens or 0)
        reply = min(self._reply_tokens or DEFAULT_REPLY, model.output, context // 4)
        prompt = min(context - reply, self._context_tokens or DEFAULT_CONTEXT)
        fitting = self._calibration(name).fit(prompt)
        return Budget(
            prompt=int(fitting * self._shares.get(name, 1.0)),
            reply=int(reply * self._replies.get(name, 1.0)),
        )

    def factor(self, names: Sequence[str]) -> float:
        """Return how many tokens any of some models needs for a reference token, at most."""
        return max(self._calibration(name).factor for name in names)

    def tighten(self, names: Sequence[str], *, predicted: int) -> bool:
        """Use less of the models' budget for now: one of them found a prompt too long.

        Args:
            names: The models.
            predicted: The prompt's size, in reference tokens; the next one is smaller.

        Returns:
            False when there is nothing left to give up.
        """
        budget = self.budget(names)
        prompt = min(budget.prompt, predicted) * SHRINK
        if prompt >= LEAST_PROMPT:
            share = prompt / budget.prompt
            self._shares |= {name: self._shares.get(name, 1.0) * share for name in names}
        reply = budget.reply * SHRINK
        if reply >= LEAST_REPLY:  # servers count both against the window
            self._replies |= {name: self._replies.get(name, 1.0) * SHRINK for name in names}
        return prompt >= LEAST_PROMPT or reply >= LEAST_REPLY

    def loosen(self, names: Sequence[str]) -> None:
        """Use all of the models' budget again: no prompt was short enough for them."""
        for name in names:
            self._shares.pop(name, None)
            self._replies.pop(name, None)

    def _calibration(self, name: str) -> tokens.Calibration:
        if name not in self._learned:
            is_exact = models.describe(name).is_exact
            self._learned[name] = tokens.Calibration(
                tokens.Calibration.EXACT if is_exact else tokens.Calibration.UNKNOWN
            )
        return self._learned[name]

    def learn(self, calls: Sequence[Usage]) -> dict[str, float]:
        """Compare what was predicted with what models reported; return factors that changed.

        Every call that was answered also lets prompts and replies grow again that were too long.
        """
        changed = {}
        for call in calls:
            for shares in (self._shares, self._replies):
                shares.update({name: min(1.0, share * GROW) for name, share in shares.items()})
            calibration = self._calibration(call.model)
            before = calibration.factor
            calibration.learn(call)
            if abs(calibration.factor - before) > NOTEWORTHY:
                changed[call.model] = calibration.factor
        return changed
