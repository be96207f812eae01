//! The way back: what takes each schema version to the one before it.
//!
//! What a version added is lost on the way; the copy that is kept before has it. A step here never touches what an
//! older version wrote.

/// The steps downwards: the first from version 1 to the empty file, the second from 2 to 1, and so on.
pub(super) const DOWN: &[&str] = &[
    "
    DROP TABLE settings;
    DROP TABLE devices;
",
    "
    DROP TABLE events;
",
    "
    DROP TABLE operations;
",
    "
    DROP TABLE contacts;
",
    "
    DROP INDEX devices_pending;
    ALTER TABLE devices DROP COLUMN subscriptions;
    ALTER TABLE devices DROP COLUMN state;
    DROP TABLE subscriptions;
    DROP TABLE models;
",
    "
    DROP TABLE tokens;
    DROP TABLE tags;
    DROP TABLE audit;
",
    "
    DROP INDEX devices_text;
",
    "
    DROP INDEX operations_ended_of_device;
    DROP INDEX operations_ended;
    ALTER TABLE operations DROP COLUMN is_read;
    CREATE INDEX operations_ended ON operations (ended, number, bytes) WHERE ended IS NOT NULL;
",
    "
    ALTER TABLE devices DROP COLUMN proven;
",
];
