-- name: write_spans
-- Upserts spans, in the order of their keys: concurrent writers wait for each other and do not deadlock.
INSERT INTO spans (
    project_id, trace_id, span_id, parent_span_id, name, operation, start_time, end_time, status, status_message, scope,
    service_name, session_id, attributes, log_id, receive_time
)
SELECT * FROM unnest(
    :project_ids::text[], :trace_ids::text[], :span_ids::text[], :parent_span_ids::text[], :names::text[],
    :operations::text[], :start_times::timestamptz[], :end_times::timestamptz[], :statuses::smallint[],
    :status_messages::text[], :scopes::text[], :service_names::text[], :session_ids::text[], :attributes::jsonb[],
    :log_ids::uuid[], :receive_times::timestamptz[]
) AS t (project_id, trace_id, span_id, parent_span_id, name, operation, start_time, end_time, status, status_message,
        scope, service_name, session_id, attributes, log_id, receive_time)
ORDER BY project_id, trace_id, span_id, start_time
ON CONFLICT (project_id, trace_id, span_id, start_time) DO UPDATE SET
    parent_span_id = excluded.parent_span_id, name = excluded.name, operation = excluded.operation,
    end_time = excluded.end_time, status = excluded.status, status_message = excluded.status_message,
    scope = excluded.scope, service_name = excluded.service_name, session_id = excluded.session_id,
    attributes = excluded.attributes, log_id = excluded.log_id, receive_time = excluded.receive_time
WHERE spans.receive_time < excluded.receive_time

-- name: list_spans
SELECT trace_id, span_id, parent_span_id, name, operation, start_time, end_time, status, status_message, scope,
       service_name, session_id, attributes::text AS attributes, log_id
FROM spans
WHERE project_id = :project_id::text AND trace_id = :trace_id::text
ORDER BY start_time, span_id
LIMIT :row_limit::bigint

-- name: list_parts
-- The newest parts of traces, spans and calls, that pass the filters, and whether each is the root of its trace: the
-- earliest span without a parent. A trace that was begun elsewhere has none: there it is the earliest span, or the earliest
-- call where no spans were kept. Equal parts come together, so that the next ones begin behind them. What lies further than
-- a day around the window is not looked at, so that few partitions are read.
WITH failed AS MATERIALIZED (
    SELECT trace_id FROM logs
    WHERE :errors_only::boolean AND project_id = :project_id::text AND trace_id <> '' AND outcome = 'error'
      AND start_time >= :around_start::timestamptz AND start_time < :around_end::timestamptz
),
named_spans AS (
    SELECT trace_id, span_id AS part_id, parent_span_id <> '' AS has_parent, true AS is_span, name, service_name,
           session_id, start_time, end_time - start_time AS duration, status = 2 AS has_failed
    FROM spans
    WHERE project_id = :project_id::text
      AND start_time >= :start_time::timestamptz AND start_time < :end_time::timestamptz
      AND (start_time, trace_id) < (:before_time::timestamptz, :before_id::text)
),
named_calls AS (
    SELECT trace_id, log_id::text AS part_id, parent_span_id <> '' AS has_parent, false AS is_span,
           operation || ' ' || model AS name, '' AS service_name, session_id, start_time,
           latency_us * interval '1 microsecond' AS duration, outcome = 'error' AS has_failed
    FROM logs
    WHERE project_id = :project_id::text AND trace_id <> ''
      AND start_time >= :start_time::timestamptz AND start_time < :end_time::timestamptz
      AND (start_time, trace_id) < (:before_time::timestamptz, :before_id::text)
),
parts AS MATERIALIZED (
    SELECT * FROM (
        (SELECT * FROM named_spans
         WHERE (:name_query::text IS NULL OR strpos(lower(name), lower(:name_query::text)) > 0)
           AND (:session_id::text IS NULL OR session_id = :session_id::text)
           AND (:service_name::text IS NULL OR service_name = :service_name::text)
           AND (:min_duration::interval IS NULL OR duration >= :min_duration::interval)
           AND (NOT :errors_only::boolean OR has_failed OR trace_id IN (SELECT trace_id FROM failed))
         ORDER BY start_time DESC, trace_id DESC FETCH FIRST (:part_limit::bigint) ROWS WITH TIES)
        UNION ALL
        (SELECT * FROM named_calls
         WHERE :service_name::text IS NULL
           AND (:name_query::text IS NULL OR strpos(lower(name), lower(:name_query::text)) > 0)
           AND (:session_id::text IS NULL OR session_id = :session_id::text)
           AND (:min_duration::interval IS NULL OR duration >= :min_duration::interval)
           AND (NOT :errors_only::boolean OR has_failed OR trace_id IN (SELECT trace_id FROM failed))
         ORDER BY start_time DESC, trace_id DESC FETCH FIRST (:part_limit::bigint) ROWS WITH TIES)
    ) AS newest
    ORDER BY start_time DESC, trace_id DESC FETCH FIRST (:part_limit::bigint) ROWS WITH TIES
)
SELECT trace_id, name, service_name, session_id, start_time, duration, has_failed,
       NOT coalesce(CASE
           WHEN is_span THEN (
               SELECT true FROM spans
               WHERE spans.project_id = :project_id::text AND spans.trace_id = parts.trace_id
                 AND spans.start_time >= :around_start::timestamptz AND spans.start_time < :around_end::timestamptz
                 AND (spans.parent_span_id <> '', spans.start_time, spans.span_id)
                     < (has_parent, parts.start_time, part_id)
               LIMIT 1)
           ELSE coalesce((
               SELECT true FROM spans
               WHERE spans.project_id = :project_id::text AND spans.trace_id = parts.trace_id
                 AND spans.start_time >= :around_start::timestamptz AND spans.start_time < :around_end::timestamptz
               LIMIT 1), (
               SELECT true FROM logs
               WHERE logs.project_id = :project_id::text AND logs.trace_id = parts.trace_id AND logs.trace_id <> ''
                 AND logs.start_time >= :around_start::timestamptz AND logs.start_time < :around_end::timestamptz
                 AND (logs.parent_span_id <> '', logs.start_time, logs.log_id::text)
                     < (has_parent, parts.start_time, part_id)
               LIMIT 1))
           END, false) AS is_root
FROM parts
ORDER BY start_time DESC, trace_id DESC

-- name: sum_calls
SELECT trace_id, count(*) AS call_count, count(*) FILTER (WHERE outcome = 'error') AS error_count,
       sum(coalesce(total_token_count, coalesce(input_token_count, 0) + coalesce(output_token_count, 0)))
           FILTER (WHERE coalesce(total_token_count, input_token_count, output_token_count) IS NOT NULL)
           AS total_token_count,
       sum(cost_nano_usd) AS cost_nano_usd
FROM logs
WHERE project_id = :project_id::text AND trace_id = ANY (:trace_ids::text[]) AND trace_id <> ''
GROUP BY trace_id

-- name: count_spans
SELECT trace_id, count(*) FILTER (WHERE log_id IS NULL) AS span_count
FROM spans
WHERE project_id = :project_id::text AND trace_id = ANY (:trace_ids::text[])
GROUP BY trace_id

-- name: ensure_partitions
-- Serialised by an advisory lock, so that several workers may call it at once.
SELECT make_span_partition(day::date)
FROM (SELECT pg_advisory_xact_lock(hashtext('llm_observe.span_partitions'))) AS locked,
     generate_series(:first_day::date, :last_day::date, interval '1 day') AS day

-- name: drop_days_before
SELECT drop_span_days_before(:first_day::date) AS dropped

-- name: set_lock_timeout
SELECT set_config('lock_timeout', '5s', true)
