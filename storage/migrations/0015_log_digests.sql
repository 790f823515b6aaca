-- Numbers of logs by user, session, release and tag, for whole hours, days and weeks (docs/decisions/0038-log-digests.md).
-- A row is right for as long as it is here: whoever changes logs deletes the rows that hold them, in the same transaction.
CREATE TABLE log_digests (
    project_id   text NOT NULL,
    dimension    text NOT NULL CHECK (dimension IN ('user', 'session', 'release', 'tag')),
    start_time   timestamptz NOT NULL,
    -- How long the stretch of time is: 60, 1440 or 10080.
    tier_minutes smallint NOT NULL,
    group_count  bigint NOT NULL,
    -- The groups with their requests, most first, and their numbers in the same order (analytics/log_digests.py). NULL
    -- where there are more groups than a digest holds: then the logs are read.
    groups       bytea,
    details      bytea,
    PRIMARY KEY (project_id, dimension, start_time, tier_minutes)
);
-- Parts of the numbers are read, which must not be compressed for that.
ALTER TABLE log_digests ALTER COLUMN groups SET STORAGE EXTERNAL, ALTER COLUMN details SET STORAGE EXTERNAL;
