"""Settings: one line per problem, naming the variable, never its value."""

import os
from pathlib import Path

import pytest

from core.env_file import misnamed
from core.errors import SettingsError
from core.settings import CHAT_MODELS, SPEECH_MODELS, Settings, load


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start in an empty folder, with none of the settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)


def test_defaults() -> None:
    """With nothing set, the embedded models serve."""
    found = load(Settings)
    assert (found.chat_model, found.speech_model) == (CHAT_MODELS, SPEECH_MODELS)
    assert found.database == Path("causerie.db")
    assert found.access == "pairing"
    assert not found.has_model_server
    assert not found.has_speech_server


def test_env_file_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment comes before `.env`; empty values count as not set; others are ignored."""
    Path(".env").write_text(
        "CHAT_MODEL = a, b ,\nACCESS=open\nCONTEXT_TOKENS=\nUNRELATED=1\n"
        "OPENAI_BASE_URL=http://127.0.0.1:1/v1/\nOWNERS=desk:1,desk:-2\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("ACCESS", "closed")
    found = load(Settings, log_level="DEBUG")
    assert found.chat_model == ("a", "b")
    assert found.access == "closed"
    assert found.context_tokens is None
    assert found.openai_base_url == "http://127.0.0.1:1/v1"
    assert found.owners == ("desk:1", "desk:-2")
    assert found.log_level == "DEBUG"
    assert found.has_model_server
    assert found.has_speech_server


def test_spelling_is_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case does not matter where it says nothing, nor white space or quotes around a value."""
    monkeypatch.setenv("OPENAI_API_KEY", " sk-1\n")
    monkeypatch.setenv("SPEECH_API_KEY", " ' sk-2' ")
    monkeypatch.setenv("SPEECH_LANGUAGE", '"DE"')
    monkeypatch.setenv("SYSTEM_PROMPT", '"Hi" and "ho"')
    monkeypatch.setenv("OPENAI_BASE_URL", " http://127.0.0.1:1/v1 ")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///a.db ")
    monkeypatch.setenv("OWNERS", "Desk:1 ")
    monkeypatch.setenv("ACCESS", " Open ")
    monkeypatch.setenv("LOG_LEVEL", "debug\r")
    monkeypatch.setenv("LOG_FORMAT", "JSON ")
    found = load(Settings)
    assert found.openai_api_key
    assert found.openai_api_key.get_secret_value() == "sk-1"
    assert found.speech_api_key
    assert found.speech_api_key.get_secret_value() == "sk-2"
    assert (found.speech_language, found.system_prompt) == ("de", '"Hi" and "ho"')
    assert found.openai_base_url == "http://127.0.0.1:1/v1"
    assert (found.database, found.owners) == (Path("a.db"), ("desk:1",))
    assert (found.access, found.log_level, found.log_format) == ("open", "DEBUG", "json")


