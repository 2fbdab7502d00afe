"""What the metrics say, read as a scraper reads them."""

import math

from prometheus_client.parser import text_string_to_metric_families

from core import metrics


class Numbers:
    """A scrape."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        self.samples = [sample for family in families for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        """Return the sum of all series of a name with these labels, and maybe others."""
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == f"causerie_{name}" and labels.items() <= sample.labels.items()
        )

    def is_known(self, name: str) -> bool:
        """Say whether there is a number."""
        return not math.isnan(self(name))


class Change:
    """How the metrics of this process have changed since."""

    def __init__(self) -> None:
        self._before = now()

    def __call__(self, name: str, **labels: str) -> float:
        """Return by how much a sum has grown."""
        return now()(name, **labels) - self._before(name, **labels)


def now() -> Numbers:
    """Scrape this process."""
    return Numbers(metrics.exposed().decode())
