-- Every report in the SQL of ClickHouse. Made by `make docs` from analytics/reports/sql; do not edit.
-- How to use it, and what was tried: docs/scaling.md. What columns and parameters mean: docs/reports.md.
--
-- In the view, change the lake, the project and the UTC days. In a report, change values that are marked
-- with a parameter's name, and the expression AS value, which is the dimension. The marks window_middle,
-- month_start and month_share follow from the view's days: their middle, the first day of the month in which
-- they end, and the share of that month that they hold.

CREATE OR REPLACE VIEW logs AS
SELECT * FROM file('/lake/project_id=default/date=*/hour=*/logs.parquet', Parquet)
WHERE date >= DATE '2026-11-01' AND date < DATE '2026-12-01';

-- Cache hits and what they saved (cache-savings)
WITH calls AS (
  SELECT
    provider,
    model,
    cost_nano_usd AS cost,
    input_token_count AS input,
    output_token_count AS output,
    CAST(input_token_count AS Nullable(Float64)) AS x,
    CAST(COALESCE(output_token_count, 0) AS Nullable(Float64)) AS y,
    cache_read_token_count AS hits,
    cache_write_token_count AS writes,
    COALESCE(cache_read_token_count, 0) > 0
    OR COALESCE(cache_write_token_count, 0) > 0 AS cached
  FROM logs
  WHERE
    NOT (
      input_token_count IS NULL
    )
), sums AS (
  SELECT
    provider,
    model,
    COUNT(*) AS request_count,
    COUNT(CASE WHEN hits > 0 THEN 1 END) AS hit_count,
    accurateCastOrNull(SUM(CAST(input, 'Nullable(Int128)')), 'Int64') AS input_tokens,
    accurateCastOrNull(SUM(CAST(hits, 'Nullable(Int128)')), 'Int64') AS cache_read_tokens,
    accurateCastOrNull(SUM(CAST(writes, 'Nullable(Int128)')), 'Int64') AS cache_write_tokens,
    SUM(CAST(hits AS Nullable(Float64))) / nullIf(SUM(x), 0) AS hit_share,
    accurateCastOrNull(SUM(CAST(CASE WHEN cached THEN cost END, 'Nullable(Int128)')), 'Int64') AS total_cost_nano_usd,
    SUM(CASE WHEN cached AND NOT (
      cost IS NULL
    ) THEN x END) AS cached_x,
    SUM(CASE WHEN cached AND NOT (
      cost IS NULL
    ) THEN y END) AS cached_y,
    SUM(CASE WHEN NOT cached AND NOT (
      cost IS NULL
    ) THEN x * x END) AS xx,
    SUM(CASE WHEN NOT cached AND NOT (
      cost IS NULL
    ) THEN x * y END) AS xy,
    SUM(CASE WHEN NOT cached AND NOT (
      cost IS NULL
    ) THEN y * y END) AS yy,
    SUM(CASE WHEN NOT cached THEN x * cost END) AS xc,
    SUM(CASE WHEN NOT cached THEN y * cost END) AS yc
  FROM calls
  GROUP BY
    provider,
    model
), fitted AS (
  SELECT
    provider,
    model,
    CASE
      WHEN xx * yy - xy * xy > 0.000001 * xx * yy
      THEN (
        cached_x * (
          xc * yy - yc * xy
        ) + cached_y * (
          yc * xx - xc * xy
        )
      ) / (
        xx * yy - xy * xy
      )
    END AS uncached
  FROM sums
)
SELECT
  sums.provider,
  sums.model,
  sums.request_count,
  sums.hit_count,
  sums.input_tokens,
  sums.cache_read_tokens,
  sums.cache_write_tokens,
  sums.hit_share,
  sums.total_cost_nano_usd,
  fitted.uncached AS uncached_cost_nano_usd,
  fitted.uncached - sums.total_cost_nano_usd AS saved_nano_usd
FROM sums
JOIN fitted
  ON fitted.provider = sums.provider AND fitted.model = sums.model
