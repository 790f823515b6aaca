-- Every report in the SQL of Trino. Made by `make docs` from analytics/reports/sql; do not edit.
-- How to use it, and what was tried: docs/scaling.md. What columns and parameters mean: docs/reports.md.
--
-- In the view, change the lake, the project and the UTC days. In a report, change values that are marked
-- with a parameter's name, and the expression AS value, which is the dimension. The marks window_middle,
-- month_start and month_share follow from the view's days: their middle, the first day of the month in which
-- they end, and the share of that month that they hold.

SET TIME ZONE 'UTC';
CREATE TABLE hive.default.lake_logs (
  log_id VARCHAR,
  start_time TIMESTAMP(6),
  receive_time TIMESTAMP(6),
  end_time TIMESTAMP(6),
  first_token_time TIMESTAMP(6),
  latency_us BIGINT,
  time_to_first_token_us BIGINT,
  input_token_count BIGINT,
  output_token_count BIGINT,
  total_token_count BIGINT,
  cache_read_token_count BIGINT,
  cache_write_token_count BIGINT,
  reasoning_token_count BIGINT,
  cache_write_1h_token_count BIGINT,
  audio_input_token_count BIGINT,
  audio_output_token_count BIGINT,
  cost_nano_usd BIGINT,
  reported_cost_nano_usd BIGINT,
  http_status INTEGER,
  retry_count INTEGER,
  latency_bucket INTEGER,
  ttft_bucket INTEGER,
  streamed BOOLEAN,
  provider VARCHAR,
  model VARCHAR,
  operation VARCHAR,
  environment VARCHAR,
  outcome VARCHAR,
  usage_source VARCHAR,
  session_id VARCHAR,
  conversation_id VARCHAR,
  user_id VARCHAR,
  trace_id VARCHAR,
  span_id VARCHAR,
  parent_span_id VARCHAR,
  response_model VARCHAR,
  error_code VARCHAR,
  error_message VARCHAR,
  finish_reason VARCHAR,
  provider_request_id VARCHAR,
  provider_response_id VARCHAR,
  service_tier VARCHAR,
  server_address VARCHAR,
  source VARCHAR,
  release VARCHAR,
  price_version VARCHAR,
  input_preview VARCHAR,
  output_preview VARCHAR,
  metadata MAP(VARCHAR, VARCHAR),
  tags ARRAY(VARCHAR),
  project_id VARCHAR,
  date DATE,
  hour VARCHAR
) WITH (
  external_location = '/lake',
  format = 'PARQUET',
  partitioned_by = ARRAY['project_id', 'date', 'hour']
);
CALL hive.system.sync_partition_metadata('default', 'lake_logs', 'FULL');
CREATE OR REPLACE VIEW hive.default.logs AS
SELECT
  log_id,
  start_time,
  receive_time,
  end_time,
  first_token_time,
  latency_us,
  time_to_first_token_us,
  input_token_count,
  output_token_count,
  total_token_count,
  cache_read_token_count,
  cache_write_token_count,
  reasoning_token_count,
  cache_write_1h_token_count,
  audio_input_token_count,
  audio_output_token_count,
  cost_nano_usd,
  reported_cost_nano_usd,
  http_status,
  retry_count,
  latency_bucket,
  ttft_bucket,
  streamed,
  provider,
  model,
  operation,
  environment,
  outcome,
  usage_source,
  session_id,
  conversation_id,
  user_id,
  trace_id,
  span_id,
  parent_span_id,
  response_model,
  error_code,
  error_message,
  finish_reason,
  provider_request_id,
  provider_response_id,
  service_tier,
  server_address,
  source,
  release,
  price_version,
  input_preview,
  output_preview,
  metadata,
  tags,
  project_id,
  date,
  CAST(hour AS BIGINT) AS hour
FROM hive.default.lake_logs
WHERE date >= DATE '2026-11-01' AND date < DATE '2026-12-01' AND project_id = 'default';

