-- name: claim_logs
-- Takes the right to write these logs, in order of their ids, and tells which rows must move. A log that
-- another project owns, or whose stored content is as new, or whose row retention has dropped, is not claimed.
WITH claimed AS (
    INSERT INTO log_keys AS k (log_id, project_id, start_time, receive_time)
    SELECT log_id, project_id, start_time, receive_time
    FROM unnest(:log_ids::uuid[], :project_ids::text[], :start_times::timestamptz[], :receive_times::timestamptz[])
        AS t (log_id, project_id, start_time, receive_time)
    ORDER BY log_id
    ON CONFLICT (log_id) DO UPDATE
        SET start_time = excluded.start_time, receive_time = excluded.receive_time
        WHERE k.project_id = excluded.project_id AND k.receive_time < excluded.receive_time
          AND k.start_time >= (SELECT kept_from FROM retention)
    RETURNING log_id, k.project_id, old.start_time AS old_start_time, new.start_time AS new_start_time
)
SELECT count(*) AS claimed_count,
       CASE WHEN count(*) < cardinality(:log_ids::uuid[]) THEN array_agg(log_id) END AS claimed_ids,
       count(*) FILTER (WHERE old_start_time <> new_start_time) AS moved_count,
       array_agg(log_id) FILTER (WHERE old_start_time <> new_start_time) AS moved_ids,
       array_agg(project_id) FILTER (WHERE old_start_time <> new_start_time) AS project_ids,
       array_agg(old_start_time) FILTER (WHERE old_start_time <> new_start_time) AS old_start_times,
       array_agg(new_start_time) FILTER (WHERE old_start_time <> new_start_time) AS new_start_times
FROM claimed

-- name: find_owners
SELECT log_id, project_id FROM log_keys WHERE log_id = ANY (:log_ids::uuid[])

-- part: into_rollups
    INSERT INTO hourly_rollups AS r (
        project_id, hour, provider, model, operation, environment, request_count, success_count,
        error_count, cancelled_count, priced_count, latency_count, ttft_count, latency_us_sum, ttft_us_sum,
        input_token_sum, output_token_sum, total_token_sum, cache_read_token_sum, cache_write_token_sum,
        reasoning_token_sum, cost_nano_usd_sum
    )

-- part: add_to_rollup
    ON CONFLICT (project_id, hour, provider, model, operation, environment) DO UPDATE SET
        request_count = r.request_count + excluded.request_count,
        success_count = r.success_count + excluded.success_count,
        error_count = r.error_count + excluded.error_count,
        cancelled_count = r.cancelled_count + excluded.cancelled_count,
        priced_count = r.priced_count + excluded.priced_count,
        latency_count = r.latency_count + excluded.latency_count,
        ttft_count = r.ttft_count + excluded.ttft_count,
        latency_us_sum = r.latency_us_sum + excluded.latency_us_sum,
        ttft_us_sum = r.ttft_us_sum + excluded.ttft_us_sum,
        input_token_sum = r.input_token_sum + excluded.input_token_sum,
        output_token_sum = r.output_token_sum + excluded.output_token_sum,
        total_token_sum = r.total_token_sum + excluded.total_token_sum,
        cache_read_token_sum = r.cache_read_token_sum + excluded.cache_read_token_sum,
        cache_write_token_sum = r.cache_write_token_sum + excluded.cache_write_token_sum,
        reasoning_token_sum = r.reasoning_token_sum + excluded.reasoning_token_sum,
        cost_nano_usd_sum = r.cost_nano_usd_sum + excluded.cost_nano_usd_sum
    RETURNING r.rollup_id, r.project_id, r.hour, r.provider, r.model, r.operation, r.environment

-- part: add_to_sketch
    ON CONFLICT (rollup_id, bucket) DO UPDATE SET
        latency_count = s.latency_count + excluded.latency_count,
        ttft_count = s.ttft_count + excluded.ttft_count

