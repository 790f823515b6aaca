-- Numbers of logs by user, session, release and tag, for whole hours, days and weeks (docs/decisions/0038-log-digests.md).
-- A row is right for as long as it is here: with the generation of an hour go the digests that hold its logs.
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

-- Runs for those rows alone that are marked, in the transaction that changes logs of a sealed hour. A trigger, because its
-- statements see what was committed before the hour was locked, which the statement that waited for the lock does not.
-- Locks come in one order, so that writers of one day wait for each other and do not deadlock.
CREATE FUNCTION forget_log_digests() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    starts timestamptz[] := ARRAY[
        old.hour,
        date_bin('1 day', old.hour, '1970-01-01 00:00+00'),
        date_bin('7 days', old.hour, '1970-01-01 00:00+00')];
    tiers smallint[] := '{60,1440,10080}';
BEGIN
    PERFORM FROM log_digests AS d
    WHERE d.project_id = old.project_id AND d.dimension = ANY ('{user,session,release,tag}')
      AND d.start_time = ANY (starts) AND d.start_time = starts[array_position(tiers, d.tier_minutes)]
    ORDER BY d.tier_minutes DESC, d.dimension
    FOR UPDATE;
    DELETE FROM log_digests AS d
    WHERE d.project_id = old.project_id AND d.dimension = ANY ('{user,session,release,tag}')
      AND d.start_time = ANY (starts) AND d.start_time = starts[array_position(tiers, d.tier_minutes)];
    RETURN NULL;
END
$$;
CREATE TRIGGER forget_log_digests AFTER UPDATE OF generation OR DELETE ON lake_hours
    FOR EACH ROW EXECUTE FUNCTION forget_log_digests();