ORDER BY
  sums.input_tokens DESC,
  sums.provider,
  sums.model
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Cancelled calls (cancelled-calls)
WITH marked AS (
  SELECT
    model AS value,
    outcome = 'cancelled' AS cancelled,
    latency_us AS duration_us,
    time_to_first_token_us AS ttft_us,
    output_token_count AS tokens,
    cost_nano_usd AS cost
  FROM logs
), grouped AS (
  SELECT
    value,
    COUNT(*) AS request_count,
    COUNT(CASE WHEN cancelled THEN 1 END) AS cancelled_count,
    quantileExactInclusive(0.5)(CASE WHEN cancelled THEN duration_us END) AS p50_cancelled_us,
    COUNT(CASE WHEN cancelled AND ttft_us IS NULL THEN 1 END) AS before_first_token_count,
    accurateCastOrNull(SUM(CAST(CASE WHEN cancelled THEN tokens END, 'Nullable(Int128)')), 'Int64') AS cancelled_output_tokens,
    accurateCastOrNull(SUM(CAST(CASE WHEN cancelled THEN cost END, 'Nullable(Int128)')), 'Int64') AS cancelled_cost_nano_usd
  FROM marked
  GROUP BY
    value
)
SELECT
  value,
  request_count,
  cancelled_count,
  cancelled_count / request_count AS cancelled_share,
  p50_cancelled_us,
  before_first_token_count,
  cancelled_output_tokens,
  cancelled_cost_nano_usd
FROM grouped
ORDER BY
  cancelled_share DESC,
  cancelled_count DESC,
  value
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Cost by day (cost-by-day)
SELECT
  date,
  model AS value,
  COUNT(*) AS request_count,
  COUNT(*) - COUNT(cost_nano_usd) AS unpriced_count,
  accurateCastOrNull(SUM(CAST(cost_nano_usd, 'Nullable(Int128)')), 'Int64') AS total_cost_nano_usd
FROM logs
GROUP BY
  date,
  value
ORDER BY
  date,
  total_cost_nano_usd DESC,
  value
SETTINGS join_use_nulls = 1;

-- Forecast of the month (cost-forecast)
WITH month AS (
  SELECT
    'all' AS value,
    COUNT(*) AS request_count,
    COUNT(cost_nano_usd) AS priced_count,
    accurateCastOrNull(SUM(CAST(cost_nano_usd, 'Nullable(Int128)')), 'Int64') AS total_cost_nano_usd
  FROM logs
  WHERE
    start_time >= toDateTime64('2026-11-01 00:00:00.000000', 6, 'UTC') /* month_start */
  GROUP BY
    value
)
SELECT
  value,
  request_count,
  request_count - priced_count AS unpriced_count,
  total_cost_nano_usd,
  CAST(1.0 /* month_share */ AS Nullable(Float64)) AS month_share,
  total_cost_nano_usd / CAST(1.0 /* month_share */ AS Nullable(Float64)) AS forecast_cost_nano_usd
FROM month
ORDER BY
  total_cost_nano_usd DESC,
  request_count DESC,
  value
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Cost (cost)
WITH grouped AS (
  SELECT
    user_id AS value,
    COUNT(*) AS request_count,
    COUNT(cost_nano_usd) AS priced_count,
    accurateCastOrNull(SUM(CAST(cost_nano_usd, 'Nullable(Int128)')), 'Int64') AS total_cost_nano_usd,
    AVG(toFloat64(cost_nano_usd)) AS cost_per_request_nano_usd,
    accurateCastOrNull(SUM(CAST(input_token_count, 'Nullable(Int128)')), 'Int64') AS input_tokens,
    accurateCastOrNull(SUM(CAST(output_token_count, 'Nullable(Int128)')), 'Int64') AS output_tokens
  FROM logs
  GROUP BY
    value
)
SELECT
  value,
  request_count,
  request_count - priced_count AS unpriced_count,
  total_cost_nano_usd,
  total_cost_nano_usd / nullIf(SUM(CAST(total_cost_nano_usd AS Nullable(Float64))) OVER (), 0) AS cost_share,
  cost_per_request_nano_usd,
  input_tokens,
  output_tokens
