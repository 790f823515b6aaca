-- Logs of one UTC hour: $hour its start, $logs how many, $groups how many groups. As dashboard_data.sql, with cached tokens,
-- retries and statuses besides.
WITH drawn AS MATERIALIZED (
    SELECT range AS n, $hour + to_microseconds(CAST(floor(random() * 3600000000) AS BIGINT)) AS start_time,
        random() AS outcome_draw, CAST(floor($groups * pow(random(), 2)) AS BIGINT) AS series,
        md5(CAST(random() AS VARCHAR)) AS hash,
        CAST(exp(14 + sqrt(-2 * ln(random() + 1e-12)) * cos(2 * pi() * random())) AS BIGINT) + 1 AS latency_us,
        CAST(floor(5000 * pow(random(), 3)) AS BIGINT) AS user_number
    FROM range($logs)
),
made AS (
    SELECT *, CASE WHEN outcome_draw < 0.94 THEN 'success' WHEN outcome_draw < 0.98 THEN 'error' ELSE 'cancelled' END
            AS outcome,
        latency_us // 5 AS ttft_us,
        CASE WHEN n % 3 = 0 THEN 60 + series ELSE 0 END AS cached
    FROM drawn
)
SELECT substr(hash, 1, 8) || '-' || substr(hash, 9, 4) || '-7' || substr(hash, 13, 3) || '-a' || substr(hash, 16, 3) || '-'
        || substr(hash, 19, 12) AS log_id,
    start_time, start_time AS receive_time, latency_us, ttft_us AS time_to_first_token_us,
    100 + series + user_number % 50 AS input_token_count, user_number AS output_token_count,
    100 + series + user_number % 50 + user_number AS total_token_count, cached AS cache_read_token_count,
    CASE WHEN series % 7 <> 0 THEN (100 + series + user_number % 50) * 1250 + user_number * 10000 - cached * 1000 END
        AS cost_nano_usd,
    CAST(CASE WHEN outcome = 'error' THEN [429, 500, 503, 408][1 + n % 4] ELSE 200 END AS INTEGER) AS http_status,
    CAST(CASE WHEN n % 50 = 0 THEN 2 ELSE 0 END AS INTEGER) AS retry_count,
    CAST(CASE WHEN outcome = 'success' THEN ceil(ln(latency_us) / ln(1.01 / 0.99)) END AS INTEGER) AS latency_bucket,
    CAST(CASE WHEN outcome = 'success' THEN ceil(ln(ttft_us + 1) / ln(1.01 / 0.99)) END AS INTEGER) AS ttft_bucket,
    series % 2 = 0 AS streamed, ['openai', 'anthropic', 'gemini', 'mistral'][1 + series % 4] AS provider,
    'model-' || series AS model, CASE WHEN series % 10 = 0 THEN 'embeddings' ELSE 'chat' END AS operation,
    ['production', 'staging'][1 + series // 3 % 2] AS environment, outcome, 'reported' AS usage_source,
    'session-' || user_number || '-' || n % 9 AS session_id, 'user-' || user_number AS user_id,
    md5(CAST(n // 4 AS VARCHAR) || CAST($hour AS VARCHAR)) AS trace_id, substr(hash, 1, 16) AS span_id,
    CASE WHEN outcome = 'error' THEN ['rate_limit', 'timeout', 'overloaded', ''][1 + n % 4] ELSE '' END AS error_code,
    CASE WHEN outcome = 'error' THEN 'request ' || n || ' failed after ' || latency_us // 1000 || ' ms' ELSE '' END
        AS error_message,
    'stop' AS finish_reason, substr(hash, 1, 24) AS provider_request_id, 'release-' || n % 5 AS release,
    'Please summarise ticket ' || hash || CASE WHEN n % 10 = 0 THEN ' of [EMAIL] ' ELSE ' of today ' END
        || repeat('and what came before it ', n % 8) AS input_preview,
    'The ticket says ' || reverse(hash) || repeat(' and so on', n % 12) AS output_preview
FROM made
ORDER BY start_time, log_id
