-- title: Cache hits and what they saved
-- answers: Which share of input tokens came from the provider's cache, and what that saved.
-- parameter: limit integer = 50 (1 to 10000) | Models to show, those with the most input tokens first.
-- column: provider VARCHAR | Provider.
-- column: model VARCHAR | Model.
-- column: request_count BIGINT | Calls whose input tokens are known.
-- column: hit_count BIGINT | Calls that read from the cache.
-- column: input_tokens BIGINT | Input tokens, those from the cache included.
-- column: cache_read_tokens BIGINT | Input tokens from the cache.
-- column: cache_write_tokens BIGINT | Input tokens that were written to the cache.
-- column: hit_share DOUBLE | Share of input tokens that came from the cache, from 0 to 1.
-- column: total_cost_nano_usd BIGINT | Cost of the priced calls that used the cache, in billionths of a US dollar.
-- column: uncached_cost_nano_usd DOUBLE | What these would have cost without a cache, by the prices of a token that the
--     model's calls without a cache were charged (a least-squares fit); null where those do not say.
-- column: saved_nano_usd DOUBLE | The difference; negative where writing to the cache cost more than reading saved.
WITH calls AS (
    SELECT provider, model, cost_nano_usd AS cost, input_token_count AS input, output_token_count AS output,
        CAST(input_token_count AS DOUBLE) AS x, CAST(coalesce(output_token_count, 0) AS DOUBLE) AS y,
        cache_read_token_count AS hits, cache_write_token_count AS writes,
        coalesce(cache_read_token_count, 0) > 0 OR coalesce(cache_write_token_count, 0) > 0 AS cached
    FROM logs
    WHERE input_token_count IS NOT NULL
),
sums AS (
    SELECT provider, model, count(*) AS request_count, count(CASE WHEN hits > 0 THEN 1 END) AS hit_count,
        TRY_CAST(sum(input) AS BIGINT) AS input_tokens, TRY_CAST(sum(hits) AS BIGINT) AS cache_read_tokens,
        TRY_CAST(sum(writes) AS BIGINT) AS cache_write_tokens,
        sum(CAST(hits AS DOUBLE)) / nullif(sum(x), 0) AS hit_share,
        TRY_CAST(sum(CASE WHEN cached THEN cost END) AS BIGINT) AS total_cost_nano_usd,
        sum(CASE WHEN cached AND cost IS NOT NULL THEN x END) AS cached_x,
        sum(CASE WHEN cached AND cost IS NOT NULL THEN y END) AS cached_y,
        sum(CASE WHEN NOT cached AND cost IS NOT NULL THEN x * x END) AS xx,
        sum(CASE WHEN NOT cached AND cost IS NOT NULL THEN x * y END) AS xy,
        sum(CASE WHEN NOT cached AND cost IS NOT NULL THEN y * y END) AS yy,
        sum(CASE WHEN NOT cached THEN x * cost END) AS xc,
        sum(CASE WHEN NOT cached THEN y * cost END) AS yc
    FROM calls
    GROUP BY provider, model
),
fitted AS (
    SELECT provider, model,
        CASE WHEN xx * yy - xy * xy > 0.000001 * xx * yy
            THEN (cached_x * (xc * yy - yc * xy) + cached_y * (yc * xx - xc * xy)) / (xx * yy - xy * xy)
        END AS uncached
    FROM sums
)
SELECT sums.provider, sums.model, sums.request_count, sums.hit_count, sums.input_tokens, sums.cache_read_tokens,
    sums.cache_write_tokens, sums.hit_share, sums.total_cost_nano_usd, fitted.uncached AS uncached_cost_nano_usd,
    fitted.uncached - sums.total_cost_nano_usd AS saved_nano_usd
FROM sums
JOIN fitted ON fitted.provider = sums.provider AND fitted.model = sums.model
ORDER BY sums.input_tokens DESC NULLS LAST, sums.provider, sums.model
LIMIT $limit
