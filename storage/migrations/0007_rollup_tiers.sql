-- Rollups in tiers of a minute, an hour, six hours and a day, and what writers add to them
-- (docs/decisions/0017-rollup-tiers.md). Workers of the release before wait once this is applied, and lose nothing.

ALTER TABLE logs RENAME COLUMN hour TO minute;

-- Sums over the calls of one stretch of time. numeric, because two legal token counts can exceed a bigint. The packed
-- columns hold counts by sketch bucket and by error code (analytics/packed_counts.py): joined, they add up.
CREATE TABLE rollups (
    project_id               text NOT NULL,
    -- How long the stretch is: 1, 60, 360 or 1440.
    tier_minutes             smallint NOT NULL,
    start_time               timestamptz NOT NULL,
    provider                 text NOT NULL,
    model                    text NOT NULL,
    operation                text NOT NULL,
    environment              text NOT NULL,
    request_count            bigint NOT NULL,
    success_count            bigint NOT NULL,
    error_count              bigint NOT NULL,
    cancelled_count          bigint NOT NULL,
    priced_count             bigint NOT NULL,
    latency_count            bigint NOT NULL,
    ttft_count               bigint NOT NULL,
    latency_us_sum           numeric NOT NULL,
    ttft_us_sum              numeric NOT NULL,
    input_token_sum          numeric NOT NULL,
    output_token_sum         numeric NOT NULL,
    total_token_sum          numeric NOT NULL,
    cache_read_token_sum     numeric NOT NULL,
    cache_write_token_sum    numeric NOT NULL,
    reasoning_token_sum      numeric NOT NULL,
    cache_write_1h_token_sum numeric NOT NULL,
    audio_input_token_sum    numeric NOT NULL,
    audio_output_token_sum   numeric NOT NULL,
    cost_nano_usd_sum        numeric NOT NULL,
    latency_sketch           bytea NOT NULL,
    ttft_sketch              bytea NOT NULL,
    error_codes              bytea NOT NULL,
    -- Bytes of the packed columns when they were last the shortest: they grow with each merge until then.
    shortest_size            integer NOT NULL DEFAULT 0,
    PRIMARY KEY (project_id, tier_minutes, start_time, provider, model, operation, environment)
) WITH (fillfactor = 70, toast_tuple_target = 4080);

-- What transactions added, in no order that writers would have to wait for. The merger takes them out and adds them to
-- all tiers in one transaction; until then readers add them to what they read.
CREATE TABLE rollup_deltas (
    delta_id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    create_time              timestamptz NOT NULL DEFAULT now(),
    project_id               text NOT NULL,
    minute                   timestamptz NOT NULL,
    provider                 text NOT NULL,
    model                    text NOT NULL,
    operation                text NOT NULL,
    environment              text NOT NULL,
    request_count            bigint NOT NULL,
    success_count            bigint NOT NULL,
    error_count              bigint NOT NULL,
    cancelled_count          bigint NOT NULL,
    priced_count             bigint NOT NULL,
    latency_count            bigint NOT NULL,
    ttft_count               bigint NOT NULL,
    latency_us_sum           numeric NOT NULL,
    ttft_us_sum              numeric NOT NULL,
    input_token_sum          numeric NOT NULL,
    output_token_sum         numeric NOT NULL,
    total_token_sum          numeric NOT NULL,
    cache_read_token_sum     numeric NOT NULL,
    cache_write_token_sum    numeric NOT NULL,
    reasoning_token_sum      numeric NOT NULL,
    cache_write_1h_token_sum numeric NOT NULL,
    audio_input_token_sum    numeric NOT NULL,
    audio_output_token_sum   numeric NOT NULL,
    cost_nano_usd_sum        numeric NOT NULL,
    latency_sketch           bytea NOT NULL,
    ttft_sketch              bytea NOT NULL,
    error_codes              bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Hours in which a project had opened as many groups as it may: further groups are counted under `other`.
CREATE TABLE overflow_hours (
    project_id text NOT NULL,
    hour       timestamptz NOT NULL,
    PRIMARY KEY (project_id, hour)
);

-- From when on rollups of minutes are kept, always a whole hour. What was counted by hours before has none.
CREATE TABLE minute_rollups_kept (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    kept_from timestamptz NOT NULL
);
INSERT INTO minute_rollups_kept (kept_from)
SELECT CASE WHEN max(hour) IS NULL THEN date_trunc('hour', now(), 'UTC') - interval '48 hours'
            ELSE greatest(date_trunc('hour', now(), 'UTC'), max(hour)) + interval '1 hour' END
FROM hourly_rollups;

-- A pair of packed counts: a bucket and a zigzag varint.
CREATE FUNCTION pack_bucket(bucket smallint, calls bigint) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT int2send(bucket) || string_agg(
        set_byte('\x00', 0, (((calls << 1) >> (7 * place)) & 127)::integer
            | CASE WHEN (calls << 1) >> (7 * (place + 1)) > 0 THEN 128 ELSE 0 END), '' ORDER BY place)
    FROM generate_series(0, 8) AS place
    WHERE place = 0 OR (calls << 1) >> (7 * place) > 0
$$;

-- A pair of packed counts: a text and plus or minus one.
CREATE FUNCTION pack_text(word text, sign integer) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT int2send(octet_length(convert_to(word, 'UTF8'))::smallint) || convert_to(word, 'UTF8')
        || CASE WHEN sign > 0 THEN '\x02'::bytea ELSE '\x01'::bytea END
$$;

-- What was counted by hours moves into the tiers. Error codes come from the raw rows that are still there.
INSERT INTO rollup_deltas (
    project_id, minute, provider, model, operation, environment, request_count, success_count, error_count,
    cancelled_count, priced_count, latency_count, ttft_count, latency_us_sum, ttft_us_sum, input_token_sum,
    output_token_sum, total_token_sum, cache_read_token_sum, cache_write_token_sum, reasoning_token_sum,
    cache_write_1h_token_sum, audio_input_token_sum, audio_output_token_sum, cost_nano_usd_sum, latency_sketch,
    ttft_sketch, error_codes
)
SELECT project_id, hour, provider, model, operation, environment, request_count, success_count, error_count,
    cancelled_count, priced_count, latency_count, ttft_count, latency_us_sum, ttft_us_sum, input_token_sum,
    output_token_sum, total_token_sum, cache_read_token_sum, cache_write_token_sum, reasoning_token_sum,
    cache_write_1h_token_sum, audio_input_token_sum, audio_output_token_sum, cost_nano_usd_sum,
    coalesce((SELECT string_agg(pack_bucket(bucket, s.latency_count), '' ORDER BY bucket)
              FROM hourly_sketches AS s WHERE s.rollup_id = r.rollup_id AND s.latency_count > 0), ''),
    coalesce((SELECT string_agg(pack_bucket(bucket, s.ttft_count), '' ORDER BY bucket)
              FROM hourly_sketches AS s WHERE s.rollup_id = r.rollup_id AND s.ttft_count > 0), ''),
    coalesce(errors.codes, '')
FROM hourly_rollups AS r
LEFT JOIN (
    SELECT project_id, minute AS hour, provider, model, operation, environment,
        string_agg(pack_text(error_code, 1), '') AS codes
    FROM logs WHERE outcome = 'error'
    GROUP BY 1, 2, 3, 4, 5, 6
) AS errors USING (project_id, hour, provider, model, operation, environment);

DROP TABLE hourly_sketches;
DROP TABLE hourly_rollups;
