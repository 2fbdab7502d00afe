"""The gateway: connections, sessions, and what can happen to them."""

import contextlib
import json
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from tests.servers.discord import intents as intent
from tests.servers.discord.errors import Json
from tests.servers.discord.sessions import Connection, Session
from tests.servers.discord.starts import Starts

if TYPE_CHECKING:
    from tests.servers.discord.guilds import Guild
    from tests.servers.discord.server import DiscordServer

# Gateway opcodes, 2026-11.
HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME, RECONNECT, MEMBERS = 1, 2, 3, 4, 6, 7, 8
INVALID_SESSION, HELLO, ACK = 9, 10, 11
# Gateway close event codes, 2026-11.
UNKNOWN_ERROR, UNKNOWN_OPCODE, DECODE_ERROR, NOT_AUTHENTICATED = 4000, 4001, 4002, 4003
AUTHENTICATION_FAILED, ALREADY_AUTHENTICATED, INVALID_SEQ, RATE_LIMITED = 4004, 4005, 4007, 4008
INVALID_SHARD, SHARDING_REQUIRED, INVALID_VERSION = 4010, 4011, 4012
INVALID_INTENTS, DISALLOWED_INTENTS = 4013, 4014
# Gateway, "Sending events": a payload is at most 4096 bytes.
_MOST_BYTES = 4096
# A client that has not beaten for so many intervals is taken for dead.
_PATIENCE = 1.5