FROM grouped
ORDER BY
  total_cost_nano_usd DESC,
  request_count DESC,
  value
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Daily summary (daily-summary)
SELECT
  date,
  COUNT(*) AS request_count,
  COUNT(DISTINCT nullIf(user_id, '')) AS user_count,
  COUNT(CASE WHEN outcome = 'error' THEN 1 END) / COUNT(*) AS error_share,
  quantileExactInclusive(0.5)(CASE WHEN outcome = 'success' THEN latency_us END) AS p50_latency_us,
  quantileExactInclusive(0.95)(CASE WHEN outcome = 'success' THEN latency_us END) AS p95_latency_us,
  accurateCastOrNull(SUM(CAST(input_token_count, 'Nullable(Int128)')), 'Int64') AS input_tokens,
  accurateCastOrNull(SUM(CAST(output_token_count, 'Nullable(Int128)')), 'Int64') AS output_tokens,
  COUNT(*) - COUNT(cost_nano_usd) AS unpriced_count,
  accurateCastOrNull(SUM(CAST(cost_nano_usd, 'Nullable(Int128)')), 'Int64') AS total_cost_nano_usd
FROM logs
GROUP BY
  date
ORDER BY
  date
SETTINGS join_use_nulls = 1;

-- Error clusters (error-clusters)
WITH failed AS (
  SELECT
    provider,
    error_code,
    model,
    start_time,
    log_id,
    replaceRegexpAll(
      error_message,
      '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|0x[0-9a-fA-F]+|[a-z]+_[0-9A-Za-z]{10,}|[0-9a-f]{16,}|[0-9]+(\\.[0-9]+)*',
      '#'
    ) AS template
  FROM logs
  WHERE
    outcome = 'error'
), clusters AS (
  SELECT
    provider,
    error_code,
    template,
    COUNT(*) AS error_count,
    COUNT(DISTINCT model) AS model_count,
    MIN(start_time) AS first_time,
    MAX(start_time) AS last_time,
    MAX(log_id) AS example_log_id
  FROM failed
  GROUP BY
    provider,
    error_code,
    template
)
SELECT
  provider,
  error_code,
  template,
  error_count,
  error_count / SUM(error_count) OVER () AS error_share,
  model_count,
  first_time,
  last_time,
  example_log_id
FROM clusters
ORDER BY
  error_count DESC,
  provider,
  error_code,
  template
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Error rates (error-rates)
WITH grouped AS (
  SELECT
    model AS value,
    COUNT(*) AS request_count,
    COUNT(CASE WHEN outcome = 'error' THEN 1 END) AS error_count,
    COUNT(CASE WHEN outcome = 'error' AND http_status = 429 THEN 1 END) AS rate_limited_count,
    COUNT(CASE WHEN outcome = 'error' AND http_status >= 500 THEN 1 END) AS server_error_count
  FROM logs
  GROUP BY
    value
)
SELECT
  value,
  request_count,
  error_count,
  error_count / request_count AS error_share,
  rate_limited_count,
  server_error_count
FROM grouped
WHERE
  request_count >= 1 /* min_requests */
ORDER BY
  error_share DESC,
  error_count DESC,
  value
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Expensive calls (expensive-calls)
WITH dearest AS (
  SELECT
    cost_nano_usd AS cost
  FROM logs
  WHERE
    NOT (
      cost_nano_usd IS NULL
    )
  ORDER BY
    cost DESC
  LIMIT 50 /* limit */
)
/* Numbers alone say how dear a call must be to be shown; texts are read of few calls. */
SELECT
  log_id,
  start_time,
  provider,
  model,
  user_id,
  cost_nano_usd,
  input_token_count,
  output_token_count,
  input_preview
FROM logs
WHERE
  cost_nano_usd >= (
    SELECT
      MIN(cost)
    FROM dearest
  )
ORDER BY
  cost_nano_usd DESC,
  log_id
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Finish reasons (finish-reasons)
WITH grouped AS (
  SELECT
    model AS value,
    finish_reason,
    COUNT(*) AS request_count,
    AVG(toFloat64(output_token_count)) AS average_output_tokens
  FROM logs
  WHERE
    outcome = 'success'
  GROUP BY
    value,
    finish_reason
)
SELECT
  value,
  finish_reason,
  request_count,
  request_count / SUM(request_count) OVER (PARTITION BY value) AS request_share,
  average_output_tokens
FROM grouped
ORDER BY
  value,
  request_count DESC,
  finish_reason
SETTINGS join_use_nulls = 1;

