-- title: Cost
-- answers: What calls cost, by user, model, or any other dimension.
-- parameter: dimension dimension = user | What calls are grouped by.
-- parameter: limit integer = 50 (1 to 10000) | Groups to show, the dearest first.
-- column: value VARCHAR | Value of the dimension.
-- column: request_count BIGINT | Calls.
-- column: unpriced_count BIGINT | Calls whose cost is unknown, and which the sums leave out.
-- column: total_cost_nano_usd BIGINT | Cost, in billionths of a US dollar; null where no call's cost is known.
-- column: cost_share DOUBLE | Share of all known cost, from 0 to 1.
-- column: cost_per_request_nano_usd DOUBLE | Average cost of a priced call.
-- column: input_tokens BIGINT | Input tokens, where they are known.
-- column: output_tokens BIGINT | Output tokens, where they are known.
WITH grouped AS (
    SELECT {dimension} AS value, count(*) AS request_count, count(cost_nano_usd) AS priced_count,
        TRY_CAST(sum(cost_nano_usd) AS BIGINT) AS total_cost_nano_usd, avg(cost_nano_usd) AS cost_per_request_nano_usd,
        TRY_CAST(sum(input_token_count) AS BIGINT) AS input_tokens,
        TRY_CAST(sum(output_token_count) AS BIGINT) AS output_tokens
    FROM logs
    GROUP BY value
)
SELECT value, request_count, request_count - priced_count AS unpriced_count, total_cost_nano_usd,
    total_cost_nano_usd / nullif(sum(CAST(total_cost_nano_usd AS DOUBLE)) OVER (), 0) AS cost_share,
    cost_per_request_nano_usd, input_tokens, output_tokens
FROM grouped
ORDER BY total_cost_nano_usd DESC NULLS LAST, request_count DESC, value
LIMIT $limit
