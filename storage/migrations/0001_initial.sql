-- Everything the product keeps. Every row belongs to a project.

CREATE TABLE projects (
    project_id   text PRIMARY KEY CHECK (project_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    display_name text NOT NULL DEFAULT '',
    create_time  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO projects (project_id, display_name) VALUES ('default', 'Default');

-- Who owns a log_id, and where its row lies. log_id alone is unique here, which a table partitioned by
-- start_time cannot promise: this row is the lock that serialises writers of one log, finds the old row
-- when a correction changes start_time, and keeps one project from overwriting another's log.
-- Partitioned by the time inside UUIDv7 ids, so that retention drops whole days; other ids fall into the
-- default partition. See docs/decisions/0002-log-keys.md.
CREATE TABLE log_keys (
    log_id       uuid PRIMARY KEY,
    project_id   text NOT NULL,
    start_time   timestamptz NOT NULL,
    receive_time timestamptz NOT NULL
) PARTITION BY RANGE (log_id);
CREATE TABLE log_keys_default PARTITION OF log_keys DEFAULT;

-- One row is one LLM call. Durations are microseconds; unknown numbers are NULL, unknown texts ''.
CREATE TABLE logs (
    log_id                  uuid NOT NULL,
    start_time              timestamptz NOT NULL,
    receive_time            timestamptz NOT NULL,
    -- The UTC hour under which the rollups count this row. Follows start_time, but is changed by
    -- write_logs alone: a row that was moved still knows where it is counted.
    hour                    timestamptz NOT NULL,
    end_time                timestamptz,
    first_token_time        timestamptz,
    latency_us              bigint,
    time_to_first_token_us  bigint,
    input_token_count       bigint,
    output_token_count      bigint,
    total_token_count       bigint,
    cache_read_token_count  bigint,
    cache_write_token_count bigint,
    reasoning_token_count   bigint,
    cost_nano_usd           bigint,
    http_status             integer,
    -- Sketch buckets (analytics/sketch.py) of successful calls; stored, so that a correction takes the
    -- very bucket out that once went in.
    latency_bucket          smallint,
    ttft_bucket             smallint,
    streamed                boolean NOT NULL,
    project_id              text NOT NULL,
    provider                text NOT NULL,
    model                   text NOT NULL,
    operation               text NOT NULL,
    environment             text NOT NULL,
    outcome                 text NOT NULL,
    usage_source            text NOT NULL,
    session_id              text NOT NULL,
    conversation_id         text NOT NULL,
    user_id                 text NOT NULL,
    trace_id                text NOT NULL,
    span_id                 text NOT NULL,
    parent_span_id          text NOT NULL,
    response_model          text NOT NULL,
    error_code              text NOT NULL,
    error_message           text NOT NULL,
    finish_reason           text NOT NULL,
    provider_request_id     text NOT NULL,
    release                 text NOT NULL,
    price_version           text NOT NULL,
    input_preview           text NOT NULL,
    output_preview          text NOT NULL,
    metadata                jsonb,
    tags                    jsonb,
    PRIMARY KEY (log_id, start_time)
) PARTITION BY RANGE (start_time);
CREATE TABLE logs_default PARTITION OF logs DEFAULT;
CREATE INDEX logs_by_time ON logs (project_id, start_time DESC, log_id DESC);
CREATE INDEX logs_errors ON logs (project_id, start_time DESC, log_id DESC) WHERE outcome = 'error';

-- Sums over the calls of one UTC hour. numeric, because two legal token counts can exceed a bigint.
CREATE TABLE hourly_rollups (
    project_id              text NOT NULL,
    hour                    timestamptz NOT NULL,
    provider                text NOT NULL,
    model                   text NOT NULL,
    operation               text NOT NULL,
    environment             text NOT NULL,
    rollup_id               bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    request_count           bigint NOT NULL,
    success_count           bigint NOT NULL,
    error_count             bigint NOT NULL,
    cancelled_count         bigint NOT NULL,
    priced_count            bigint NOT NULL,
    latency_count           bigint NOT NULL,
    ttft_count              bigint NOT NULL,
    latency_us_sum          numeric NOT NULL,
    ttft_us_sum             numeric NOT NULL,
    input_token_sum         numeric NOT NULL,
    output_token_sum        numeric NOT NULL,
    total_token_sum         numeric NOT NULL,
    cache_read_token_sum    numeric NOT NULL,
    cache_write_token_sum   numeric NOT NULL,
    reasoning_token_sum     numeric NOT NULL,
    cost_nano_usd_sum       numeric NOT NULL,
    PRIMARY KEY (project_id, hour, provider, model, operation, environment)
) WITH (fillfactor = 70);

-- DDSketch buckets of an hourly rollup: mergeable by SUM ... GROUP BY bucket.
CREATE TABLE hourly_sketches (
    rollup_id     bigint NOT NULL,
    bucket        smallint NOT NULL,
    latency_count bigint NOT NULL,
    ttft_count    bigint NOT NULL,
    PRIMARY KEY (rollup_id, bucket)
) WITH (fillfactor = 70);

CREATE TABLE conversations (
    conversation_id      uuid PRIMARY KEY DEFAULT uuidv7(),
    project_id           text NOT NULL REFERENCES projects,
    session_id           text NOT NULL,
    user_id              text NOT NULL DEFAULT '',
    title                text NOT NULL DEFAULT '',
    state                text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'cancelled', 'completed')),
    provider             text NOT NULL DEFAULT '',
    model                text NOT NULL DEFAULT '',
    message_count        bigint NOT NULL DEFAULT 0,
    last_message_preview text NOT NULL DEFAULT '',
    create_time          timestamptz NOT NULL DEFAULT now(),
    update_time          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX conversations_by_activity ON conversations (project_id, update_time DESC, conversation_id);

CREATE TABLE messages (
    message_id      uuid PRIMARY KEY DEFAULT uuidv7(),
    project_id      text NOT NULL REFERENCES projects,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    role            text NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
    content         text NOT NULL,
    create_time     timestamptz NOT NULL DEFAULT clock_timestamp(),
    log_id          uuid,
    provider        text NOT NULL DEFAULT '',
    model           text NOT NULL DEFAULT '',
    outcome         text NOT NULL DEFAULT ''
);
CREATE INDEX messages_by_conversation ON messages (conversation_id, create_time, message_id);

-- What could not be stored: never deleted by the worker, only marked.
CREATE TABLE dead_letters (
    dead_letter_id     uuid PRIMARY KEY DEFAULT uuidv7(),
    project_id         text NOT NULL,
    reason             text NOT NULL,
    message            text NOT NULL,
    log_id             text NOT NULL DEFAULT '',
    log_count          bigint NOT NULL,
    attempt_count      integer NOT NULL,
    first_attempt_time timestamptz NOT NULL,
    last_attempt_time  timestamptz NOT NULL DEFAULT now(),
    state              text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'replayed', 'discarded')),
    payload            jsonb NOT NULL,
    producer_id        text NOT NULL DEFAULT '',
    -- One dead letter for one failure, however often its message is redelivered.
    dedup_key          text NOT NULL UNIQUE
);
CREATE INDEX dead_letters_by_state ON dead_letters (project_id, state, dead_letter_id DESC);

