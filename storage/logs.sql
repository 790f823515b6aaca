-- name: get_log
SELECT
    -- each log_column: logs.{name}
FROM log_keys JOIN logs USING (project_id, start_time, log_id)
WHERE log_id = :log_id::uuid AND project_id = :project_id::text

-- name: list_logs
-- Keyset page: rows strictly before (before_time, before_id), newest first. NULL filters match all.
SELECT
    -- each log_column: {name}
FROM logs
WHERE project_id = :project_id::text
  AND start_time >= :start_time::timestamptz AND start_time < :end_time::timestamptz
  AND (:before_time::timestamptz IS NULL OR (start_time, log_id) < (:before_time::timestamptz, :before_id::uuid))
  AND (:providers::text[] IS NULL OR provider = ANY (:providers::text[]))
  AND (:models::text[] IS NULL OR model = ANY (:models::text[]))
  AND (:operations::text[] IS NULL OR operation = ANY (:operations::text[]))
  AND (:environments::text[] IS NULL OR environment = ANY (:environments::text[]))
  AND (:outcomes::text[] IS NULL OR outcome = ANY (:outcomes::text[]))
  AND (:error_codes::text[] IS NULL OR error_code = ANY (:error_codes::text[]))
  AND (:session_id::text IS NULL OR session_id = :session_id::text)
  AND (:conversation_id::text IS NULL OR conversation_id = :conversation_id::text)
  AND (:user_id::text IS NULL OR user_id = :user_id::text)
  AND (:trace_id::text IS NULL OR trace_id = :trace_id::text)
  AND (:tags::jsonb IS NULL OR tags @> :tags::jsonb)
  AND (:min_latency_us::bigint IS NULL OR latency_us >= :min_latency_us::bigint)
  AND (:max_latency_us::bigint IS NULL OR latency_us <= :max_latency_us::bigint)
  AND (:text_pattern::text IS NULL OR input_preview ILIKE :text_pattern::text
       OR output_preview ILIKE :text_pattern::text OR error_message ILIKE :text_pattern::text)
ORDER BY start_time DESC, log_id DESC
LIMIT :row_limit::bigint

-- name: list_errors
SELECT
    -- each log_column: {name}
FROM logs
WHERE project_id = :project_id::text AND outcome = 'error'
  AND start_time >= :start_time::timestamptz AND start_time < :end_time::timestamptz
  AND (:before_time::timestamptz IS NULL OR (start_time, log_id) < (:before_time::timestamptz, :before_id::uuid))
  AND (:providers::text[] IS NULL OR provider = ANY (:providers::text[]))
  AND (:models::text[] IS NULL OR model = ANY (:models::text[]))
  AND (:operations::text[] IS NULL OR operation = ANY (:operations::text[]))
  AND (:environments::text[] IS NULL OR environment = ANY (:environments::text[]))
ORDER BY start_time DESC, log_id DESC
LIMIT :row_limit::bigint

-- name: count_logs
SELECT count(*) FROM logs WHERE project_id = :project_id::text
