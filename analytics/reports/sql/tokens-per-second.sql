-- title: Tokens per second
-- answers: How fast models write, over whole calls and, where they stream, after the first token.
-- parameter: dimension dimension = model | What calls are grouped by.
-- parameter: limit integer = 50 (1 to 10000) | Groups to show, those with the most calls first.
-- column: value VARCHAR | Value of the dimension.
-- column: request_count BIGINT | Successful calls with an answer whose tokens and latency are known.
-- column: output_tokens BIGINT | Tokens of their answers.
-- column: p10_tokens_per_second DOUBLE | A tenth of calls is slower: tokens of the answer by the call's whole latency.
-- column: p50_tokens_per_second DOUBLE | Median of the same.
-- column: streamed_count BIGINT | Those that streamed two tokens or more, with a known time to the first.
-- column: p10_streamed_tokens_per_second DOUBLE | A tenth of these is slower: tokens after the first by the time after it.
-- column: p50_streamed_tokens_per_second DOUBLE | Median of the same; null where nothing was streamed.
WITH calls AS (
    SELECT {dimension} AS value, output_token_count AS tokens,
        CAST(output_token_count AS DOUBLE) * 1000000 / latency_us AS speed,
        CASE WHEN streamed AND output_token_count > 1 AND time_to_first_token_us < latency_us
            THEN CAST(output_token_count - 1 AS DOUBLE) * 1000000 / (latency_us - time_to_first_token_us) END AS streamed_speed
    FROM logs
    WHERE outcome = 'success' AND output_token_count > 0 AND latency_us > 0
)
SELECT value, count(*) AS request_count, TRY_CAST(sum(tokens) AS BIGINT) AS output_tokens,
    quantile_cont(speed, 0.1) AS p10_tokens_per_second, quantile_cont(speed, 0.5) AS p50_tokens_per_second,
    count(streamed_speed) AS streamed_count,
    quantile_cont(streamed_speed, 0.1) AS p10_streamed_tokens_per_second,
    quantile_cont(streamed_speed, 0.5) AS p50_streamed_tokens_per_second
FROM calls
GROUP BY value
ORDER BY request_count DESC, value
LIMIT $limit
