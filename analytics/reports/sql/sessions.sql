-- title: Sessions
-- answers: Which sessions are the dearest, the longest, or have the most calls.
-- parameter: order choice = cost (cost: total_cost_nano_usd, calls: request_count, duration: duration_s) | What comes first.
-- parameter: limit integer = 50 (1 to 10000) | Sessions to show.
-- column: session_id VARCHAR | The session.
-- column: user_id VARCHAR | Its user; of several, the last by name; empty where it is unknown.
-- column: first_time TIMESTAMP WITH TIME ZONE | When its first call in the window began.
-- column: duration_s BIGINT | From its first call to the beginning of its last one, in seconds.
-- column: request_count BIGINT | Calls.
-- column: error_count BIGINT | Failed calls.
-- column: input_tokens BIGINT | Input tokens, where they are known.
-- column: output_tokens BIGINT | Output tokens, where they are known.
-- column: unpriced_count BIGINT | Calls whose cost is unknown, and which the sum leaves out.
-- column: total_cost_nano_usd BIGINT | Cost, in billionths of a US dollar; null where no call's cost is known.
WITH grouped AS (
    SELECT session_id, max(user_id) AS last_user, min(start_time) AS first_time, max(start_time) AS last_time,
        count(*) AS request_count, count(CASE WHEN outcome = 'error' THEN 1 END) AS error_count,
        TRY_CAST(sum(input_token_count) AS BIGINT) AS input_tokens,
        TRY_CAST(sum(output_token_count) AS BIGINT) AS output_tokens,
        count(*) - count(cost_nano_usd) AS unpriced_count,
        TRY_CAST(sum(cost_nano_usd) AS BIGINT) AS total_cost_nano_usd
    FROM logs
    GROUP BY session_id
),
timed AS (
    SELECT session_id, last_user, first_time,
        CAST(epoch(date_trunc('second', last_time)) - epoch(date_trunc('second', first_time)) AS BIGINT) AS duration_s,
        request_count, error_count, input_tokens, output_tokens, unpriced_count, total_cost_nano_usd
    FROM grouped
)
SELECT session_id, last_user AS user_id, first_time, duration_s, request_count, error_count, input_tokens, output_tokens,
    unpriced_count, total_cost_nano_usd
FROM timed
ORDER BY {order} DESC NULLS LAST, session_id
LIMIT $limit
