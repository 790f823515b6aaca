-- From when on raw logs are kept; older days are gone, and their rollups are final.
CREATE TABLE retention (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    kept_from timestamptz NOT NULL
);
INSERT INTO retention (kept_from) VALUES ('-infinity');

-- Drops the partitions of all UTC days before first_day, and returns how many of logs. Nothing is deleted
-- row by row. The locks, taken in the writers' order, wait for writers in work: a log must not lose its old
-- row between the claim of a correction and its writing, or it would be counted twice.
CREATE FUNCTION drop_days_before(first_day date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    horizon timestamptz := first_day::timestamp AT TIME ZONE 'UTC';
    day     date;
    name    text;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('llm_observe.partitions'));
    LOCK TABLE log_keys, logs IN ACCESS EXCLUSIVE MODE;
    UPDATE retention SET kept_from = horizon WHERE kept_from < horizon;
    -- The default partition goes as a whole: what it holds of kept days moves out first.
    FOR day IN SELECT DISTINCT (start_time AT TIME ZONE 'UTC')::date FROM logs_default WHERE start_time >= horizon
    LOOP
        PERFORM make_day_partitions(day);
    END LOOP;
    IF EXISTS (SELECT FROM logs_default) THEN
        ALTER TABLE logs DETACH PARTITION logs_default;
        DROP TABLE logs_default;
        CREATE TABLE logs_default PARTITION OF logs DEFAULT;
        dropped := 1;
    END IF;
    FOR name IN
        SELECT relid::regclass::text
        FROM (SELECT relid FROM pg_partition_tree('logs') UNION ALL SELECT relid FROM pg_partition_tree('log_keys')) AS p
        WHERE relid::regclass::text ~ '^(logs|log_keys)_\d{8}$'
          AND to_date(right(relid::regclass::text, 8), 'YYYYMMDD') < first_day
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE %I', name);
        dropped := dropped + (name LIKE 'logs\_%')::integer;
    END LOOP;
    RETURN dropped;
END
$$;

-- Keys whose ids carry no time share the default partition; those of dropped days leave it in small steps.
CREATE INDEX log_keys_default_by_time ON log_keys_default (receive_time);