@pytest.mark.parametrize(
    ("name", "value"), [("speech_api_key", "k"), ("speech_base_url", "http://127.0.0.1:2")]
)
def test_speech_may_be_elsewhere(name: str, value: str) -> None:
    """A speech server of its own is used, even beside the embedded chat model."""
    found = load(Settings, **{name: value})
    assert found.has_speech_server
    assert not found.has_model_server


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("CHAT_MODEL", " , ", "should name at least one model"),
        ("SPEECH_MODEL", ",", "should name at least one model"),
        ("CONTEXT_TOKENS", "many-s3cret", "should be a whole number, such as"),
        ("CONTEXT_TOKENS", "100", "should be greater than or equal to 512"),
        ("REPLY_TOKENS", "1", "should be greater than or equal to 16"),
        ("OPENAI_BASE_URL", "s3cret.example", "should start with http:// or https://"),
        ("HTTP_PROXY_OPENAI", "user:s3cret@host", "should start with http:// or https://"),
        ("OPENAI_BASE_URL", "http://[::1", "should name a server"),
        ("OPENAI_BASE_URL", "http://[s3cret@y", "should name a server"),
        ("OPENAI_BASE_URL", "http://", "should name a server"),
        ("OPENAI_BASE_URL", "https:///v1", "should name a server"),
        ("OPENAI_BASE_URL", "http://a s3cret/", "should name a server"),
        ("OPENAI_BASE_URL", "http://a\x1bs3cret/", "should name a server"),
        ("OPENAI_BASE_URL", "http://h:s3cret/", "should name a server"),
        ("OPENAI_BASE_URL", "http://h:0/", "should name a server"),
        ("HTTP_PROXY_OPENAI", "http://u:s3cret/x@h:99999", "should name a server"),
        ("RETENTION_DAYS", "1000000", "should be less than or equal to 36500"),
        ("DATABASE_URL", "sqlite:///:memory:", "should name a file"),
        ("DATABASE_URL", "mysql://u:s3cret@h/d", "should look like sqlite:///causerie.db"),
        ("DATABASE_URL", "sqlite:///", "should look like sqlite:///causerie.db"),
        ("DATABASE_URL", "postgresql://u:s3 cret@h/x", "should look like postgresql://user:"),
        ("DATABASE_URL", "postgresql://u:s3cret@[h/x", "should look like postgresql://user:"),
        ("DATABASE_URL", "postgresql://u:s3cret@b@h/x", "should look like postgresql://user:"),
        ("DATABASE_URL", "postgresql://u:s3cret/b@h/x", "should look like postgresql://user:"),
        ("DATABASE_URL", "postgresql://u:12/s3cret@h/x", "should look like postgresql://user:"),
        ("DATABASE_URL", "postgres://h/x?password=s3cret%zz", "should look like postgresql://"),
        ("DATABASE_URL", "postgres://h/x?passwort=s3cret", "should look like postgresql://"),
        ("DATABASE_URL", "postgres://u:s3cret\udc80@h/x", "should look like postgresql://"),
        ("OPENAI_API_KEY", "s3cret-k\u00e4se", "should be a key as its provider shows it"),
        ("OPENAI_API_KEY", "  ", "should be a key as its provider shows it"),
        ("OPENAI_API_KEY", 's3"cret', "should be a key as its provider shows it"),
        ("SPEECH_API_KEY", "two s3cret", "should be a key as its provider shows it"),
        ("OPENAI_API_KEY", "http://s3cret:1/v1", "should be a key, not the address of a server"),
        ("FOOTER", "s3cret", "should be true or false"),
        ("ACCESS", "s3cret", "should be 'pairing', 'open' or 'closed'"),
        ("OWNERS", "desk:1,123456:s3cret", "each should look like platform:123456789"),
        ("ALLOWED", "desk:1/3", "each should look like platform:123456789"),
        ("SPEECH_LANGUAGE", "English", "should be a code of two letters, such as de"),
        ("LOG_LEVEL", "loud", "should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("LOG_FORMAT", "xml", "should be 'text' or 'json'"),
    ],
)
def test_a_wrong_value_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    """The line names the variable and what would be right; the value may be a secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    line = str(caught.value)
    assert line.startswith(f"{name}: {problem}")
    assert "\n" not in line
    assert "s3cret" not in line
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_model_table_is_checked() -> None:
    """A wrong row is named by its setting and its model; a good file is kept for later."""
    path = Path("table.json")
    path.write_text('{"chat": {"mine": {"context": "s3cret"}}}', encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(Settings, model_table=path)
    line = str(caught.value)
    wrong = 'MODEL_TABLE: chat model "mine": context: input should be a valid integer'
    assert line.startswith(wrong)
    assert "s3cret" not in line
    path.write_text('{"chat": {"mine": {"context": 8192}}}', encoding="utf-8")
    assert load(Settings, model_table=str(path)).model_table == path


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, None),
        ({"openai_base_url": "http://a"}, "http://a"),
        ({"openai_base_url": "http://a", "speech_base_url": "http://b"}, "http://b"),
        ({"openai_base_url": "http://a", "speech_api_key": "k"}, None),
    ],
)
def test_where_speech_goes(settings: dict[str, str], url: str | None) -> None:
    """To the chat model's server, unless it has a server or at least a key of its own."""
    assert load(Settings, **settings).speech_url == url


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "s3cret"),
        ({"speech_base_url": "http://b"}, None),
        ({"speech_base_url": "http://b", "speech_api_key": "own"}, "own"),
        ({"speech_base_url": "https://api.openai.com/v1"}, "s3cret"),
        ({"openai_base_url": "http://a:1/v1", "speech_base_url": "http://a:2/v1"}, "s3cret"),
        ({"openai_base_url": "http://a/v1", "speech_api_key": "own"}, "own"),
    ],
)
def test_a_key_goes_to_its_own_server(settings: dict[str, str], key: str | None) -> None:
    """A speech server elsewhere is not handed the chat model's key."""
    found = load(Settings, openai_api_key="s3cret", **settings).speech_key
    assert (found.get_secret_value() if found else None) == key


