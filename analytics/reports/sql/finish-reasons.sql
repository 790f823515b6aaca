-- title: Finish reasons
-- answers: Why answers ended: of their own accord, at their limit of tokens, filtered, or for a tool call.
-- parameter: dimension dimension = model | What calls are grouped by.
-- column: value VARCHAR | Value of the dimension.
-- column: finish_reason VARCHAR | What the provider said; empty where it said nothing.
-- column: request_count BIGINT | Successful calls.
-- column: request_share DOUBLE | Share of the successful calls of this value, from 0 to 1.
-- column: average_output_tokens DOUBLE | Average tokens of an answer; null where they are unknown.
WITH grouped AS (
    SELECT {dimension} AS value, finish_reason, count(*) AS request_count,
        avg(output_token_count) AS average_output_tokens
    FROM logs
    WHERE outcome = 'success'
    GROUP BY value, finish_reason
)
SELECT value, finish_reason, request_count,
    request_count / sum(request_count) OVER (PARTITION BY value) AS request_share, average_output_tokens
FROM grouped
ORDER BY value, request_count DESC, finish_reason
