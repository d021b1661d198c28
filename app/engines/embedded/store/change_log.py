"""The change log: the last live change of each item, kept until every version has it.

A version has every change up to its position, `max(base_seq, served_seq)`: the change at which it was created
or stopped serving. The serving version has all of them.
"""

import sqlite3
from collections.abc import Sequence

from reelrank.app.engines.embedded.store.database import allocate_seq

IS_NEEDED = "exists (select 1 from versions where not serving)"
"""Nothing is logged while the serving version is the only one: later versions start after these changes."""
LOG_UPSERTS = f"""
insert into changes (id, seq, deleted, body, text, factors, session, neighbours)
select id, seq, 0, body, text, factors, session, neighbours from documents
where version = ? and seq = ? and not deleted and {IS_NEEDED}
on conflict (id) do update set seq = excluded.seq, deleted = 0, body = excluded.body,
    text = coalesce(excluded.text, text), factors = coalesce(excluded.factors, factors),
    session = coalesce(excluded.session, session), neighbours = coalesce(excluded.neighbours, neighbours)
"""
LOG_DELETE = f"""
insert into changes (id, seq, deleted) select ?, ?, 1 where {IS_NEEDED}
on conflict (id) do update set seq = excluded.seq, deleted = 1, body = null, text = null,
    factors = null, session = null, neighbours = null
"""
CARRY_OVER = """
insert into documents (version, id, seq, deleted, body, text, factors, session, neighbours)
select ?1, id, ?2, deleted, body, text, factors, session, neighbours from changes
where seq > (select max(base_seq, served_seq) from versions where name = ?1)
    and (not deleted or exists (select 1 from documents where version = ?1 and id = changes.id))
on conflict (version, id) do update set seq = excluded.seq, deleted = excluded.deleted,
    body = coalesce(excluded.body, body), text = coalesce(excluded.text, text)
"""
SERVE = """
update versions set served_seq = iif(serving or name = ?1, ?2, served_seq), serving = (name = ?1)
"""
PRUNE = """
delete from changes where not exists (
    select 1 from versions where not serving and max(base_seq, served_seq) < changes.seq)
"""


def log_upserts(connection: sqlite3.Connection, version: str, seq: int) -> None:
    """Logs the documents that change `seq` wrote to the serving version."""
    connection.execute(LOG_UPSERTS, (version, seq))


def log_deletes(connection: sqlite3.Connection, ids: Sequence[str], seq: int) -> None:
    """Logs every id, even those that the serving version lacks: another version may have them."""
    connection.executemany(LOG_DELETE, [(item_id, seq) for item_id in ids])


def carry_over_and_serve(connection: sqlite3.Connection, version: str) -> None:
    """Applies the changes that a version lacks and makes it serve. It keeps its learned fields.

    Does nothing if it serves already.
    """
    if connection.execute("select 1 from versions where name = ? and serving", (version,)).fetchone():
        return
    seq = allocate_seq(connection)
    connection.execute(CARRY_OVER, (version, seq))
    connection.execute(SERVE, (version, seq - 1))
    prune(connection)


def prune(connection: sqlite3.Connection) -> None:
    """Removes the changes that every version has."""
    connection.execute(PRUNE)