def test_every_problem_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """All problems are told at once."""
    monkeypatch.setenv("ACCESS", "x")
    monkeypatch.setenv("OWNERS", "x")
    monkeypatch.setenv("REPLY_TOKENS", "x")
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    names = {line.partition(":")[0] for line in str(caught.value).splitlines()}
    assert names == {"ACCESS", "OWNERS", "REPLY_TOKENS"}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgres:///x?host=/run/postgresql",
        "postgresql://u:p%40w?#w@a:1,b,[::1]:3/x?sslmode=require&user=a@b",
    ],
)
def test_a_server_in_many_ways(url: str) -> None:
    """A PostgreSQL database is named as its own programs take it."""
    assert load(Settings, database_url=url).database == url


def test_secrets_are_not_printed() -> None:
    """A printed Settings shows no key."""
    assert "s3cret" not in repr(load(Settings, openai_api_key="s3cret", speech_api_key="s3cret"))


def test_an_env_file_that_cannot_be_read_is_told() -> None:
    """A file that is no text gets a line like any wrong setting."""
    Path(".env").write_bytes(b"OPENAI_API_KEY=\xff\xfe")
    with pytest.raises(SettingsError, match=r"^\.env: should be a readable file in UTF-8$"):
        load(Settings)


@pytest.mark.parametrize("line", ['OPENAI_API_KEY="s3cret', "OPENAI_API_KEY='s3cret' x"])
def test_a_line_that_cannot_be_read_is_told(line: str) -> None:
    """By its number: left out in silence, it would have the wrong thing run."""
    Path(".env").write_text(f"# Keys\n\n{line}\nACCESS=open\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"^\.env: line [123] should look like NAME=") as told:
        load(Settings)
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("first", ["\ufeff", "export "])
def test_an_env_file_of_other_programs(first: str) -> None:
    """Editors begin it with a mark, shells with a word, and lines end in several ways."""
    text = f"{first}ACCESS=open # for now\r\nLOG_LEVEL = 'debug'\r\n"
    Path(".env").write_bytes(text.encode())
    found = load(Settings)
    assert (found.access, found.log_level) == ("open", "DEBUG")


def test_a_name_that_is_almost_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told with the one that was meant, unless that has a value, or it is somebody else's."""
    Path(".env").write_text("CHATMODEL=a\nOWNER=desk:1\nCOMPOSE_FILE=b\n", encoding="utf-8")
    monkeypatch.setenv("LOGLEVEL", "debug")
    found = load(Settings, owners="desk:2")
    assert list(misnamed(type(found).model_fields, found.model_fields_set)) == [
        ("CHATMODEL", "CHAT_MODEL"),
        ("LOGLEVEL", "LOG_LEVEL"),
    ]


def test_an_env_file_that_is_a_folder_is_told() -> None:
    """A container's engine makes one where a file is to be mounted that is not there."""
    Path(".env").mkdir()
    with pytest.raises(SettingsError, match=r"^\.env: should be a readable file in UTF-8$"):
        load(Settings)
    assert load(Settings, _env_file=None).access == "pairing"


@pytest.mark.parametrize("url", ["http://[::1]:80/v1", "https://u:p@h.example", "http://bot-api"])
def test_a_server_of_the_owners(url: str) -> None:
    """Is named by a name or a number, with or without a port."""
    assert load(Settings, openai_base_url=url).openai_base_url == url
