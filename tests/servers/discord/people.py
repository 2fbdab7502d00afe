"""People, and what they are in a guild."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.servers.discord.clock import stamp
from tests.servers.discord.errors import Json

if TYPE_CHECKING:
    from tests.servers.discord.guilds import Guild


@dataclass(slots=True, kw_only=True, eq=False)
class User:
    """A person, or a bot.

    Attributes:
        name: What others see, if no guild has a nickname.
        has_blocked: Refuses direct messages of the bot.
        has_installed: The app is installed to this account and goes wherever it goes.
    """

    id: int
    name: str
    username: str
    locale: str = "en-US"
    is_bot: bool = False
    has_blocked: bool = False
    has_installed: bool = False

    def json(self) -> Json:
        """Return the API's User."""
        found: Json = {
            "id": str(self.id),
            "username": self.username,
            "discriminator": "0",
            "global_name": None if self.is_bot else self.name,
            "avatar": None,
            "avatar_decoration_data": None,
            "collectibles": None,
            "primary_guild": None,
            "public_flags": 0,
        }
        if self.is_bot:
            found["bot"] = True
        return found

    @property
    def mention(self) -> str:
        """How to mention it in a text."""
        return f"<@{self.id}>"


@dataclass(slots=True, kw_only=True, eq=False)
class Role:
    """A role of a guild; `is_managed`: it belongs to the bot."""

    id: int
    name: str
    permissions: int
    position: int = 1
    is_managed: bool = False
    is_mentionable: bool = False
    bot_id: int | None = None

    def json(self) -> Json:
        """Return the API's Role."""
        found: Json = {
            "id": str(self.id),
            "name": self.name,
            "description": None,
            "permissions": str(self.permissions),
            "position": self.position,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "managed": self.is_managed,
            "mentionable": self.is_mentionable,
            "icon": None,
            "unicode_emoji": None,
            "flags": 0,
        }
        if self.bot_id:
            found["tags"] = {"bot_id": str(self.bot_id)}
        return found

    @property
    def mention(self) -> str:
        """How to mention it in a text."""
        return f"<@&{self.id}>"


@dataclass(slots=True, kw_only=True, eq=False)
class Member:
    """Somebody in a guild; `nick` is empty for none."""

    guild: "Guild"
    user: User
    joined_at: float
    nick: str = ""
    roles: list[Role] = field(default_factory=list)

    def json(self, *, has_user: bool = True) -> Json:
        """Return the API's guild member; without `user` where the place already names it."""
        found: Json = {
            "roles": [str(role.id) for role in self.roles],
            "nick": self.nick or None,
            "avatar": None,
            "banner": None,
            "joined_at": stamp(self.joined_at),
            "premium_since": None,
            "communication_disabled_until": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
        }
        if has_user:
            found["user"] = self.user.json()
        return found
