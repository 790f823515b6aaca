-- title: Sizes of prompts and answers
-- answers: How many calls have prompts, or answers, of which size in tokens.
-- parameter: tokens choice = input (input: input_token_count, output: output_token_count, reasoning: reasoning_token_count,
--     cache_read: cache_read_token_count, total: total_token_count) | The tokens that are counted: of the prompt, of the
--     answer, or a part of them.
-- parameter: dimension dimension = all | What calls are grouped by.
-- column: value VARCHAR | Value of the dimension.
-- column: tokens_from BIGINT | Fewest tokens of this size.
-- column: request_count BIGINT | Calls of this size, up to the next one.
-- column: request_share DOUBLE | Share of the calls of this value whose size is known, from 0 to 1.
-- column: cumulative_share DOUBLE | Share of calls of this size or a smaller one.
-- column: total_cost_nano_usd BIGINT | Cost, in billionths of a US dollar; null where no call's cost is known.
WITH sized AS (
    SELECT {dimension} AS value, cost_nano_usd,
        CASE WHEN {tokens} < 1 THEN 0 WHEN {tokens} < 10 THEN 1 WHEN {tokens} < 20 THEN 10 WHEN {tokens} < 50 THEN 20
            WHEN {tokens} < 100 THEN 50 WHEN {tokens} < 200 THEN 100 WHEN {tokens} < 500 THEN 200
            WHEN {tokens} < 1000 THEN 500 WHEN {tokens} < 2000 THEN 1000 WHEN {tokens} < 5000 THEN 2000
            WHEN {tokens} < 10000 THEN 5000 WHEN {tokens} < 20000 THEN 10000 WHEN {tokens} < 50000 THEN 20000
            WHEN {tokens} < 100000 THEN 50000 WHEN {tokens} < 200000 THEN 100000 WHEN {tokens} < 500000 THEN 200000
            WHEN {tokens} < 1000000 THEN 500000 ELSE 1000000 END AS size
    FROM logs
    WHERE {tokens} IS NOT NULL
),
counted AS (
    SELECT value, CAST(size AS BIGINT) AS tokens_from, count(*) AS request_count,
        TRY_CAST(sum(cost_nano_usd) AS BIGINT) AS total_cost_nano_usd
    FROM sized
    GROUP BY value, size
)
SELECT value, tokens_from, request_count,
    request_count / sum(request_count) OVER (PARTITION BY value) AS request_share,
    sum(request_count) OVER (PARTITION BY value ORDER BY tokens_from)
        / sum(request_count) OVER (PARTITION BY value) AS cumulative_share,
    total_cost_nano_usd
FROM counted
ORDER BY value, tokens_from
