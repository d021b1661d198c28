-- An embedded store of event schema version 3, with one event: `.dump` of its SQLite file.
BEGIN TRANSACTION;
CREATE TABLE changes (
    id text primary key, seq integer not null, deleted integer not null, body blob, text blob,
    factors blob, session blob, neighbours blob
);
CREATE TABLE counter (value integer not null);
INSERT INTO "counter" VALUES(0);
CREATE TABLE documents (
    row integer primary key, version text not null, id text not null, seq integer not null,
    deleted integer not null, body blob, text blob, factors blob, session blob, neighbours blob,
    unique (version, id)
);
CREATE TABLE events (
    seq integer primary key autoincrement, id text not null unique, kind text not null, user text not null,
    at_ms integer not null, item text not null, watched_ms integer, duration_ms integer,
    request_id text not null, position integer, text text not null, device text not null,
    country text not null, degraded text not null default '', propensity real, came_from integer,
    simulated integer not null
);
INSERT INTO "events" VALUES(1,'old','watch','ada',5,'alien',60,NULL,'',NULL,'','','','bm25',NULL,NULL,1);
CREATE TABLE versions (
    name text primary key, created_at text not null, base_seq integer not null, serving integer not null,
    served_seq integer not null default 0
);
CREATE INDEX documents_by_change on documents (version, seq, deleted);
CREATE INDEX changes_by_seq on changes (seq);
CREATE INDEX events_by_user_and_kind on events (user, kind, at_ms);
CREATE INDEX events_by_watched_item on events (user, kind, item) where kind = 'watch';
CREATE INDEX events_by_time on events (at_ms, id);
COMMIT;
pragma user_version = 8;
