-- name: add_dead_letter
INSERT INTO dead_letters (project_id, reason, message, log_id, log_count, attempt_count, first_attempt_time,
                          payload, producer_id, dedup_key)
VALUES (:project_id::text, :reason::text, :message::text, :log_id::text, :log_count::bigint,
        :attempt_count::integer, :first_attempt_time::timestamptz, :payload::jsonb, :producer_id::text,
        :dedup_key::text)
ON CONFLICT (dedup_key) DO NOTHING

-- name: count_waiting_dead_letters
SELECT count(*) FROM dead_letters WHERE state = 'waiting'
