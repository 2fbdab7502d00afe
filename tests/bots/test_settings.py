"""What of the settings is secret, and thus neither logged nor shown."""

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from bots import logs
from bots.settings import BotSettings
from core import settings


def chosen(**fields: object) -> BotSettings:
    """Return settings, without those of this machine."""
    return settings.load(BotSettings, _env_file=None, **fields)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:long-password@h/x", "postgresql://u:***@h/x"),
        ("postgresql://u:p%40w@h/x", "postgresql://u***h/x"),
        ("postgresql://h/x?user=u&password=long-password", "postgresql://h/x?user=u&password=***"),
        (
            "postgresql://h/x?user=u&p%61ssword=long-password",
            "postgresql://h/x?user=u&p%61ssword=***",
        ),
        ("postgresql://h/x?password=pw&user=u", "postgresql://h/x?***&user=u"),
        ("postgresql://u:a?b#long-password@h/x", "postgresql://u:***@h/x"),
        ("postgresql://h/x?sslpassword=long+password", "postgresql://h/x?sslpassword=***"),
        ("postgresql://u@h/x", "postgresql://u@h/x"),
    ],
)
def test_a_password_in_a_url_is_masked(url: str, shown: str) -> None:
    """Wherever it stands in it, whatever its length."""
    assert logs.masked(url, chosen(database_url=url).secrets) == shown


@pytest.mark.parametrize("spelling", ["long password", "long%20password"])
def test_a_password_is_masked_as_others_spell_it(spelling: str) -> None:
    """A program that logs it may have read it, or written it anew."""
    found = chosen(database_url="postgresql://u:long%20password@h/x").secrets
    assert logs.masked(f"wrong: {spelling}!", found) == "wrong: ***!"


def test_a_proxy_may_have_an_at_in_its_password() -> None:
    """There the last one counts."""
    found = chosen(http_proxy_telegram="http://u:first@second-part@h:1/").secrets
    assert logs.masked("u:first@second-part", found) == "u:***"


@pytest.mark.parametrize(
    "name", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"]
)
@pytest.mark.parametrize(
    "header", ["api-key s3cret-of-traces", "a b=s3cret;of-traces", "s3cret-of-traces"]
)
def test_a_mistyped_header_of_traces_is_masked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, header: str
) -> None:
    """OpenTelemetry logs it whole."""
    monkeypatch.setenv(name, f"a=b, {header} ,c=d")
    OTLPSpanExporter(endpoint="http://127.0.0.1:9")
    assert "s3cret" in caplog.text
    assert "s3cret" not in logs.masked(caplog.text, chosen().secrets)


def test_the_value_of_a_header_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was set, and as it is sent."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret,a=1")
    for said in ("Bearer s3cret", "Bearer%20s3cret", "authorization=Bearer%20s3cret"):
        assert logs.masked(f"{said} a=1", chosen().secrets) == "*** a=1"


def test_short_words_are_no_secrets() -> None:
    """A password of a few letters is masked in its URL only, not within other words."""
    found = chosen(database_url="postgresql://u:pass@h/x", openai_api_key="none").secrets
    assert logs.masked("none has passed", found) == "none has passed"