-- Top growing users (growing-users)
WITH measured AS (
  SELECT
    user_id AS value,
    CASE
      WHEN start_time < toDateTime64('2026-11-16 00:00:00.000000', 6, 'UTC') /* window_middle */
      THEN 1
    END AS early,
    CASE
      WHEN start_time >= toDateTime64('2026-11-16 00:00:00.000000', 6, 'UTC') /* window_middle */
      THEN 1
    END AS late
  FROM logs
), halves AS (
  SELECT
    value,
    accurateCastOrNull(SUM(CAST(early, 'Nullable(Int128)')), 'Int64') AS first_half,
    accurateCastOrNull(SUM(CAST(late, 'Nullable(Int128)')), 'Int64') AS second_half
  FROM measured
  WHERE
    value <> ''
  GROUP BY
    value
)
SELECT
  value,
  first_half,
  second_half,
  COALESCE(second_half, 0) - COALESCE(first_half, 0) AS growth,
  (
    COALESCE(second_half, 0) - first_half
  ) / nullIf(first_half, 0) AS growth_ratio
FROM halves
ORDER BY
  growth DESC,
  value
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Hours of the day (hours-of-day)
WITH calls AS (
  SELECT
    model AS value,
    CAST(hour AS Nullable(Int64)) AS hour_of_day,
    outcome,
    cost_nano_usd AS cost,
    CASE WHEN outcome = 'success' THEN latency_us END AS duration_us
  FROM logs
)
SELECT
  value,
  hour_of_day AS hour,
  COUNT(*) AS request_count,
  COUNT(CASE WHEN outcome = 'error' THEN 1 END) / COUNT(*) AS error_share,
  quantileExactInclusive(0.5)(duration_us) AS p50_latency_us,
  quantileExactInclusive(0.95)(duration_us) AS p95_latency_us,
  accurateCastOrNull(SUM(CAST(cost, 'Nullable(Int128)')), 'Int64') AS total_cost_nano_usd
FROM calls
GROUP BY
  value,
  hour_of_day
ORDER BY
  value,
  hour_of_day
SETTINGS join_use_nulls = 1;

-- Latency percentiles (latency-percentiles)
WITH timed AS (
  SELECT
    model AS value,
    latency_us AS duration_us
  FROM logs
  WHERE
    outcome = 'success' AND NOT (
      latency_us IS NULL
    )
)
SELECT
  value,
  COUNT(*) AS request_count,
  AVG(toFloat64(duration_us)) AS average_us,
  quantileExactInclusive(0.5)(duration_us) AS p50_us,
  quantileExactInclusive(0.9)(duration_us) AS p90_us,
  quantileExactInclusive(0.95)(duration_us) AS p95_us,
  quantileExactInclusive(0.99)(duration_us) AS p99_us,
  MAX(duration_us) AS longest_us
FROM timed
GROUP BY
  value
ORDER BY
  request_count DESC,
  value
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Retry storms (retry-storms)
WITH wasted AS (
  SELECT
    dateTrunc('MINUTE', start_time) AS began,
    provider,
    model,
    session_id,
    COALESCE(retry_count, 0) AS retries,
    CASE WHEN outcome = 'error' THEN 1 ELSE 0 END AS failed,
    CASE WHEN outcome = 'error' AND http_status = 429 THEN 1 ELSE 0 END AS limited
  FROM logs
  WHERE
    outcome = 'error' OR retry_count > 0
), minutes AS (
  SELECT
    began,
    provider,
    model,
    CAST(SUM(failed + CAST(retries AS Nullable(Int64))) AS Nullable(Int64)) AS wasted_attempts,
    CAST(SUM(failed) AS Nullable(Int64)) AS error_count,
    CAST(SUM(retries) AS Nullable(Int64)) AS retry_total,
    CAST(SUM(limited) AS Nullable(Int64)) AS rate_limited_count,
    COUNT(DISTINCT session_id) AS session_count
  FROM wasted
  GROUP BY
    began,
    provider,
    model
)
SELECT
  began AS minute,
  provider,
  model,
  wasted_attempts,
  error_count,
  retry_total AS retry_count,
  rate_limited_count,
  session_count
FROM minutes
WHERE
  wasted_attempts >= 10 /* min_attempts */
ORDER BY
  wasted_attempts DESC,
  minute,
  provider,
  model
LIMIT 100 /* limit */
SETTINGS join_use_nulls = 1;

