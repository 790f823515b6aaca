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
WITH ranked AS (
    SELECT {dimension} AS value, log_id, date AS log_date,
        row_number() OVER (PARTITION BY {dimension} ORDER BY latency_us DESC, log_id) AS place
    FROM logs
    WHERE outcome = 'success' AND latency_us >= $min_latency_us
),
slowest AS (
    SELECT value, log_id, log_date, place
    FROM ranked
    WHERE place <= $examples
)
SELECT slowest.value, slowest.place, logs.latency_us, logs.time_to_first_token_us, logs.output_token_count,
    logs.start_time, slowest.log_id, logs.provider, logs.model, logs.input_preview
FROM slowest
JOIN logs ON logs.log_id = slowest.log_id AND logs.date = slowest.log_date
ORDER BY slowest.value, slowest.place