-- name: move_logs
-- Takes rows whose start_time is corrected to their new partition. hour stays: write_logs, which follows
-- in the same transaction, takes the old contribution out of that hour.
UPDATE logs
SET start_time = moved.new_start_time
FROM unnest(:log_ids::uuid[], :project_ids::text[], :old_start_times::timestamptz[],
            :new_start_times::timestamptz[])
    AS moved (log_id, project_id, old_start_time, new_start_time)
WHERE logs.project_id = moved.project_id AND logs.start_time = moved.old_start_time
  AND logs.log_id = moved.log_id

-- name: write_logs
-- Upserts claimed logs and applies what changed to the rollups: new contribution in, old one out.
-- Both ORDER BYs before the rollup writes are load-bearing: without them concurrent batches deadlock. The
-- rows themselves need no order: their keys are locked.
WITH written AS (
    INSERT INTO logs (
        log_id, start_time, receive_time, hour, end_time, first_token_time, latency_us,
        time_to_first_token_us, input_token_count, output_token_count, total_token_count,
        cache_read_token_count, cache_write_token_count, reasoning_token_count, cost_nano_usd, http_status,
        latency_bucket, ttft_bucket, streamed, project_id, provider, model, operation, environment, outcome,
        usage_source, session_id, conversation_id, user_id, trace_id, span_id, parent_span_id,
        response_model, error_code, error_message, finish_reason, provider_request_id, release,
        price_version, input_preview, output_preview, metadata, tags
    )
    SELECT log_id, start_time, receive_time, date_trunc('hour', start_time, 'UTC'), end_time,
        first_token_time, latency_us, time_to_first_token_us, input_token_count, output_token_count,
        total_token_count, cache_read_token_count, cache_write_token_count, reasoning_token_count,
        cost_nano_usd, http_status, latency_bucket, ttft_bucket, streamed, project_id, provider, model,
        operation, environment, outcome, usage_source, session_id, conversation_id, user_id, trace_id,
        span_id, parent_span_id, response_model, error_code, error_message, finish_reason,
        provider_request_id, release, price_version, input_preview, output_preview, metadata::jsonb,
        tags::jsonb
    FROM unnest(
        :log_id::uuid[], :start_time::timestamptz[], :receive_time::timestamptz[], :end_time::timestamptz[],
        :first_token_time::timestamptz[], :latency_us::bigint[], :time_to_first_token_us::bigint[],
        :input_token_count::bigint[], :output_token_count::bigint[], :total_token_count::bigint[],
        :cache_read_token_count::bigint[], :cache_write_token_count::bigint[],
        :reasoning_token_count::bigint[], :cost_nano_usd::bigint[], :http_status::integer[],
        :latency_bucket::smallint[], :ttft_bucket::smallint[], :streamed::boolean[], :project_id::text[],
        :provider::text[], :model::text[], :operation::text[], :environment::text[], :outcome::text[],
        :usage_source::text[], :session_id::text[], :conversation_id::text[], :user_id::text[],
        :trace_id::text[], :span_id::text[], :parent_span_id::text[], :response_model::text[],
        :error_code::text[], :error_message::text[], :finish_reason::text[], :provider_request_id::text[],
        :release::text[], :price_version::text[], :input_preview::text[], :output_preview::text[],
        :metadata::text[], :tags::text[]
    ) AS t (
        log_id, start_time, receive_time, end_time, first_token_time, latency_us, time_to_first_token_us,
        input_token_count, output_token_count, total_token_count, cache_read_token_count,
        cache_write_token_count, reasoning_token_count, cost_nano_usd, http_status, latency_bucket,
        ttft_bucket, streamed, project_id, provider, model, operation, environment, outcome, usage_source,
        session_id, conversation_id, user_id, trace_id, span_id, parent_span_id, response_model, error_code,
        error_message, finish_reason, provider_request_id, release, price_version, input_preview,
        output_preview, metadata, tags
    )
    ON CONFLICT (project_id, start_time, log_id) DO UPDATE SET
        receive_time = excluded.receive_time, hour = excluded.hour, end_time = excluded.end_time,
        first_token_time = excluded.first_token_time, latency_us = excluded.latency_us,
        time_to_first_token_us = excluded.time_to_first_token_us,
        input_token_count = excluded.input_token_count, output_token_count = excluded.output_token_count,
        total_token_count = excluded.total_token_count,
        cache_read_token_count = excluded.cache_read_token_count,
        cache_write_token_count = excluded.cache_write_token_count,
        reasoning_token_count = excluded.reasoning_token_count, cost_nano_usd = excluded.cost_nano_usd,
        http_status = excluded.http_status, latency_bucket = excluded.latency_bucket,
        ttft_bucket = excluded.ttft_bucket, streamed = excluded.streamed, provider = excluded.provider,
        model = excluded.model, operation = excluded.operation, environment = excluded.environment,
        outcome = excluded.outcome, usage_source = excluded.usage_source, session_id = excluded.session_id,
        conversation_id = excluded.conversation_id, user_id = excluded.user_id,
        trace_id = excluded.trace_id, span_id = excluded.span_id, parent_span_id = excluded.parent_span_id,
        response_model = excluded.response_model, error_code = excluded.error_code,
        error_message = excluded.error_message, finish_reason = excluded.finish_reason,
        provider_request_id = excluded.provider_request_id, release = excluded.release,
        price_version = excluded.price_version, input_preview = excluded.input_preview,
        output_preview = excluded.output_preview, metadata = excluded.metadata, tags = excluded.tags
    RETURNING new.log_id, old.log_id IS NOT NULL AS replaced,
        old.project_id AS old_project_id, old.hour AS old_hour, old.provider AS old_provider,
        old.model AS old_model, old.operation AS old_operation, old.environment AS old_environment,
        old.outcome AS old_outcome, old.latency_us AS old_latency_us,
        old.time_to_first_token_us AS old_ttft_us, old.latency_bucket AS old_latency_bucket,
        old.ttft_bucket AS old_ttft_bucket, old.input_token_count AS old_input_token_count,
        old.output_token_count AS old_output_token_count, old.total_token_count AS old_total_token_count,
        old.cache_read_token_count AS old_cache_read_token_count,
        old.cache_write_token_count AS old_cache_write_token_count,
        old.reasoning_token_count AS old_reasoning_token_count, old.cost_nano_usd AS old_cost_nano_usd,
        new.project_id, new.hour, new.provider, new.model, new.operation, new.environment, new.outcome,
        new.latency_us, new.time_to_first_token_us AS ttft_us, new.latency_bucket, new.ttft_bucket,
        new.input_token_count, new.output_token_count, new.total_token_count, new.cache_read_token_count,
        new.cache_write_token_count, new.reasoning_token_count, new.cost_nano_usd
),
contributions AS (
    SELECT 1 AS sign, project_id, hour, provider, model, operation, environment, outcome, latency_us,
        ttft_us, latency_bucket, ttft_bucket, input_token_count, output_token_count, total_token_count,
        cache_read_token_count, cache_write_token_count, reasoning_token_count, cost_nano_usd
    FROM written
    UNION ALL
    SELECT -1, old_project_id, old_hour, old_provider, old_model, old_operation, old_environment,
        old_outcome, old_latency_us, old_ttft_us, old_latency_bucket, old_ttft_bucket,
        old_input_token_count, old_output_token_count, old_total_token_count, old_cache_read_token_count,
        old_cache_write_token_count, old_reasoning_token_count, old_cost_nano_usd
    FROM written WHERE replaced
),
rolled AS (
    -- use: into_rollups
    SELECT project_id, hour, provider, model, operation, environment,
        sum(sign),
        coalesce(sum(sign) FILTER (WHERE outcome = 'success'), 0),
        coalesce(sum(sign) FILTER (WHERE outcome = 'error'), 0),
        coalesce(sum(sign) FILTER (WHERE outcome = 'cancelled'), 0),
        coalesce(sum(sign) FILTER (WHERE cost_nano_usd IS NOT NULL), 0),
        coalesce(sum(sign) FILTER (WHERE latency_bucket IS NOT NULL), 0),
        coalesce(sum(sign) FILTER (WHERE ttft_bucket IS NOT NULL), 0),
        coalesce(sum(sign * latency_us) FILTER (WHERE latency_bucket IS NOT NULL), 0),
        coalesce(sum(sign * ttft_us) FILTER (WHERE ttft_bucket IS NOT NULL), 0),
        coalesce(sum(sign * input_token_count), 0),
        coalesce(sum(sign * output_token_count), 0),
        coalesce(sum(sign * total_token_count), 0),
        coalesce(sum(sign * cache_read_token_count), 0),
        coalesce(sum(sign * cache_write_token_count), 0),
        coalesce(sum(sign * reasoning_token_count), 0),
        coalesce(sum(sign * cost_nano_usd), 0)
    FROM contributions
    GROUP BY project_id, hour, provider, model, operation, environment
    ORDER BY project_id, hour, provider, model, operation, environment
    -- use: add_to_rollup
),
sketched AS (
    INSERT INTO hourly_sketches AS s (rollup_id, bucket, latency_count, ttft_count)
    SELECT rollup_id, bucket, sum(latency_count), sum(ttft_count)
    FROM contributions
    JOIN rolled USING (project_id, hour, provider, model, operation, environment)
    CROSS JOIN LATERAL (VALUES (latency_bucket, sign, 0), (ttft_bucket, 0, sign))
        AS b (bucket, latency_count, ttft_count)
    WHERE bucket IS NOT NULL
    GROUP BY rollup_id, bucket
    HAVING sum(latency_count) <> 0 OR sum(ttft_count) <> 0
    ORDER BY rollup_id, bucket
    -- use: add_to_sketch
)
SELECT array_agg(log_id) FILTER (WHERE NOT replaced) AS stored_ids,
       count(*) FILTER (WHERE replaced) AS replaced_count
