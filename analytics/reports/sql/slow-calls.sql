-- title: Slow calls
-- answers: Which successful calls were the slowest of their group, with what was asked.
-- parameter: dimension dimension = model | What calls are grouped by.
-- parameter: examples integer = 5 (1 to 100) | Calls to show of each group.
-- parameter: min_latency_us integer = 0 (0 to 604800000000) | Only calls that took at least so long, in microseconds.
-- column: value VARCHAR | Value of the dimension.
-- column: place BIGINT | 1 for the slowest call of its group.
-- column: latency_us BIGINT | How long it took, in microseconds.
-- column: time_to_first_token_us BIGINT | Time to the first token, in microseconds; null where it is unknown.
-- column: output_token_count BIGINT | Tokens of the answer; null where they are unknown.
-- column: start_time TIMESTAMP WITH TIME ZONE | When it began.
-- column: log_id VARCHAR | Its log.
-- column: provider VARCHAR | Provider.
-- column: model VARCHAR | Model.
-- column: input_preview VARCHAR | The beginning of what was asked, redacted.
WITH durations AS (
    SELECT {dimension} AS value, latency_us AS duration,
        row_number() OVER (PARTITION BY {dimension} ORDER BY latency_us DESC) AS place
    FROM logs
    WHERE outcome = 'success' AND latency_us >= $min_latency_us
),
-- Numbers alone say how slow a call must be to be shown; texts are read of few calls.
bounds AS (
    SELECT value, min(duration) AS least
    FROM durations
    WHERE place <= $examples
    GROUP BY value
),
slow AS (
    SELECT {dimension} AS value, latency_us, time_to_first_token_us, output_token_count, start_time, log_id, provider,
        model, input_preview
    FROM logs
    WHERE outcome = 'success' AND latency_us >= (SELECT min(least) FROM bounds)
),
ranked AS (
    SELECT slow.value, row_number() OVER (PARTITION BY slow.value ORDER BY latency_us DESC, log_id) AS place,
        latency_us, time_to_first_token_us, output_token_count, start_time, log_id, provider, model, input_preview
    FROM slow
    JOIN bounds ON bounds.value = slow.value AND slow.latency_us >= bounds.least
)
SELECT value, place, latency_us, time_to_first_token_us, output_token_count, start_time, log_id, provider, model,
    input_preview
FROM ranked
WHERE place <= $examples
ORDER BY value, place