-- Cache hits and what they saved (cache-savings)
WITH calls AS (
  SELECT
    provider,
    model,
    cost_nano_usd AS cost,
    input_token_count AS input,
    output_token_count AS output,
    CAST(input_token_count AS DOUBLE) AS x,
    CAST(COALESCE(output_token_count, 0) AS DOUBLE) AS y,
    cache_read_token_count AS hits,
    cache_write_token_count AS writes,
    COALESCE(cache_read_token_count, 0) > 0
    OR COALESCE(cache_write_token_count, 0) > 0 AS cached
  FROM logs
  WHERE
    NOT input_token_count IS NULL
), sums AS (
  SELECT
    provider,
    model,
    COUNT(*) AS request_count,
    COUNT(CASE WHEN hits > 0 THEN 1 END) AS hit_count,
    TRY_CAST(SUM(CAST(input AS DECIMAL(38, 0))) AS BIGINT) AS input_tokens,
    TRY_CAST(SUM(CAST(hits AS DECIMAL(38, 0))) AS BIGINT) AS cache_read_tokens,
    TRY_CAST(SUM(CAST(writes AS DECIMAL(38, 0))) AS BIGINT) AS cache_write_tokens,
    CAST(SUM(CAST(hits AS DOUBLE)) AS DOUBLE) / NULLIF(SUM(x), 0) AS hit_share,
    TRY_CAST(SUM(CAST(CASE WHEN cached THEN cost END AS DECIMAL(38, 0))) AS BIGINT) AS total_cost_nano_usd,
    SUM(CASE WHEN cached AND NOT cost IS NULL THEN x END) AS cached_x,
    SUM(CASE WHEN cached AND NOT cost IS NULL THEN y END) AS cached_y,
    SUM(CASE WHEN NOT cached AND NOT cost IS NULL THEN x * x END) AS xx,
    SUM(CASE WHEN NOT cached AND NOT cost IS NULL THEN x * y END) AS xy,
    SUM(CASE WHEN NOT cached AND NOT cost IS NULL THEN y * y END) AS yy,
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
      THEN CAST((
        cached_x * (
          xc * yy - yc * xy
        ) + cached_y * (
          yc * xx - xc * xy
        )
      ) AS DOUBLE) / (
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
LIMIT 50 /* limit */;

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
    APPROX_PERCENTILE(CASE WHEN cancelled THEN duration_us END, 0.5) AS p50_cancelled_us,
    COUNT(CASE WHEN cancelled AND ttft_us IS NULL THEN 1 END) AS before_first_token_count,
    TRY_CAST(SUM(CAST(CASE WHEN cancelled THEN tokens END AS DECIMAL(38, 0))) AS BIGINT) AS cancelled_output_tokens,
    TRY_CAST(SUM(CAST(CASE WHEN cancelled THEN cost END AS DECIMAL(38, 0))) AS BIGINT) AS cancelled_cost_nano_usd
  FROM marked
  GROUP BY
    value
)
SELECT
  value,
  request_count,
  cancelled_count,
  CAST(cancelled_count AS DOUBLE) / request_count AS cancelled_share,
  p50_cancelled_us,
  before_first_token_count,
  cancelled_output_tokens,
  cancelled_cost_nano_usd
FROM grouped
ORDER BY
  cancelled_share DESC,
  cancelled_count DESC,
  value
LIMIT 50 /* limit */;

-- Cost by day (cost-by-day)
SELECT
  date,
  model AS value,
  COUNT(*) AS request_count,
  COUNT(*) - COUNT(cost_nano_usd) AS unpriced_count,
  TRY_CAST(SUM(CAST(cost_nano_usd AS DECIMAL(38, 0))) AS BIGINT) AS total_cost_nano_usd
FROM logs
GROUP BY
  date,
  2
ORDER BY
  date,
  total_cost_nano_usd DESC,
  value;

-- Forecast of the month (cost-forecast)
WITH month AS (
  SELECT
    'all' AS value,
    COUNT(*) AS request_count,
    COUNT(cost_nano_usd) AS priced_count,
    TRY_CAST(SUM(CAST(cost_nano_usd AS DECIMAL(38, 0))) AS BIGINT) AS total_cost_nano_usd
  FROM logs
  WHERE
    start_time >= CAST('2026-11-01 00:00:00.000000 UTC' AS TIMESTAMP WITH TIME ZONE) /* month_start */
  GROUP BY
    1
)
SELECT
  value,
  request_count,
  request_count - priced_count AS unpriced_count,
  total_cost_nano_usd,
  CAST(1.0 /* month_share */ AS DOUBLE) AS month_share,
  total_cost_nano_usd / CAST(1.0 /* month_share */ AS DOUBLE) AS forecast_cost_nano_usd
FROM month
ORDER BY
  total_cost_nano_usd DESC,
  request_count DESC,
  value
LIMIT 50 /* limit */;

-- Cost (cost)
WITH grouped AS (
  SELECT
    user_id AS value,
    COUNT(*) AS request_count,
    COUNT(cost_nano_usd) AS priced_count,
    TRY_CAST(SUM(CAST(cost_nano_usd AS DECIMAL(38, 0))) AS BIGINT) AS total_cost_nano_usd,
    AVG(cost_nano_usd) AS cost_per_request_nano_usd,
    TRY_CAST(SUM(CAST(input_token_count AS DECIMAL(38, 0))) AS BIGINT) AS input_tokens,
    TRY_CAST(SUM(CAST(output_token_count AS DECIMAL(38, 0))) AS BIGINT) AS output_tokens
  FROM logs
  GROUP BY
    1
)
SELECT
  value,
  request_count,
  request_count - priced_count AS unpriced_count,
  total_cost_nano_usd,
  CAST(total_cost_nano_usd AS DOUBLE) / NULLIF(SUM(CAST(total_cost_nano_usd AS DOUBLE)) OVER (), 0) AS cost_share,
  cost_per_request_nano_usd,
  input_tokens,
  output_tokens
FROM grouped
ORDER BY
  total_cost_nano_usd DESC,
  request_count DESC,
  value
LIMIT 50 /* limit */;

-- Daily summary (daily-summary)
SELECT
  date,
  COUNT(*) AS request_count,
  COUNT(DISTINCT NULLIF(user_id, '')) AS user_count,
  CAST(COUNT(CASE WHEN outcome = 'error' THEN 1 END) AS DOUBLE) / COUNT(*) AS error_share,
  APPROX_PERCENTILE(CASE WHEN outcome = 'success' THEN latency_us END, 0.5) AS p50_latency_us,
  APPROX_PERCENTILE(CASE WHEN outcome = 'success' THEN latency_us END, 0.95) AS p95_latency_us,
  TRY_CAST(SUM(CAST(input_token_count AS DECIMAL(38, 0))) AS BIGINT) AS input_tokens,
  TRY_CAST(SUM(CAST(output_token_count AS DECIMAL(38, 0))) AS BIGINT) AS output_tokens,
  COUNT(*) - COUNT(cost_nano_usd) AS unpriced_count,
  TRY_CAST(SUM(CAST(cost_nano_usd AS DECIMAL(38, 0))) AS BIGINT) AS total_cost_nano_usd
FROM logs
GROUP BY
  date
ORDER BY
  date;

-- Error clusters (error-clusters)
WITH failed AS (
  SELECT
    provider,
    error_code,
    model,
    start_time,
    log_id,
    REGEXP_REPLACE(
      error_message,
      '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|0x[0-9a-fA-F]+|[a-z]+_[0-9A-Za-z]{10,}|[0-9a-f]{16,}|[0-9]+(\.[0-9]+)*',
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
  CAST(error_count AS DOUBLE) / SUM(error_count) OVER () AS error_share,
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
LIMIT 50 /* limit */;

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
    1
)
SELECT
  value,
  request_count,
  error_count,
  CAST(error_count AS DOUBLE) / request_count AS error_share,
  rate_limited_count,
  server_error_count
FROM grouped
WHERE
  request_count >= 1 /* min_requests */
ORDER BY
  error_share DESC,
  error_count DESC,
  value
LIMIT 50 /* limit */;

-- Expensive calls (expensive-calls)
WITH dearest AS (
  SELECT
    cost_nano_usd AS cost
  FROM logs
  WHERE
    NOT cost_nano_usd IS NULL
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
LIMIT 50 /* limit */;

-- Finish reasons (finish-reasons)
WITH grouped AS (
  SELECT
    model AS value,
    finish_reason,
    COUNT(*) AS request_count,
    AVG(output_token_count) AS average_output_tokens
  FROM logs
  WHERE
    outcome = 'success'
  GROUP BY
    1,
    finish_reason
)
SELECT
  value,
  finish_reason,
  request_count,
  CAST(request_count AS DOUBLE) / SUM(request_count) OVER (PARTITION BY value) AS request_share,
  average_output_tokens
FROM grouped
ORDER BY
  value,
  request_count DESC,
  finish_reason;

-- Top growing users (growing-users)
WITH measured AS (
  SELECT
    user_id AS value,
    CASE
      WHEN start_time < CAST('2026-11-16 00:00:00.000000 UTC' AS TIMESTAMP WITH TIME ZONE) /* window_middle */
      THEN 1
    END AS early,
    CASE
      WHEN start_time >= CAST('2026-11-16 00:00:00.000000 UTC' AS TIMESTAMP WITH TIME ZONE) /* window_middle */
      THEN 1
    END AS late
  FROM logs
), halves AS (
  SELECT
    value,
    TRY_CAST(SUM(CAST(early AS DECIMAL(38, 0))) AS BIGINT) AS first_half,
    TRY_CAST(SUM(CAST(late AS DECIMAL(38, 0))) AS BIGINT) AS second_half
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
  CAST((
    COALESCE(second_half, 0) - first_half
  ) AS DOUBLE) / NULLIF(first_half, 0) AS growth_ratio
FROM halves
ORDER BY
  growth DESC,
  value
LIMIT 50 /* limit */;

-- Hours of the day (hours-of-day)
WITH calls AS (
  SELECT
    model AS value,
    CAST(hour AS BIGINT) AS hour_of_day,
    outcome,
    cost_nano_usd AS cost,
    CASE WHEN outcome = 'success' THEN latency_us END AS duration_us
  FROM logs
)
SELECT
  value,
  hour_of_day AS hour,
  COUNT(*) AS request_count,
  CAST(COUNT(CASE WHEN outcome = 'error' THEN 1 END) AS DOUBLE) / COUNT(*) AS error_share,
  APPROX_PERCENTILE(duration_us, 0.5) AS p50_latency_us,
  APPROX_PERCENTILE(duration_us, 0.95) AS p95_latency_us,
  TRY_CAST(SUM(CAST(cost AS DECIMAL(38, 0))) AS BIGINT) AS total_cost_nano_usd
FROM calls
GROUP BY
  value,
  hour_of_day
ORDER BY
  value,
  hour_of_day;

-- Latency percentiles (latency-percentiles)
WITH timed AS (
  SELECT
    model AS value,
    latency_us AS duration_us
  FROM logs
  WHERE
    outcome = 'success' AND NOT latency_us IS NULL
)
SELECT
  value,
  COUNT(*) AS request_count,
  AVG(duration_us) AS average_us,
  APPROX_PERCENTILE(duration_us, 0.5) AS p50_us,
  APPROX_PERCENTILE(duration_us, 0.9) AS p90_us,
  APPROX_PERCENTILE(duration_us, 0.95) AS p95_us,
  APPROX_PERCENTILE(duration_us, 0.99) AS p99_us,
  MAX(duration_us) AS longest_us
FROM timed
GROUP BY
  value
ORDER BY
  request_count DESC,
  value
LIMIT 50 /* limit */;

-- Retry storms (retry-storms)
WITH wasted AS (
  SELECT
    DATE_TRUNC('MINUTE', start_time) AS began,
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
    CAST(SUM(failed + CAST(retries AS BIGINT)) AS BIGINT) AS wasted_attempts,
    CAST(SUM(failed) AS BIGINT) AS error_count,
    CAST(SUM(retries) AS BIGINT) AS retry_total,
    CAST(SUM(limited) AS BIGINT) AS rate_limited_count,
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
LIMIT 100 /* limit */;

-- Lengths of sessions (session-lengths)
WITH grouped AS (
  SELECT
    session_id,
    MIN(start_time) AS first_time,
    MAX(start_time) AS last_time,
    COUNT(*) AS calls,
    TRY_CAST(SUM(CAST(cost_nano_usd AS DECIMAL(38, 0))) AS BIGINT) AS cost
  FROM logs
  GROUP BY
    session_id
), timed AS (
  SELECT
    TO_UNIXTIME(DATE_TRUNC('SECOND', last_time)) - TO_UNIXTIME(DATE_TRUNC('SECOND', first_time)) AS duration_s,
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
    CAST(length_class AS BIGINT) AS calls_from,
    COUNT(*) AS session_count,
    APPROX_PERCENTILE(duration_s, 0.5) AS p50_duration_s,
    AVG(cost) AS average_cost_nano_usd,
    TRY_CAST(SUM(CAST(cost AS DECIMAL(38, 0))) AS BIGINT) AS total_cost_nano_usd
  FROM timed
  GROUP BY
    length_class
)
SELECT
  calls_from,
  session_count,
  CAST(session_count AS DOUBLE) / SUM(session_count) OVER () AS session_share,
  p50_duration_s,
  average_cost_nano_usd,
  total_cost_nano_usd
FROM classes
ORDER BY
  calls_from;

-- Sessions (sessions)
WITH grouped AS (
  SELECT
    session_id,
    MAX(user_id) AS last_user,
    MIN(start_time) AS first_time,
    MAX(start_time) AS last_time,
    COUNT(*) AS request_count,
    COUNT(CASE WHEN outcome = 'error' THEN 1 END) AS error_count,
    TRY_CAST(SUM(CAST(input_token_count AS DECIMAL(38, 0))) AS BIGINT) AS input_tokens,
    TRY_CAST(SUM(CAST(output_token_count AS DECIMAL(38, 0))) AS BIGINT) AS output_tokens,
    COUNT(*) - COUNT(cost_nano_usd) AS unpriced_count,
    TRY_CAST(SUM(CAST(cost_nano_usd AS DECIMAL(38, 0))) AS BIGINT) AS total_cost_nano_usd
  FROM logs
  GROUP BY
    session_id
), timed AS (
  SELECT
    session_id,
    last_user,
    first_time,
    CAST(TO_UNIXTIME(DATE_TRUNC('SECOND', last_time)) - TO_UNIXTIME(DATE_TRUNC('SECOND', first_time)) AS BIGINT) AS duration_s,
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
LIMIT 50 /* limit */;

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
  place;

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
    NOT input_token_count IS NULL
), counted AS (
  SELECT
    value,
    CAST(size AS BIGINT) AS tokens_from,
    COUNT(*) AS request_count,
    TRY_CAST(SUM(CAST(cost_nano_usd AS DECIMAL(38, 0))) AS BIGINT) AS total_cost_nano_usd
  FROM sized
  GROUP BY
    value,
    size
)
SELECT
  value,
  tokens_from,
  request_count,
  CAST(request_count AS DOUBLE) / SUM(request_count) OVER (PARTITION BY value) AS request_share,
  CAST(SUM(request_count) OVER (PARTITION BY value ORDER BY tokens_from) AS DOUBLE) / SUM(request_count) OVER (PARTITION BY value) AS cumulative_share,
  total_cost_nano_usd
FROM counted
ORDER BY
  value,
  tokens_from;

-- Tokens per second (tokens-per-second)
WITH calls AS (
  SELECT
    model AS value,
    output_token_count AS tokens,
    CAST(CAST(output_token_count AS DOUBLE) * 1000000 AS DOUBLE) / latency_us AS speed,
    CASE
      WHEN streamed AND output_token_count > 1 AND time_to_first_token_us < latency_us
      THEN CAST(CAST(output_token_count - 1 AS DOUBLE) * 1000000 AS DOUBLE) / (
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
  TRY_CAST(SUM(CAST(tokens AS DECIMAL(38, 0))) AS BIGINT) AS output_tokens,
  APPROX_PERCENTILE(speed, 0.1) AS p10_tokens_per_second,
  APPROX_PERCENTILE(speed, 0.5) AS p50_tokens_per_second,
  COUNT(streamed_speed) AS streamed_count,
  APPROX_PERCENTILE(streamed_speed, 0.1) AS p10_streamed_tokens_per_second,
  APPROX_PERCENTILE(streamed_speed, 0.5) AS p50_streamed_tokens_per_second
FROM calls
GROUP BY
  value
ORDER BY
  request_count DESC,
  value
LIMIT 50 /* limit */;

-- Time to first token against length of the answer (ttft-by-output-length)
WITH streams AS (
  SELECT
    'all' AS value,
    output_token_count / 100 /* bin_tokens */ AS bin,
    time_to_first_token_us AS ttft_us,
    latency_us AS duration_us
  FROM logs
  WHERE
    outcome = 'success'
    AND streamed
    AND NOT time_to_first_token_us IS NULL
    AND NOT output_token_count IS NULL
)
SELECT
  value,
  CAST(bin * 100 /* bin_tokens */ AS BIGINT) AS tokens_from,
  COUNT(*) AS request_count,
  APPROX_PERCENTILE(ttft_us, 0.5) AS p50_ttft_us,
  APPROX_PERCENTILE(ttft_us, 0.95) AS p95_ttft_us,
  APPROX_PERCENTILE(duration_us, 0.5) AS p50_latency_us
FROM streams
GROUP BY
  value,
  bin
ORDER BY
  value,
  tokens_from;

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
          NOT input_token_count IS NULL OR NOT output_token_count IS NULL
        )
        THEN 1
      END
    ) AS counted_count,
    TRY_CAST(SUM(
      CAST(CASE WHEN cost_nano_usd IS NULL THEN input_token_count END AS DECIMAL(38, 0))
    ) AS BIGINT) AS input_tokens,
    TRY_CAST(SUM(
      CAST(CASE WHEN cost_nano_usd IS NULL THEN output_token_count END AS DECIMAL(38, 0))
    ) AS BIGINT) AS output_tokens,
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
  CAST((
    request_count - priced_count
  ) AS DOUBLE) / request_count AS unpriced_share,
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
LIMIT 50 /* limit */;

-- Week over week (week-over-week)
WITH dated AS (
  SELECT
    'all' AS value,
    CAST(DATE_TRUNC('WEEK', date) AS DATE) AS week,
    date AS day,
    outcome,
    cost_nano_usd,
    CASE WHEN outcome = 'success' THEN latency_us END AS success_latency_us
  FROM logs
), weeks AS (
  SELECT
    value,
    week,
    CAST(week + INTERVAL '7' DAY AS DATE) AS next_week,
    COUNT(DISTINCT day) AS day_count,
    COUNT(*) AS request_count,
    CAST(COUNT(CASE WHEN outcome = 'error' THEN 1 END) AS DOUBLE) / COUNT(*) AS error_share,
    AVG(success_latency_us) AS average_latency_us,
    TRY_CAST(SUM(CAST(cost_nano_usd AS DECIMAL(38, 0))) AS BIGINT) AS total_cost_nano_usd
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
  CAST(this.request_count AS DOUBLE) / before.request_count - 1 AS request_change,
  this.error_share,
  before.error_share AS previous_error_share,
  this.average_latency_us,
  CAST(this.average_latency_us AS DOUBLE) / NULLIF(before.average_latency_us, 0) - 1 AS latency_change,
  this.total_cost_nano_usd,
  CAST(this.total_cost_nano_usd AS DOUBLE) / NULLIF(before.total_cost_nano_usd, 0) - 1 AS cost_change
FROM weeks AS this
LEFT JOIN weeks AS before
  ON before.value = this.value AND before.next_week = this.week
ORDER BY
  this.value,
  this.week;
