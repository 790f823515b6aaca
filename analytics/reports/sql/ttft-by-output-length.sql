-- title: Time to first token against length of the answer
-- answers: Whether longer answers also begin later.
-- parameter: dimension dimension = all | What calls are grouped by.
-- parameter: bin_tokens integer = 100 (1 to 1000000) | Width of a class of lengths, in tokens.
-- column: value VARCHAR | Value of the dimension.
-- column: tokens_from BIGINT | Fewest tokens of an answer in this class.
-- column: request_count BIGINT | Successful streamed calls whose time to first token is known.
-- column: p50_ttft_us DOUBLE | Median time to first token, in microseconds.
-- column: p95_ttft_us DOUBLE | 95th percentile, in microseconds.
-- column: p50_latency_us DOUBLE | Median latency, in microseconds.
WITH streams AS (
    SELECT {dimension} AS value, output_token_count // $bin_tokens AS bin, time_to_first_token_us AS ttft_us,
        latency_us AS duration_us
    FROM logs
    WHERE outcome = 'success' AND streamed AND time_to_first_token_us IS NOT NULL AND output_token_count IS NOT NULL
)
SELECT value, CAST(bin * $bin_tokens AS BIGINT) AS tokens_from, count(*) AS request_count,
    quantile_cont(ttft_us, 0.5) AS p50_ttft_us, quantile_cont(ttft_us, 0.95) AS p95_ttft_us,
    quantile_cont(duration_us, 0.5) AS p50_latency_us
FROM streams
GROUP BY value, bin
ORDER BY value, tokens_from