-- Lengths of sessions (session-lengths)
WITH grouped AS (
  SELECT
    session_id,
    MIN(start_time) AS first_time,
    MAX(start_time) AS last_time,
    COUNT(*) AS calls,
    accurateCastOrNull(SUM(CAST(cost_nano_usd, 'Nullable(Int128)')), 'Int64') AS cost
  FROM logs
  GROUP BY
    session_id
), timed AS (
  SELECT
    toUnixTimestamp(dateTrunc('SECOND', last_time)) - toUnixTimestamp(dateTrunc('SECOND', first_time)) AS duration_s,
    cost,
    CASE
      WHEN calls < 2
      THEN 1
      WHEN calls < 3
      THEN 2
      WHEN calls < 5
      THEN 3
      WHEN calls < 10
      THEN 5
      WHEN calls < 20
      THEN 10
      WHEN calls < 50
      THEN 20
      WHEN calls < 100
      THEN 50
      WHEN calls < 200
      THEN 100
      WHEN calls < 500
      THEN 200
      WHEN calls < 1000
      THEN 500
      ELSE 1000
    END AS length_class
  FROM grouped
), classes AS (
  SELECT
    CAST(length_class AS Nullable(Int64)) AS calls_from,
    COUNT(*) AS session_count,
    quantileExactInclusive(0.5)(duration_s) AS p50_duration_s,
    AVG(toFloat64(cost)) AS average_cost_nano_usd,
    accurateCastOrNull(SUM(CAST(cost, 'Nullable(Int128)')), 'Int64') AS total_cost_nano_usd
  FROM timed
  GROUP BY
    length_class
)
SELECT
  calls_from,
  session_count,
  session_count / SUM(session_count) OVER () AS session_share,
  p50_duration_s,
  average_cost_nano_usd,
  total_cost_nano_usd
FROM classes
ORDER BY
  calls_from
SETTINGS join_use_nulls = 1;

-- Sessions (sessions)
WITH grouped AS (
  SELECT
    session_id,
    MAX(user_id) AS last_user,
    MIN(start_time) AS first_time,
    MAX(start_time) AS last_time,
    COUNT(*) AS request_count,
    COUNT(CASE WHEN outcome = 'error' THEN 1 END) AS error_count,
    accurateCastOrNull(SUM(CAST(input_token_count, 'Nullable(Int128)')), 'Int64') AS input_tokens,
    accurateCastOrNull(SUM(CAST(output_token_count, 'Nullable(Int128)')), 'Int64') AS output_tokens,
    COUNT(*) - COUNT(cost_nano_usd) AS unpriced_count,
    accurateCastOrNull(SUM(CAST(cost_nano_usd, 'Nullable(Int128)')), 'Int64') AS total_cost_nano_usd
  FROM logs
  GROUP BY
    session_id
), timed AS (
  SELECT
    session_id,
    last_user,
    first_time,
    CAST(toUnixTimestamp(dateTrunc('SECOND', last_time)) - toUnixTimestamp(dateTrunc('SECOND', first_time)) AS Nullable(Int64)) AS duration_s,
    request_count,
    error_count,
    input_tokens,
    output_tokens,
    unpriced_count,
    total_cost_nano_usd
  FROM grouped
)
SELECT
  session_id,
  last_user AS user_id,
  first_time,
  duration_s,
  request_count,
  error_count,
  input_tokens,
  output_tokens,
  unpriced_count,
  total_cost_nano_usd
FROM timed
ORDER BY
  total_cost_nano_usd DESC,
  session_id
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Slow calls (slow-calls)
WITH durations AS (
  SELECT
    model AS value,
    latency_us AS duration,
    ROW_NUMBER() OVER (PARTITION BY model ORDER BY latency_us DESC) AS place
  FROM logs
  WHERE
    outcome = 'success' AND latency_us >= 0 /* min_latency_us */
), bounds /* Numbers alone say how slow a call must be to be shown; texts are read of few calls. */ AS (
  SELECT
    value,
    MIN(duration) AS least
  FROM durations
  WHERE
    place <= 5 /* examples */
  GROUP BY
    value
), slow AS (
  SELECT
    model AS value,
    latency_us,
    time_to_first_token_us,
    output_token_count,
    start_time,
    log_id,
    provider,
    model,
    input_preview
  FROM logs
  WHERE
    outcome = 'success' AND latency_us >= (
      SELECT
        MIN(least)
      FROM bounds
    )
), ranked AS (
  SELECT
    slow.value,
    ROW_NUMBER() OVER (PARTITION BY slow.value ORDER BY latency_us DESC, log_id) AS place,
    latency_us,
    time_to_first_token_us,
    output_token_count,
    start_time,
    log_id,
    provider,
    model,
    input_preview
  FROM slow
  JOIN bounds
    ON bounds.value = slow.value AND slow.latency_us >= bounds.least
)
SELECT
  value,
  place,
  latency_us,
  time_to_first_token_us,
  output_token_count,
  start_time,
  log_id,
  provider,
  model,
  input_preview
