-- Numbers of logs by user, session, release and tag, for whole quarters of an hour, hours, days and weeks
-- (docs/decisions/0038-log-digests.md).
CREATE TABLE log_digests (
    project_id      text NOT NULL,
    start_time      timestamptz NOT NULL,
    -- How long the stretch of time is: 15, 60, 1440 or 10080.
    tier_minutes    smallint NOT NULL,
    -- Whose the row is while the digest is made; NULL once it can be read.
    making          uuid,
    -- For each dimension how many groups there are, the groups with their requests, most first, and their numbers in the
    -- same order (analytics/log_digests.py). NULL where there are more groups than a digest holds: then logs are read.
    user_count      bigint,
    user_groups     bytea,
    user_details    bytea,
    session_count   bigint,
    session_groups  bytea,
    session_details bytea,
    release_count   bigint,
    release_groups  bytea,
    release_details bytea,
    tag_count       bigint,
    tag_groups      bytea,
    tag_details     bytea,
    PRIMARY KEY (project_id, start_time, tier_minutes)
);
-- Parts of the numbers are read, which must not be compressed for that.
ALTER TABLE log_digests
    ALTER COLUMN user_groups SET STORAGE EXTERNAL, ALTER COLUMN user_details SET STORAGE EXTERNAL,
    ALTER COLUMN session_groups SET STORAGE EXTERNAL, ALTER COLUMN session_details SET STORAGE EXTERNAL,
    ALTER COLUMN release_groups SET STORAGE EXTERNAL, ALTER COLUMN release_details SET STORAGE EXTERNAL,
    ALTER COLUMN tag_groups SET STORAGE EXTERNAL, ALTER COLUMN tag_details SET STORAGE EXTERNAL;

-- Whoever changes logs adds deltas to the rollups, and whoever takes deltas out takes the digests of their minutes: until
-- then no reader uses these. A trigger, so that workers of the release before do it, too, and because its statement sees
-- all digests that were begun before a delta was committed.
CREATE FUNCTION forget_log_digests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM log_digests AS d
    USING (
        SELECT DISTINCT project_id, tier, date_bin(make_interval(mins => tier), minute, '1970-01-01 00:00+00') AS start_time
        FROM (SELECT DISTINCT project_id, minute FROM taken) AS touched CROSS JOIN unnest('{15,60,1440,10080}'::integer[]) AS tier
    ) AS changed
    WHERE d.project_id = changed.project_id AND d.start_time = changed.start_time AND d.tier_minutes = changed.tier;
    RETURN NULL;
END
$$;
CREATE TRIGGER forget_log_digests AFTER DELETE ON rollup_deltas REFERENCING OLD TABLE AS taken
    FOR EACH STATEMENT EXECUTE FUNCTION forget_log_digests();
