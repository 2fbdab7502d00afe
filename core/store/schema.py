"""The tables, as numbered migrations; the same text serves every database but for `{serial}`.

Times are milliseconds since 1970, running sums and lengths are tokens, booleans are 0 or 1.
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # ready_at is work queue and visibility timeout in one: null when nothing waits, the
        # lease's end while is_leased. epoch rises whenever a lease begins or ends.
        """
        CREATE TABLE chat (
            id {serial},
            platform TEXT NOT NULL,
            ref TEXT NOT NULL,
            is_private SMALLINT NOT NULL,
            title TEXT NOT NULL,
            ready_at BIGINT,
            is_leased SMALLINT NOT NULL DEFAULT 0,
            epoch BIGINT NOT NULL DEFAULT 0,
            model TEXT NOT NULL DEFAULT '',
            persona TEXT NOT NULL DEFAULT '',
            total BIGINT NOT NULL DEFAULT 0,
            start BIGINT NOT NULL DEFAULT 0,
            summary TEXT NOT NULL DEFAULT '',
            UNIQUE (platform, ref)
        )
        """,
        "CREATE INDEX chat_ready ON chat (platform, ready_at) WHERE ready_at IS NOT NULL",
        # body is the Incoming as JSON: enough to answer it. turn is the id of the turn's first
        # message once it is done.
        """
        CREATE TABLE inbox (
            id {serial},
            platform TEXT NOT NULL,
            event TEXT NOT NULL,
            chat_id BIGINT NOT NULL REFERENCES chat (id),
            person TEXT NOT NULL,
            kind TEXT NOT NULL,
            body TEXT NOT NULL,
            transcript TEXT,
            ready_at BIGINT NOT NULL,
            attempts SMALLINT NOT NULL DEFAULT 0,
            failures SMALLINT NOT NULL DEFAULT 0,
            turn BIGINT,
            done_at BIGINT,
            UNIQUE (platform, event)
        )
        """,
        "CREATE INDEX inbox_open ON inbox (chat_id, id) WHERE done_at IS NULL",
        "CREATE INDEX inbox_turn ON inbox (chat_id, turn) WHERE turn IS NOT NULL",
        """
        CREATE TABLE message (
            id {serial},
            chat_id BIGINT NOT NULL REFERENCES chat (id),
            turn BIGINT NOT NULL,
            role TEXT NOT NULL,
            name TEXT NOT NULL,
            content TEXT NOT NULL,
            tokens BIGINT NOT NULL,
            total BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            UNIQUE (chat_id, total)
        )
        """,
        "CREATE INDEX message_turn ON message (chat_id, turn)",
        """
        CREATE TABLE outbox (
            id {serial},
            chat_id BIGINT NOT NULL REFERENCES chat (id),
            turn BIGINT UNIQUE,
            reply_to TEXT,
            text TEXT NOT NULL,
            failures SMALLINT NOT NULL DEFAULT 0,
            created_at BIGINT NOT NULL,
            sent_at BIGINT
        )
        """,
        "CREATE INDEX outbox_open ON outbox (chat_id, id) WHERE sent_at IS NULL",
        """
        CREATE TABLE receipt (
            turn BIGINT NOT NULL,
            part BIGINT NOT NULL,
            ref TEXT NOT NULL,
            PRIMARY KEY (turn, part)
        )
        """,
        """
        CREATE TABLE usage (
            id {serial},
            chat_id BIGINT NOT NULL REFERENCES chat (id),
            turn BIGINT,
            person TEXT NOT NULL,
            purpose TEXT NOT NULL,
            model TEXT NOT NULL,
            input BIGINT NOT NULL,
            cached BIGINT NOT NULL,
            output BIGINT NOT NULL,
            milliseconds BIGINT NOT NULL,
            is_estimated SMALLINT NOT NULL,
            created_at BIGINT NOT NULL
        )
        """,
        """
        CREATE TABLE dead (
            inbox_id BIGINT PRIMARY KEY,
            chat_id BIGINT NOT NULL REFERENCES chat (id),
            body TEXT NOT NULL,
            reason TEXT NOT NULL,
            died_at BIGINT NOT NULL
        )
        """,
        # status: asked (has a pairing code), approved or denied. asked_in is the turn that made
        # the code: only it tells the owners, however often it is tried.
        """
        CREATE TABLE person (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            private_chat BIGINT REFERENCES chat (id),
            status TEXT NOT NULL DEFAULT '',
            code TEXT UNIQUE,
            asked_at BIGINT,
            asked_in BIGINT
        )
        """,
        "CREATE INDEX person_asked ON person (asked_at) WHERE asked_at IS NOT NULL",
        # The learned ratio of a model's own prompt tokens to reference tokens.
        """
        CREATE TABLE calibration (
            model TEXT PRIMARY KEY,
            millionths BIGINT NOT NULL
        )
        """,
    ),
    (
        # The sent_at of a chat's newest message; the platform's id of a message.
        "ALTER TABLE chat ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE inbox ADD COLUMN message TEXT NOT NULL DEFAULT ''",
        # Who may talk in a place because somebody who runs it said so.
        """
        CREATE TABLE admitted (
            place TEXT NOT NULL,
            id TEXT NOT NULL,
            name TEXT NOT NULL,
            PRIMARY KEY (place, id)
        )
        """,
    ),
    (
        # In micro-dollars; null: the price was unknown.
        "ALTER TABLE usage ADD COLUMN cost BIGINT",
        # The same by day, which is what is read: days since 1970 where the owner lives.
        """
        CREATE TABLE usage_day (
            day BIGINT NOT NULL,
            person TEXT NOT NULL,
            chat_id BIGINT NOT NULL REFERENCES chat (id),
            model TEXT NOT NULL,
            purpose TEXT NOT NULL,
            calls BIGINT NOT NULL,
            input BIGINT NOT NULL,
            cached BIGINT NOT NULL,
            output BIGINT NOT NULL,
            milliseconds BIGINT NOT NULL,
            cost BIGINT NOT NULL,
            unpriced BIGINT NOT NULL,
            PRIMARY KEY (day, person, chat_id, model, purpose)
        )
        """,
        # What was spent before there were prices, by the days of UTC.
        """
        INSERT INTO usage_day
        SELECT created_at / 86400000, person, chat_id, model, purpose, COUNT(*), SUM(input),
            SUM(cached), SUM(output), SUM(milliseconds), 0, COUNT(*)
        FROM usage GROUP BY 1, 2, 3, 4, 5
        """,
        "CREATE INDEX usage_day_chat ON usage_day (chat_id, day)",
        "CREATE INDEX usage_day_person ON usage_day (person, day)",
        # What is spent and held in a period (2026-11-21, or 2026-11), micro-dollars and tokens.
        # warned: the units of which somebody was told that they are nearly used up.
        """
        CREATE TABLE budget (
            scope TEXT NOT NULL,
            subject TEXT NOT NULL,
            period TEXT NOT NULL,
            spent_usd BIGINT NOT NULL DEFAULT 0,
            spent_tokens BIGINT NOT NULL DEFAULT 0,
            held_usd BIGINT NOT NULL DEFAULT 0,
            held_tokens BIGINT NOT NULL DEFAULT 0,
            granted_usd BIGINT NOT NULL DEFAULT 0,
            granted_tokens BIGINT NOT NULL DEFAULT 0,
            warned TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (scope, subject, period)
        )
        """,
        # Limits that owners set in a chat, in place of those of the settings; null for none.
        """
        CREATE TABLE cap (
            scope TEXT NOT NULL,
            subject TEXT NOT NULL,
            span TEXT NOT NULL,
            unit TEXT NOT NULL,
            amount BIGINT,
            PRIMARY KEY (scope, subject, span, unit)
        )
        """,
        # name: the work it is for. budgets: where it is held, as JSON. What has expired counts
        # no longer, but is settled all the same.
        """
        CREATE TABLE hold (
            name TEXT PRIMARY KEY,
            usd BIGINT NOT NULL,
            tokens BIGINT NOT NULL,
            budgets TEXT NOT NULL,
            expires_at BIGINT NOT NULL
        )
        """,
        "CREATE INDEX hold_expires ON hold (expires_at)",
    ),
    (
        # What follows a text on its way out; sent with it and then deleted. In receipt, the files
        # of a reply are parts -1, -2 and so on, and a notice is the turn of its negative id.
        """
        CREATE TABLE outbox_file (
            outbox_id BIGINT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
            part SMALLINT NOT NULL,
            name TEXT NOT NULL,
            mime TEXT NOT NULL,
            data BYTEA NOT NULL,
            PRIMARY KEY (outbox_id, part)
        )
        """,
    ),
    (
        # is_off_record: nothing is kept of what is said there now. erased rises whenever part of
        # its history is deleted. summarised_at: when the summary was written.
        "ALTER TABLE chat ADD COLUMN is_off_record SMALLINT NOT NULL DEFAULT 0",
        "ALTER TABLE chat ADD COLUMN erased BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE chat ADD COLUMN summarised_at BIGINT NOT NULL DEFAULT 0",
        "UPDATE chat SET summarised_at = seen_at",
        "CREATE INDEX chat_summarised ON chat (summarised_at) WHERE summary <> ''",
        # When, and in which chat, they asked what would be deleted of theirs.
        "ALTER TABLE person ADD COLUMN forget_at BIGINT",
        "ALTER TABLE person ADD COLUMN forget_in BIGINT",
        "CREATE INDEX inbox_person ON inbox (person)",
        "CREATE INDEX inbox_worded ON inbox (done_at) WHERE done_at IS NOT NULL AND body <> ''",
        "CREATE INDEX usage_chat ON usage (chat_id, person)",
        "CREATE INDEX usage_named ON usage (created_at) WHERE person <> 'anonymous'",
        "CREATE INDEX usage_day_named ON usage_day (day) WHERE person <> 'anonymous'",
        # wiped: something was deleted for good since the file was written anew; rewritten: when
        # that was; wiping: PostgreSQL cleans after some of it now.
        """
        CREATE TABLE chore (
            name TEXT PRIMARY KEY,
            at BIGINT NOT NULL
        )
        """,
        "INSERT INTO chore (name, at) VALUES ('wiped', 0)",
    ),
    (
        # Which process of many does what only one may, and for how long.
        """
        CREATE TABLE lead (
            name TEXT PRIMARY KEY,
            who TEXT NOT NULL,
            until BIGINT NOT NULL
        )
        """,
    ),
    (
        # The sums of usage_day by month: months since January 1970, as its days are.
        """
        CREATE TABLE usage_month (
            month BIGINT NOT NULL,
            person TEXT NOT NULL,
            chat_id BIGINT NOT NULL REFERENCES chat (id),
            model TEXT NOT NULL,
            purpose TEXT NOT NULL,
            calls BIGINT NOT NULL,
            input BIGINT NOT NULL,
            cached BIGINT NOT NULL,
            output BIGINT NOT NULL,
            milliseconds BIGINT NOT NULL,
            cost BIGINT NOT NULL,
            unpriced BIGINT NOT NULL,
            PRIMARY KEY (month, person, chat_id, model, purpose)
        )
        """,
        # d and y: days and years since March 1968, so that a year ends with its leap day, if it
        # has one; right until 2100.
        """
        INSERT INTO usage_month
        SELECT 12 * y + (5 * (d - 1461 * y / 4) + 2) / 153 - 22, person, chat_id, model, purpose,
            SUM(calls), SUM(input), SUM(cached), SUM(output), SUM(milliseconds), SUM(cost),
            SUM(unpriced)
        FROM (
            SELECT usage_day.*, day + 671 AS d, (4 * (day + 671) + 3) / 1461 AS y FROM usage_day
        ) AS dated GROUP BY 1, 2, 3, 4, 5
        """,
        "CREATE INDEX usage_month_chat ON usage_month (chat_id, month)",
        "CREATE INDEX usage_month_person ON usage_month (person, month)",
    ),
    (
        # When the minute began in which somebody asks, how many of their turns were let pass in
        # it, the last of these, and the turn that told them to wait (0: none).
        "ALTER TABLE person ADD COLUMN minute_at BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE person ADD COLUMN minute_turns BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE person ADD COLUMN minute_last BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE person ADD COLUMN minute_told BIGINT NOT NULL DEFAULT 0",
        # Read with every turn, however many messages wait.
        "CREATE INDEX inbox_stop ON inbox (chat_id, id) WHERE kind = 'stop' AND done_at IS NULL",
    ),
)
