-- title: Error rates
-- answers: How often calls fail, by any dimension.
-- parameter: dimension dimension = model | What calls are grouped by.
-- parameter: min_requests integer = 1 (1 to 1000000000) | Only groups with at least so many calls.
-- parameter: limit integer = 50 (1 to 10000) | Groups to show, those that fail most often first.
-- column: value VARCHAR | Value of the dimension.
-- column: request_count BIGINT | Calls.
-- column: error_count BIGINT | Failed calls.
-- column: error_share DOUBLE | Share of calls that failed, from 0 to 1.
-- column: rate_limited_count BIGINT | Failed calls with HTTP status 429.
-- column: server_error_count BIGINT | Failed calls with an HTTP status of 500 or above.
WITH grouped AS (
    SELECT {dimension} AS value, count(*) AS request_count,
        count(CASE WHEN outcome = 'error' THEN 1 END) AS error_count,
        count(CASE WHEN outcome = 'error' AND http_status = 429 THEN 1 END) AS rate_limited_count,
        count(CASE WHEN outcome = 'error' AND http_status >= 500 THEN 1 END) AS server_error_count
    FROM logs
    GROUP BY value
)
SELECT value, request_count, error_count, error_count / request_count AS error_share, rate_limited_count,
    server_error_count
FROM grouped
WHERE request_count >= $min_requests
ORDER BY error_share DESC, error_count DESC, value
LIMIT $limit
