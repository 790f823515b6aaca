-- Logs of one UTC day: $1 the day, $2 how many, $3 how many groups. Skewed groups, users and sessions, errors, tails of
-- latency, prices, and previews of which a tenth has something that was redacted.
WITH drawn AS MATERIALIZED (
    SELECT $1::timestamptz + random() * interval '1 day' AS start_time, random() AS outcome_draw,
        floor($3::integer * random() ^ 2)::integer AS series, md5(random()::text) AS hash,
        exp(random_normal(0, 1) + 14)::bigint AS latency_us,
        floor(5000 * random() ^ 3)::integer AS user_number, n
    FROM generate_series(1, $2::integer) AS n
),
made AS (
    SELECT *, (left(uuidv7_floor(start_time)::text, 14) || '7' || left(hash, 3) || '-a' || substr(hash, 4, 3) || '-'
               || substr(hash, 7, 12))::uuid AS log_id,
        CASE WHEN outcome_draw < 0.94 THEN 'success' WHEN outcome_draw < 0.98 THEN 'error' ELSE 'cancelled' END AS outcome,
        (latency_us * 0.2)::bigint AS ttft_us
    FROM drawn
),
keys AS (
    INSERT INTO log_keys (log_id, project_id, start_time, receive_time)
    SELECT log_id, 'default', start_time, start_time FROM made
)
INSERT INTO logs (log_id, start_time, receive_time, minute, end_time, first_token_time, latency_us,
    time_to_first_token_us, input_token_count, output_token_count, total_token_count, cost_nano_usd, latency_bucket,
    ttft_bucket, streamed, project_id, provider, model, operation, environment, outcome, usage_source, session_id,
    conversation_id, user_id, trace_id, span_id, parent_span_id, response_model, error_code, error_message,
    finish_reason, provider_request_id, release, price_version, input_preview, output_preview)
SELECT log_id, start_time, start_time, date_trunc('minute', start_time, 'UTC'), NULL, NULL, latency_us, ttft_us,
    100 + series, user_number, 100 + series + user_number,
    CASE WHEN series % 7 <> 0 THEN (100 + series) * 1250 + user_number * 10000 END,
    CASE WHEN outcome = 'success' THEN ceil(ln(latency_us) / ln(1.01 / 0.99)) END,
    CASE WHEN outcome = 'success' THEN ceil(ln(ttft_us) / ln(1.01 / 0.99)) END,
    series % 2 = 0, 'default', (ARRAY['openai', 'anthropic', 'gemini', 'mistral'])[1 + series % 4], 'model-' || series,
    CASE WHEN series % 10 = 0 THEN 'embeddings' ELSE 'chat' END,
    (ARRAY['production', 'staging'])[1 + series / 3 % 2], outcome, 'reported', 'session-' || user_number || '-' || n % 9,
    '', 'user-' || user_number, md5((n / 4)::text || $1::text), left(hash, 16), '', '',
    CASE WHEN outcome = 'error' THEN (ARRAY['rate_limit', 'timeout', 'overloaded', ''])[1 + n % 4] ELSE '' END,
    '', 'stop', left(hash, 24), 'release-' || n % 5, '',
    'Please summarise ticket ' || hash || CASE WHEN n % 10 = 0 THEN ' of [EMAIL] ' ELSE ' of today ' END || repeat('and what came before it ', n % 8),
    'The ticket says ' || reverse(hash) || repeat(' and so on', n % 12)
FROM made
