-- Spans that came by OTLP: what stands around calls in a trace. They are in no rollup, and have a retention of their own.
-- A span that is sent again is the same row: it has no version, and starts when it started.
CREATE TABLE spans (
    project_id     text NOT NULL,
    trace_id       text NOT NULL,
    span_id        text NOT NULL,
    parent_span_id text NOT NULL,
    name           text NOT NULL,
    operation      text NOT NULL,
    start_time     timestamptz NOT NULL,
    end_time       timestamptz NOT NULL,
    status         smallint NOT NULL,
    status_message text NOT NULL,
    scope          text NOT NULL,
    service_name   text NOT NULL,
    session_id     text NOT NULL,
    attributes     jsonb NOT NULL,
    log_id         uuid,
    receive_time   timestamptz NOT NULL,
    PRIMARY KEY (project_id, trace_id, span_id, start_time)
) PARTITION BY RANGE (start_time);
CREATE TABLE spans_default PARTITION OF spans DEFAULT;
-- Lists traces by their roots.
CREATE INDEX spans_roots ON spans (project_id, start_time DESC, trace_id) WHERE parent_span_id = '';
-- Finds the roots of traces among calls that came without spans.
CREATE INDEX logs_roots ON logs (project_id, start_time DESC, trace_id) WHERE trace_id <> '' AND parent_span_id = '';

-- Makes the partition of a day; what the default partition has of it moves there.
CREATE FUNCTION make_span_partition(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    day_start timestamptz := day::timestamp AT TIME ZONE 'UTC';
    day_end   timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
    name      text := 'spans_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE spans INCLUDING ALL)', name);
        EXECUTE format('WITH early AS (DELETE FROM spans_default WHERE start_time >= %L AND start_time < %L
                        RETURNING *) INSERT INTO %I SELECT * FROM early', day_start, day_end, name);
        EXECUTE format('ALTER TABLE spans ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, day_start, day_end);
    END IF;
END
$$;

-- Drops the spans of all UTC days before first_day, and returns how many partitions that were. Of the default partition,
-- which has spans of odd times, only rows go.
CREATE FUNCTION drop_span_days_before(first_day date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    name    text;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('llm_observe.span_partitions'));
    LOCK TABLE spans IN ACCESS EXCLUSIVE MODE;
    DELETE FROM spans_default WHERE start_time < first_day::timestamp AT TIME ZONE 'UTC';
    FOR name IN
        SELECT relid::regclass::text FROM pg_partition_tree('spans')
        WHERE relid::regclass::text ~ '^spans_\d{8}$' AND to_date(right(relid::regclass::text, 8), 'YYYYMMDD') < first_day
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE %I', name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