FROM written


-- name: add_rollups
-- Applies what new rows add, summed by rollup, and by rollup and bucket. Ordered as in write_logs, and as
-- load-bearing.
WITH sums AS (
    SELECT *
    FROM unnest(
        :project_id::text[], :hour::timestamptz[], :provider::text[], :model::text[],
        :operation::text[], :environment::text[], :request_count::bigint[],
        :success_count::bigint[], :error_count::bigint[], :cancelled_count::bigint[],
        :priced_count::bigint[], :latency_count::bigint[], :ttft_count::bigint[],
        :latency_us_sum::bigint[], :ttft_us_sum::bigint[], :input_token_sum::bigint[],
        :output_token_sum::bigint[], :total_token_sum::bigint[], :cache_read_token_sum::bigint[],
        :cache_write_token_sum::bigint[], :reasoning_token_sum::bigint[],
        :cost_nano_usd_sum::bigint[]
    ) WITH ORDINALITY AS t (
        project_id, hour, provider, model, operation, environment, request_count, success_count,
        error_count, cancelled_count, priced_count, latency_count, ttft_count, latency_us_sum,
        ttft_us_sum, input_token_sum, output_token_sum, total_token_sum, cache_read_token_sum,
        cache_write_token_sum, reasoning_token_sum, cost_nano_usd_sum, place
    )
),
rolled AS (
    -- use: into_rollups
    SELECT project_id, hour, provider, model, operation, environment, request_count, success_count,
        error_count, cancelled_count, priced_count, latency_count, ttft_count, latency_us_sum,
        ttft_us_sum, input_token_sum, output_token_sum, total_token_sum, cache_read_token_sum,
        cache_write_token_sum, reasoning_token_sum, cost_nano_usd_sum
    FROM sums
    ORDER BY project_id, hour, provider, model, operation, environment
    -- use: add_to_rollup
),
placed AS MATERIALIZED (
    SELECT place, rollup_id FROM sums JOIN rolled USING (project_id, hour, provider, model, operation, environment)
)
INSERT INTO hourly_sketches AS s (rollup_id, bucket, latency_count, ttft_count)
SELECT rollup_id, bucket, b.latency_count, b.ttft_count
FROM unnest(:bucket_places::bigint[], :buckets::smallint[], :bucket_latency_counts::bigint[],
            :bucket_ttft_counts::bigint[]) AS b (place, bucket, latency_count, ttft_count)
JOIN placed USING (place)
ORDER BY rollup_id, bucket
-- use: add_to_sketch
