"""The openai package, of which little is loaded and nothing is missing."""

import subprocess
import sys

import pytest


def run(program: str) -> str:
    """Run a program in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_most_types_are_not_loaded() -> None:
    """A client is opened without the types of answers and questions that we never make."""
    modules = run(
        "import sys; from core.provider import open_client\n"
        "open_client(key='k', base_url=None, proxy=None)\n"
        "print(*(name for name in sys.modules if name.startswith('openai.types')))"
    ).split()
    assert "openai.types.responses.response" not in modules
    assert len(modules) < 150


@pytest.mark.parametrize("package", ["openai.types", "openai.types.responses"])
def test_every_type_is_found(package: str) -> None:
    """Whoever asks for a name finds what it is without us, and no other."""
    names = (
        f"import {package} as package\n"
        "try: package.not_there\n"
        "except AttributeError as error: print(error)\n"
        "print(*sorted(name for name in vars(package) if name[:2] != '__'))"
    )
    assert run(f"from core import sdk; sdk.load()\n{names}") == run(names)


def test_a_type_is_imported_from_its_package() -> None:
    """So are modules below a package that has not been run."""
    assert run(
        "from core import sdk; sdk.load()\n"
        "from openai.types.responses import response_usage, Response\n"
        "from openai.types import audio\n"
        "print(response_usage.__name__, Response.__name__, audio.Transcription.__name__)"
    ).split() == ["openai.types.responses.response_usage", "Response", "Transcription"]


def test_a_package_that_broke_off_is_run_again() -> None:
    """What failed once, for want of memory say, is tried anew when it is next asked for."""
    assert run(
        "import sys; from core import sdk; sdk.load()\n"
        "import openai.types.responses as package\n"
        "sys.modules['openai.types.responses.response'] = None\n"
        "try: package.Response\n"
        "except ImportError: print('broken')\n"
        "del sys.modules['openai.types.responses.response']\n"
        "print(package.Response.__name__)"
    ).split() == ["broken", "Response"]
