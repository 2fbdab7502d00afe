"""A loopback Discord: REST, gateway and CDN on one side, people on the other.

The bot under test talks to it with the real SDK; a test plays the people::

    async with DiscordServer() as server:
        discord.http.Route.BASE = f"{server.url}/api/v10"
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(server.gateway_url)
        ann = server.user("Ann")
        channel = server.guild("School", ann).channel("general")
        channel.say(ann, f"Hello {server.bot.mention}")
        answer = await channel.answer()

discord.py's Client never asks `/gateway/bot`: it opens `DEFAULT_GATEWAY`, at the start and after
INVALID_SESSION(false), and READY's `resume_gateway_url` for every resumption. Before such a
second IDENTIFY it waits 5 s, in `Client.before_identify_hook`.

What the documentation (discord.com/developers/docs, API v10, 2026-11) forbids is refused, with
the codes and texts discord.com uses where they are known. What the real server lets pass or
mends in silence although a careful bot does not do it is kept in `server.remarks`.
"""

from tests.servers.discord.channels import Channel
from tests.servers.discord.gate import Call
from tests.servers.discord.guilds import Guild
from tests.servers.discord.interactions import Interaction
from tests.servers.discord.limits import Limits, Rate
from tests.servers.discord.messages import Message
from tests.servers.discord.people import Member, Role, User
from tests.servers.discord.places import File, Shown
from tests.servers.discord.server import DiscordServer
from tests.servers.faults import Fault

__all__ = [
    "Call",
    "Channel",
    "DiscordServer",
    "Fault",
    "File",
    "Guild",
    "Interaction",
    "Limits",
    "Member",
    "Message",
    "Rate",
    "Role",
    "Shown",
    "User",
]