FROM ranked
WHERE
  place <= 5 /* examples */
ORDER BY
  value,
  place
SETTINGS join_use_nulls = 1;

-- Sizes of prompts and answers (token-distribution)
WITH sized AS (
  SELECT
    'all' AS value,
    cost_nano_usd,
    CASE
      WHEN input_token_count < 1
      THEN 0
      WHEN input_token_count < 10
      THEN 1
      WHEN input_token_count < 20
      THEN 10
      WHEN input_token_count < 50
      THEN 20
      WHEN input_token_count < 100
      THEN 50
      WHEN input_token_count < 200
      THEN 100
      WHEN input_token_count < 500
      THEN 200
      WHEN input_token_count < 1000
      THEN 500
      WHEN input_token_count < 2000
      THEN 1000
      WHEN input_token_count < 5000
      THEN 2000
      WHEN input_token_count < 10000
      THEN 5000
      WHEN input_token_count < 20000
      THEN 10000
      WHEN input_token_count < 50000
      THEN 20000
      WHEN input_token_count < 100000
      THEN 50000
      WHEN input_token_count < 200000
      THEN 100000
      WHEN input_token_count < 500000
      THEN 200000
      WHEN input_token_count < 1000000
      THEN 500000
      ELSE 1000000
    END AS size
  FROM logs
  WHERE
    NOT (
      input_token_count IS NULL
    )
), counted AS (
  SELECT
    value,
    CAST(size AS Nullable(Int64)) AS tokens_from,
    COUNT(*) AS request_count,
    accurateCastOrNull(SUM(CAST(cost_nano_usd, 'Nullable(Int128)')), 'Int64') AS total_cost_nano_usd
  FROM sized
  GROUP BY
    value,
    size
)
SELECT
  value,
  tokens_from,
  request_count,
  request_count / SUM(request_count) OVER (PARTITION BY value) AS request_share,
  SUM(request_count) OVER (PARTITION BY value ORDER BY tokens_from) / SUM(request_count) OVER (PARTITION BY value) AS cumulative_share,
  total_cost_nano_usd
FROM counted
ORDER BY
  value,
  tokens_from
SETTINGS join_use_nulls = 1;

-- Tokens per second (tokens-per-second)
WITH calls AS (
  SELECT
    model AS value,
    output_token_count AS tokens,
    CAST(output_token_count AS Nullable(Float64)) * 1000000 / latency_us AS speed,
    CASE
      WHEN streamed AND output_token_count > 1 AND time_to_first_token_us < latency_us
      THEN CAST(output_token_count - 1 AS Nullable(Float64)) * 1000000 / (
        latency_us - time_to_first_token_us
      )
    END AS streamed_speed
  FROM logs
  WHERE
    outcome = 'success' AND output_token_count > 0 AND latency_us > 0
)
SELECT
  value,
  COUNT(*) AS request_count,
  accurateCastOrNull(SUM(CAST(tokens, 'Nullable(Int128)')), 'Int64') AS output_tokens,
  quantileExactInclusive(0.1)(speed) AS p10_tokens_per_second,
  quantileExactInclusive(0.5)(speed) AS p50_tokens_per_second,
  COUNT(streamed_speed) AS streamed_count,
  quantileExactInclusive(0.1)(streamed_speed) AS p10_streamed_tokens_per_second,
  quantileExactInclusive(0.5)(streamed_speed) AS p50_streamed_tokens_per_second
FROM calls
GROUP BY
  value
