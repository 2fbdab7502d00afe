"""The links by which people let the bot in."""

import discord

# What it needs in a server: to be asked, to answer, and to keep an answer's thread apart.
PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    read_message_history=True,
    attach_files=True,
    embed_links=True,
)
_SERVER_SCOPES = ("bot", "applications.commands")
_PERSON_SCOPES = ("applications.commands",)
# "Application integration types", discord.com/developers/docs/resources/application, 2026-11: for
# a server, or for a person, with whom it then goes everywhere.
_SERVER, _PERSON = 0, 1


def server_link(application: int | str) -> str:
    """Return the link that adds the bot to a server, for those who may manage one."""
    url = discord.utils.oauth_url(application, permissions=PERMISSIONS, scopes=_SERVER_SCOPES)
    return f"{url}&integration_type={_SERVER}"


def person_link(application: int | str) -> str:
    """Return the link by which somebody takes the bot's commands along, to wherever they are."""
    url = discord.utils.oauth_url(application, scopes=_PERSON_SCOPES)
    return f"{url}&integration_type={_PERSON}"
