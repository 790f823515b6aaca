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
    SELECT cost_nano_usd AS cost
    FROM logs
    WHERE cost_nano_usd IS NOT NULL
    ORDER BY cost DESC
    LIMIT $limit
)
-- Numbers alone say how dear a call must be to be shown; texts are read of few calls.
SELECT log_id, start_time, provider, model, user_id, cost_nano_usd, input_token_count, output_token_count, input_preview
FROM logs
WHERE cost_nano_usd >= (SELECT min(cost) FROM dearest)
ORDER BY cost_nano_usd DESC, log_id
LIMIT $limit
