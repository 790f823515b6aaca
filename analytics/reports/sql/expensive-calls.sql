-- title: Expensive calls
-- answers: Which single calls cost the most, with what was asked.
-- parameter: limit integer = 50 (1 to 1000) | Calls to show, the dearest first.
-- column: log_id VARCHAR | The log.
-- column: start_time TIMESTAMP WITH TIME ZONE | When the call began.
-- column: provider VARCHAR | Provider.
-- column: model VARCHAR | Model.
-- column: user_id VARCHAR | User; empty where it is unknown.
-- column: cost_nano_usd BIGINT | Cost, in billionths of a US dollar.
-- column: input_token_count BIGINT | Tokens of the prompt; null where they are unknown.
-- column: output_token_count BIGINT | Tokens of the answer; null where they are unknown.
-- column: input_preview VARCHAR | The beginning of what was asked, redacted.
WITH dearest AS (
    SELECT log_id, date AS log_date, cost_nano_usd AS cost
    FROM logs
    WHERE cost_nano_usd IS NOT NULL
    ORDER BY cost DESC, log_id
    LIMIT $limit
)
SELECT logs.log_id, logs.start_time, logs.provider, logs.model, logs.user_id, logs.cost_nano_usd,
    logs.input_token_count, logs.output_token_count, logs.input_preview
FROM dearest
JOIN logs ON logs.log_id = dearest.log_id AND logs.date = dearest.log_date
ORDER BY logs.cost_nano_usd DESC, logs.log_id
