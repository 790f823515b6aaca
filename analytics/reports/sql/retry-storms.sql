-- title: Retry storms
-- answers: In which minutes calls of a model failed or were repeated so often that they made matters worse.
-- parameter: min_attempts integer = 10 (1 to 1000000000) | Only minutes with at least so many wasted attempts.
-- parameter: limit integer = 100 (1 to 10000) | Minutes to show, the worst first.
-- column: minute TIMESTAMP WITH TIME ZONE | The UTC minute.
-- column: provider VARCHAR | Provider.
-- column: model VARCHAR | Model.
-- column: wasted_attempts BIGINT | Failed calls, and attempts that clients made before the ones that were logged.
-- column: error_count BIGINT | Failed calls.
-- column: retry_count BIGINT | Attempts before the logged ones, where they are known.
-- column: rate_limited_count BIGINT | Failed calls with HTTP status 429.
-- column: session_count BIGINT | Sessions that were concerned.
WITH wasted AS (
    SELECT date_trunc('minute', start_time) AS began, provider, model, session_id,
        coalesce(retry_count, 0) AS retries,
        CASE WHEN outcome = 'error' THEN 1 ELSE 0 END AS failed,
        CASE WHEN outcome = 'error' AND http_status = 429 THEN 1 ELSE 0 END AS limited
    FROM logs
    WHERE outcome = 'error' OR retry_count > 0
),
minutes AS (
    SELECT began, provider, model, CAST(sum(failed + CAST(retries AS BIGINT)) AS BIGINT) AS wasted_attempts,
        CAST(sum(failed) AS BIGINT) AS error_count, CAST(sum(retries) AS BIGINT) AS retry_total,
        CAST(sum(limited) AS BIGINT) AS rate_limited_count, count(DISTINCT session_id) AS session_count
    FROM wasted
    GROUP BY began, provider, model
)
SELECT began AS minute, provider, model, wasted_attempts, error_count, retry_total AS retry_count, rate_limited_count,
    session_count
FROM minutes
WHERE wasted_attempts >= $min_attempts
ORDER BY wasted_attempts DESC, minute, provider, model
LIMIT $limit
