-- title: Unpriced models
-- answers: Which models have calls whose cost is unknown, and whether prices or token counts are missing.
-- parameter: limit integer = 50 (1 to 10000) | Models to show, those with the most unpriced calls first.
-- column: provider VARCHAR | Provider.
-- column: model VARCHAR | Model.
-- column: unpriced_count BIGINT | Calls whose cost is unknown.
-- column: unpriced_share DOUBLE | Share of the model's calls, from 0 to 1.
-- column: counted_count BIGINT | Those with token counts: a price is missing (LLM_OBSERVE_PRICE_FILE, llm-observe reprice).
-- column: uncounted_count BIGINT | Those without: the provider reported no usage.
-- column: input_tokens BIGINT | Input tokens of the unpriced calls, where they are known.
-- column: output_tokens BIGINT | Output tokens of the unpriced calls, where they are known.
-- column: last_time TIMESTAMP WITH TIME ZONE | When the last unpriced call began.
WITH grouped AS (
    SELECT provider, model, count(*) AS request_count, count(cost_nano_usd) AS priced_count,
        count(CASE WHEN cost_nano_usd IS NULL AND (input_token_count IS NOT NULL OR output_token_count IS NOT NULL)
            THEN 1 END) AS counted_count,
        TRY_CAST(sum(CASE WHEN cost_nano_usd IS NULL THEN input_token_count END) AS BIGINT) AS input_tokens,
        TRY_CAST(sum(CASE WHEN cost_nano_usd IS NULL THEN output_token_count END) AS BIGINT) AS output_tokens,
        max(CASE WHEN cost_nano_usd IS NULL THEN start_time END) AS last_time
    FROM logs
    GROUP BY provider, model
)
SELECT provider, model, request_count - priced_count AS unpriced_count,
    (request_count - priced_count) / request_count AS unpriced_share, counted_count,
    request_count - priced_count - counted_count AS uncounted_count, input_tokens, output_tokens, last_time
FROM grouped
WHERE request_count > priced_count
ORDER BY unpriced_count DESC, provider, model
LIMIT $limit