ORDER BY
  request_count DESC,
  value
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Time to first token against length of the answer (ttft-by-output-length)
WITH streams AS (
  SELECT
    'all' AS value,
    intDiv(output_token_count, 100 /* bin_tokens */) AS bin,
    time_to_first_token_us AS ttft_us,
    latency_us AS duration_us
  FROM logs
  WHERE
    outcome = 'success'
    AND streamed
    AND NOT (
      time_to_first_token_us IS NULL
    )
    AND NOT (
      output_token_count IS NULL
    )
)
SELECT
  value,
  CAST(bin * 100 /* bin_tokens */ AS Nullable(Int64)) AS tokens_from,
  COUNT(*) AS request_count,
  quantileExactInclusive(0.5)(ttft_us) AS p50_ttft_us,
  quantileExactInclusive(0.95)(ttft_us) AS p95_ttft_us,
  quantileExactInclusive(0.5)(duration_us) AS p50_latency_us
FROM streams
GROUP BY
  value,
  bin
ORDER BY
  value,
  tokens_from
SETTINGS join_use_nulls = 1;

-- Unpriced models (unpriced-models)
WITH grouped AS (
  SELECT
    provider,
    model,
    COUNT(*) AS request_count,
    COUNT(cost_nano_usd) AS priced_count,
    COUNT(
      CASE
        WHEN cost_nano_usd IS NULL
        AND (
          NOT (
            input_token_count IS NULL
          ) OR NOT (
            output_token_count IS NULL
          )
        )
        THEN 1
      END
    ) AS counted_count,
    accurateCastOrNull(
      SUM(
        CAST(CASE WHEN cost_nano_usd IS NULL THEN input_token_count END, 'Nullable(Int128)')
      ),
      'Int64'
    ) AS input_tokens,
    accurateCastOrNull(
      SUM(
        CAST(CASE WHEN cost_nano_usd IS NULL THEN output_token_count END, 'Nullable(Int128)')
      ),
      'Int64'
    ) AS output_tokens,
    MAX(CASE WHEN cost_nano_usd IS NULL THEN start_time END) AS last_time
  FROM logs
  GROUP BY
    provider,
    model
)
SELECT
  provider,
  model,
  request_count - priced_count AS unpriced_count,
  (
    request_count - priced_count
  ) / request_count AS unpriced_share,
  counted_count,
  request_count - priced_count - counted_count AS uncounted_count,
  input_tokens,
  output_tokens,
  last_time
FROM grouped
WHERE
  request_count > priced_count
ORDER BY
  unpriced_count DESC,
  provider,
  model
LIMIT 50 /* limit */
SETTINGS join_use_nulls = 1;

-- Week over week (week-over-week)
WITH dated AS (
  SELECT
    'all' AS value,
    CAST(dateTrunc('WEEK', date) AS Nullable(DATE)) AS week,
    date AS day,
    outcome,
    cost_nano_usd,
    CASE WHEN outcome = 'success' THEN latency_us END AS success_latency_us
  FROM logs
), weeks AS (
  SELECT
    value,
    week,
    CAST(week + INTERVAL '7' DAY AS Nullable(DATE)) AS next_week,
    COUNT(DISTINCT day) AS day_count,
    COUNT(*) AS request_count,
    COUNT(CASE WHEN outcome = 'error' THEN 1 END) / COUNT(*) AS error_share,
    AVG(toFloat64(success_latency_us)) AS average_latency_us,
    accurateCastOrNull(SUM(CAST(cost_nano_usd, 'Nullable(Int128)')), 'Int64') AS total_cost_nano_usd
  FROM dated
  GROUP BY
    value,
    week
)
SELECT
  this.value,
  this.week,
  this.day_count,
  this.request_count,
  this.request_count / before.request_count - 1 AS request_change,
  this.error_share,
  before.error_share AS previous_error_share,
  this.average_latency_us,
  this.average_latency_us / nullIf(before.average_latency_us, 0) - 1 AS latency_change,
  this.total_cost_nano_usd,
  this.total_cost_nano_usd / nullIf(before.total_cost_nano_usd, 0) - 1 AS cost_change
FROM weeks AS this
LEFT JOIN weeks AS before
  ON before.value = this.value AND before.next_week = this.week
ORDER BY
  this.value,
  this.week
SETTINGS join_use_nulls = 1;
