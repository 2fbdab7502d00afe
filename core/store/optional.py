"""What only some databases need, and thus is not installed everywhere."""

from core.errors import SettingsError


def need_psycopg() -> None:
    """See that PostgreSQL can be spoken to.

    Raises:
        SettingsError: What it takes is not installed; says how to install it.
    """
    try:
        import greenlet  # noqa: F401, PLC0415 - an optional extra
        import psycopg  # noqa: F401, PLC0415 - likewise
    except ImportError as error:
        raise SettingsError(
            "DATABASE_URL: PostgreSQL needs the extra causerie[postgres]; install it with "
            "pip install 'causerie[postgres]'"
        ) from error
