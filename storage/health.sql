-- name: is_read_only
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS is_read_only

-- name: count_waiting
SELECT count(*) AS waiting, count(*) FILTER (WHERE last_attempt_time > :since::timestamptz) AS recent
FROM dead_letters WHERE state = 'waiting'