-- The smallest UUIDv7 of a moment (RFC 9562: the first 48 bits are milliseconds since 1970).
CREATE FUNCTION uuidv7_floor(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Makes the partitions of one UTC day. Rows that came before their day existed move in from the default.
CREATE FUNCTION make_day_partitions(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    day_start timestamptz := day::timestamp AT TIME ZONE 'UTC';
    day_end   timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
    suffix    text := to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass('logs_' || suffix) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE logs INCLUDING ALL)', 'logs_' || suffix);
        EXECUTE format('WITH early AS (DELETE FROM logs_default WHERE start_time >= %L AND start_time < %L
                        RETURNING *) INSERT INTO %I SELECT * FROM early', day_start, day_end, 'logs_' || suffix);
        EXECUTE format('ALTER TABLE logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       'logs_' || suffix, day_start, day_end);
    END IF;
    IF to_regclass('log_keys_' || suffix) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE log_keys INCLUDING ALL)', 'log_keys_' || suffix);
        EXECUTE format('WITH early AS (DELETE FROM log_keys_default WHERE log_id >= %L AND log_id < %L
                        RETURNING *) INSERT INTO %I SELECT * FROM early',
                       uuidv7_floor(day_start), uuidv7_floor(day_end), 'log_keys_' || suffix);
        EXECUTE format('ALTER TABLE log_keys ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       'log_keys_' || suffix, uuidv7_floor(day_start), uuidv7_floor(day_end));
    END IF;
END
$$;
