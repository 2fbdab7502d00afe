"""The image, built once."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.image import ROOT, Builder, Image

_MEMORY = Path("/dev/shm")  # noqa: S108 - 600 MB that need no disk


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """What the Dockerfile describes."""
    folder = tempfile.mkdtemp(prefix="causerie-image-", dir=_MEMORY if _MEMORY.is_dir() else None)
    yield Builder(Path(folder), REVISION="of-a-test").build((ROOT / "Dockerfile").read_text())
    shutil.rmtree(folder)