class Gateway:
    """Answers connections to the gateway on behalf of a DiscordServer.

    Attributes:
        heartbeat_seconds: The interval told to those who connect from now on.
        connections: Those that are open.
        sessions: Those that live, by id, whether they have a connection or not.
        identifies: How many sessions were begun.
        starts: How many may still be.
        resumes: How many were resumed.
        beats: How many heartbeats came.
    """

    def __init__(self, owner: "DiscordServer") -> None:
        self.heartbeat_seconds = 41.25
        self.connections: list[Connection] = []
        self.sessions: dict[str, Session] = {}
        self.identifies = 0
        self.resumes = 0
        self.beats = 0
        self.starts = Starts(owner)
        self._owner = owner
        self._ops = {
            HEARTBEAT: self._beat,
            IDENTIFY: self._identify,
            RESUME: self._resume,
            MEMBERS: self._members,
            PRESENCE: self._ignore,
            VOICE: self._ignore,
        }

    # What a test does to it.

    @property
    def session(self) -> Session | None:
        """The newest session that has a connection."""
        living = [session for session in self.sessions.values() if session.connection]
        return living[-1] if living else None

    async def ready(self, n: int = 1, *, seconds: float = 30.0) -> Session:
        """Wait until the bot has begun its n-th session and is connected to it."""

        def find() -> Session | None:
            return self.session if self.identifies >= n else None

        found = await self._owner.until(find, seconds=seconds)
        assert found
        return found

    @property
    def shards(self) -> list[tuple[int, int]]:
        """The shards that have a connection, in order, one for each session."""
        return sorted(session.shard for session in self.sessions.values() if session.connection)

    def of(self, shard: int | None) -> list[Connection]:
        """Return the connections of a shard; None for all."""
        return [
            connection
            for connection in self.connections
            if shard is None or (connection.session and connection.session.shard[0] == shard)
        ]

    def drop(self, shard: int | None = None) -> None:
        """Cut the connections of a shard, or all; the sessions can be resumed."""
        for connection in self.of(shard):
            connection.cut()

    def close(self, code: int = UNKNOWN_ERROR, *, shard: int | None = None) -> None:
        """Close the connections of a shard, or all; the sessions can be resumed."""
        for connection in self.of(shard):
            connection.close(code)

    def reconnect(self) -> None:
        """Ask for a reconnect (op 7)."""
        for connection in self.connections:
            connection.send(RECONNECT)

    def invalidate(self, shard: int | None = None, *, is_resumable: bool = False) -> None:
        """Declare sessions invalid (op 9); unless resumable, what comes now is lost."""
        for connection in self.of(shard):
            connection.send(INVALID_SESSION, is_resumable)
        if not is_resumable:
            self.expire(shard)

    def freeze(self) -> None:
        """Make zombies of the connections: they get no event and no acknowledgement."""
        for connection in self.connections:
            connection.is_frozen = True

    def expire(self, shard: int | None = None) -> None:
        """Forget the sessions of a shard, or all: they cannot be resumed, what comes is lost."""
        for session in [*self.sessions.values()]:
            if shard is None or session.shard[0] == shard:
                if session.connection:
                    session.connection.session = None
                del self.sessions[session.id]

    def ask_for_heartbeat(self) -> None:
        """Ask for a heartbeat at once (op 1)."""
        for connection in self.connections:
            connection.send(HEARTBEAT)

    def push(self, event: str, data: Any) -> None:
        """Dispatch any event to every session, whatever its intents."""
        for session in self.sessions.values():
            session.dispatch(event, data)

    def push_text(self, text: str) -> None:
        """Send any text as a payload, outside of every sequence."""
        for connection in self.connections:
            connection.send_text(text)

    # What the world tells it.

    def dispatch(
        self, event: str, data: Json, *, guild_id: int | None, is_about_bot: bool
    ) -> None:
        """Send an event to the sessions that are to have it."""
        bot_id = self._owner.bot.id
        for session in self.sessions.values():
            session.offer(event, data, bot_id=bot_id, guild_id=guild_id, is_about_bot=is_about_bot)

    def show_guild(self, guild: "Guild") -> None:
        """Send a guild's GUILD_CREATE."""
        for session in self.sessions.values():
            self._show_guild(session, guild)

    def _show_guild(self, session: Session, guild: "Guild") -> None:
        has_members = bool(session.intents & intent.GUILD_MEMBERS)
        found = guild.event(has_members=has_members)
        bot_id = self._owner.bot.id
        session.offer("GUILD_CREATE", found, bot_id=bot_id, guild_id=guild.id, is_about_bot=False)

    # What comes from clients.

    async def connect(self, request: web.BaseRequest) -> web.StreamResponse:
        """Talk to one client until it or we close."""
        socket = web.WebSocketResponse(timeout=1.0, max_msg_size=0, compress=False)
        await socket.prepare(request)
        compress = request.query.get("compress")
        connection = Connection(socket, is_compressed=compress == "zlib-stream")
        connection.attach(request.transport)
        self.connections.append(connection)
        try:
            if self._is_spoken(request, connection):
                connection.send(HELLO, {"heartbeat_interval": int(self.heartbeat_seconds * 1000)})
            with contextlib.suppress(ConnectionError):
                await self._listen(socket, connection)
        finally:
            self.connections.remove(connection)
            self._leave(connection, socket.close_code)
            self._owner.bell.ring()
            await connection.end()
        return socket

    def _is_spoken(self, request: web.BaseRequest, connection: Connection) -> bool:
        query = request.query
        if query.get("v") != "10":
            connection.close(INVALID_VERSION)
            return False
        if query.get("encoding", "json") != "json" or query.get("compress") not in {
            None,
            "zlib-stream",
        }:
            self._owner.remark(f"this gateway does not speak {dict(query)}")
            connection.close(DECODE_ERROR)
            return False
        return True

    async def _listen(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        connection.watch(self.heartbeat_seconds * _PATIENCE, UNKNOWN_ERROR)
        async for message in socket:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                break
            if not connection.is_closing:
                self._receive(connection, message.data)

    def _receive(self, connection: Connection, text: str | bytes) -> None:
        if connection.is_flooded():
            connection.close(RATE_LIMITED)
            return
        try:
            payload = json.loads(text)
            op, data = payload["op"], payload.get("d")
        except (ValueError, KeyError, TypeError):
            connection.close(DECODE_ERROR)
            return
        if len(text) > _MOST_BYTES:
            connection.close(DECODE_ERROR)
        elif op not in self._ops:
            connection.close(UNKNOWN_OPCODE)
        elif op in {PRESENCE, VOICE, MEMBERS} and connection.session is None:
            connection.close(NOT_AUTHENTICATED)
        else:
            self._ops[op](connection, data)
        self._owner.bell.ring()

    def _leave(self, connection: Connection, code: int | None) -> None:
        """Part a session from its connection; a client that closes with 1000 or 1001 ends it."""
        session = connection.session
        if session is None or session.connection is not connection:
            return
        session.connection = None
        session.left_at = self._owner.clock.now()
        if code in {1000, 1001} and not connection.is_closing:
            self.sessions.pop(session.id, None)

    def _ignore(self, _connection: Connection, _data: Any) -> None:
        """Do nothing: nobody here sees presences or hears voices."""

    def _beat(self, connection: Connection, _data: Any) -> None:
        self.beats += 1
        connection.beat()
        connection.send(ACK)

    def _identify(self, connection: Connection, data: Any) -> None:
        code = self._refusal(connection, data)
        if code:
            connection.close(code)
            return
        number, count = data.get("shard", (0, 1))
        if self.starts.is_too_soon(number):
            self._owner.remark("IDENTIFY came too soon after the one before")
            connection.send(INVALID_SESSION, data=False)
            return
        self.identifies += 1
        if not self.starts.count():
            self._owner.reset_token()
            self.close(AUTHENTICATION_FAILED)
            return
        session = Session(
            f"{self._owner.clock.snowflake():032x}",
            intents=data["intents"],
            shard=(number, count),
        )
        self.sessions[session.id] = session
        self._join(session, connection)
        self._welcome(session)

    def _refusal(self, connection: Connection, data: Any) -> int:
        """Return the close code for a wrong IDENTIFY, or 0."""
        if connection.session:
            return ALREADY_AUTHENTICATED
        if not isinstance(data, dict) or not isinstance(data.get("properties"), dict):
            return DECODE_ERROR
        if data.get("token") != self._owner.token:
            return AUTHENTICATION_FAILED
        intents = data.get("intents")
        if not isinstance(intents, int) or intents < 0 or intents & ~intent.KNOWN:
            return INVALID_INTENTS
        if intents & intent.PRIVILEGED & ~self._owner.privileged:
            return DISALLOWED_INTENTS
        return self._shard_refusal(*data.get("shard", (0, 1)))

    def _shard_refusal(self, number: int, count: int) -> int:
        limits = self._owner.limits
        if not 0 <= number < count or count % limits.shard_multiple:
            return INVALID_SHARD
        has_room = len(self._guilds(number, count)) <= limits.guilds_per_shard
        return 0 if has_room else SHARDING_REQUIRED

    def _guilds(self, number: int, count: int) -> "list[Guild]":
        """Return the bot's guilds that belong to a shard."""
        return [
            guild
            for guild in self._owner.guilds.values()
            if guild.has_bot and (guild.id >> 22) % count == number
        ]

    def _join(self, session: Session, connection: Connection) -> None:
        connection.session, session.connection, session.left_at = session, connection, None

    def _welcome(self, session: Session) -> None:
        owner = self._owner
        guilds = self._guilds(*session.shard)
        ready = {
            "v": 10,
            "user": owner.bot.json() | {"verified": True, "mfa_enabled": False, "flags": 0},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": owner.gateway_url,
            "shard": [*session.shard],
            "application": {"id": str(owner.application_id), "flags": owner.application_flags},
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "user_settings": {},
            "_trace": ["loopback"],
        }
        session.dispatch("READY", ready)
        for guild in guilds:
            if guild.is_available:
                self._show_guild(session, guild)

    def _resume(self, connection: Connection, data: Any) -> None:
        if connection.session:
            connection.close(ALREADY_AUTHENTICATED)
            return
        if not isinstance(data, dict) or data.get("token") != self._owner.token:
            connection.close(AUTHENTICATION_FAILED)
            return
        session = self._find(data.get("session_id"))
        if session is None:
            connection.send(INVALID_SESSION, data=False)
            return
        seq = data.get("seq")
        if not isinstance(seq, int) or not session.knows(seq):
            self.sessions.pop(session.id)
            connection.close(INVALID_SEQ)
            return
        if session.connection:
            session.connection.close(UNKNOWN_ERROR)
        self.resumes += 1
        self._join(session, connection)
        session.replay(seq)
        session.dispatch("RESUMED", {"_trace": ["loopback"]})

    def _find(self, session_id: Any) -> Session | None:
        session = self.sessions.get(session_id) if isinstance(session_id, str) else None
        if session is None or session.left_at is None:
            return session
        if self._owner.clock.now() > session.left_at + self._owner.limits.resume_seconds:
            del self.sessions[session.id]
            return None
        return session

    def _members(self, connection: Connection, data: Any) -> None:
        """Answer a request for members with all of them in one chunk."""
        session = connection.session
        guild = self._owner.guilds.get(int(data["guild_id"]))
        if session is None or guild is None or not guild.has_bot:
            return
        wanted = {str(n) for n in data.get("user_ids") or ()}
        found = [
            member.json()
            for member in guild.members.values()
            if not wanted or str(member.user.id) in wanted
        ]
        chunk = {
            "guild_id": str(guild.id),
            "members": found,
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [],
            "nonce": data.get("nonce"),
        }
        session.dispatch("GUILD_MEMBERS_CHUNK", chunk)
