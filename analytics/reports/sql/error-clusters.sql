-- title: Error clusters
-- answers: Which errors there are, when ids and numbers in their messages are ignored.
-- parameter: limit integer = 50 (1 to 10000) | Clusters to show, the largest first.
-- column: provider VARCHAR | Provider.
-- column: error_code VARCHAR | Code of the error; empty where it has none.
-- column: template VARCHAR | The messages, with # for each id or number.
-- column: error_count BIGINT | Failed calls.
-- column: error_share DOUBLE | Share of all failed calls, from 0 to 1.
-- column: model_count BIGINT | Models that failed so.
-- column: first_time TIMESTAMP WITH TIME ZONE | When the first of these calls began.
-- column: last_time TIMESTAMP WITH TIME ZONE | When the last of these calls began.
-- column: example_log_id VARCHAR | The log of one of them.
WITH failed AS (
    SELECT provider, error_code, model, start_time, log_id,
        regexp_replace(
            error_message,
            '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|0x[0-9a-fA-F]+|[a-z]+_[0-9A-Za-z]{10,}|[0-9a-f]{16,}|[0-9]+(\.[0-9]+)*',
            '#', 'g'
        ) AS template
    FROM logs
    WHERE outcome = 'error'
),
clusters AS (
    SELECT provider, error_code, template, count(*) AS error_count, count(DISTINCT model) AS model_count,
        min(start_time) AS first_time, max(start_time) AS last_time, max(log_id) AS example_log_id
    FROM failed
    GROUP BY provider, error_code, template
)
SELECT provider, error_code, template, error_count, error_count / sum(error_count) OVER () AS error_share, model_count,
    first_time, last_time, example_log_id
FROM clusters
ORDER BY error_count DESC, provider, error_code, template
LIMIT $limit
