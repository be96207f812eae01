CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    hash       BLOB NOT NULL UNIQUE,
    scope      TEXT NOT NULL,
    created    INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires    INTEGER,
    last_used  INTEGER
) STRICT;
CREATE TABLE tags (
    device TEXT NOT NULL REFERENCES devices (endpoint_id) ON DELETE CASCADE,
    tag    TEXT NOT NULL,
    PRIMARY KEY (device, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_name ON tags (tag, device);
CREATE TABLE audit (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    actor     TEXT NOT NULL,
    remote    TEXT,
    action    TEXT NOT NULL,
    target    TEXT NOT NULL,
    what      TEXT NOT NULL,
    operation INTEGER,
    status    INTEGER
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor, id);
CREATE INDEX audit_by_target ON audit (target, id);
