"""Reading a form: types, lengths, and what the API says of a wrong one."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.servers.discord.errors import Problems

Check = Callable[[Any], None]


class WrongError(Exception):
    """A value is not what it should be."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def text(most: int | None = None, *, least: int = 0) -> Check:
    """Expect a string of so many characters."""

    def check(value: Any) -> None:
        if not isinstance(value, str):
            raise WrongError("STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.')
        if most is not None and not least <= len(value) <= most:
            if not least:
                raise WrongError("BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
            bounds = f"Must be between {least} and {most} in length."
            raise WrongError("BASE_TYPE_BAD_LENGTH", bounds)

    return check


def integer(value: Any) -> None:
    """Expect a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongError("NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')


def boolean(value: Any) -> None:
    """Expect true or false."""
    if not isinstance(value, bool):
        raise WrongError("BOOLEAN_TYPE_CONVERT", "Must be either true or false.")


def snowflake(value: Any) -> None:
    """Expect an id."""
    if isinstance(value, bool) or not str(value).isdecimal():
        raise WrongError("NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')


def array(most: int | None = None) -> Check:
    """Expect a list of at most so many items."""

    def check(value: Any) -> None:
        if not isinstance(value, list):
            raise WrongError("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType.")
        if most is not None and len(value) > most:
            raise WrongError("BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")

    return check


def mapping(value: Any) -> None:
    """Expect an object."""
    if not isinstance(value, dict):
        text_ = "Only dictionaries may be used in a DictType."
        raise WrongError("DICT_TYPE_CONVERT", text_)


def anything(_value: Any) -> None:
    """Expect nothing in particular."""


def form(
    body: Any,
    fields: Mapping[str, Check],
    *,
    required: tuple[str, ...] = (),
    path: str = "",
    problems: Problems | None = None,
) -> list[str]:
    """Check an object's fields; null stands for "not given".

    Args:
        body: What came.
        fields: What may come, each with its check.
        required: What must.
        path: Where the object stands in the whole form.
        problems: Where to note what is wrong; without it, it is raised.

    Returns:
        The fields that the API does not have.

    Raises:
        ApiError: 50035, if `problems` is not given.
    """
    found = problems or Problems()
    _check(body, fields, required, path, found)
    if problems is None:
        found.check()
    return [name for name in body if name not in fields] if isinstance(body, dict) else []


def _check(
    body: Any, fields: Mapping[str, Check], required: tuple[str, ...], path: str, found: Problems
) -> None:
    prefix = f"{path}." if path else ""
    try:
        mapping(body)
    except WrongError as wrong:
        found.add(path, wrong.code, wrong.message)
        return
    for name in required:
        if body.get(name) is None:
            found.add(prefix + name, "BASE_TYPE_REQUIRED", "This field is required")
    for name, value in body.items():
        if value is None or name not in fields:
            continue
        try:
            fields[name](value)
        except WrongError as wrong:
            found.add(prefix + name, wrong.code, wrong.message)


def number(value: str, name: str) -> int:
    """Return an id that stands in a path or query.

    Raises:
        ApiError: 50035: it is none.
    """
    if not value.isdecimal():
        problems = Problems()
        message = f'Value "{value}" is not snowflake.'
        problems.add(name, "NUMBER_TYPE_COERCE", message)
        problems.check()
    return int(value)
