-- name: add_dead_letter
INSERT INTO dead_letters AS d (project_id, reason, message, log_id, log_count, attempt_count, first_attempt_time,
                          payload, producer_id, dedup_key)
VALUES (:project_id::text, :reason::text, :message::text, :log_id::text, :log_count::bigint,
        :attempt_count::integer, :first_attempt_time::timestamptz, :payload::jsonb, :producer_id::text,
        :dedup_key::text)
-- A replayed one that fails in the same way waits for a person again.
ON CONFLICT (dedup_key) DO UPDATE
    SET state = 'waiting', last_attempt_time = now(), attempt_count = d.attempt_count + excluded.attempt_count
    WHERE d.state = 'replayed'

-- name: count_waiting_dead_letters
SELECT count(*) FROM dead_letters
WHERE state = 'waiting' AND (:project_id::text IS NULL OR project_id = :project_id::text)

-- part: chosen_dead_letters
  AND (:ids::uuid[] IS NULL OR dead_letter_id = ANY (:ids::uuid[]))
  AND (:reason::text IS NULL OR reason = :reason::text)
  AND (:start_time::timestamptz IS NULL OR last_attempt_time >= :start_time::timestamptz)
  AND (:end_time::timestamptz IS NULL OR last_attempt_time < :end_time::timestamptz)

-- name: list_dead_letters
SELECT dead_letter_id, reason, message, log_id, log_count, attempt_count, first_attempt_time,
       last_attempt_time, state, producer_id
FROM dead_letters
WHERE project_id = :project_id::text AND state = ANY (:states::text[])
  -- use: chosen_dead_letters
  AND (:before_id::uuid IS NULL OR dead_letter_id < :before_id::uuid)
ORDER BY dead_letter_id DESC
LIMIT :row_limit::bigint

-- name: get_dead_letter
SELECT dead_letter_id, reason, message, log_id, log_count, attempt_count, first_attempt_time,
       last_attempt_time, state, producer_id, payload
FROM dead_letters WHERE project_id = :project_id::text AND dead_letter_id = :dead_letter_id::uuid

-- name: count_replayable_dead_letters
SELECT count(*) FROM dead_letters
WHERE project_id = :project_id::text AND state = ANY (:states::text[])
  -- use: chosen_dead_letters
  AND NOT payload ? 'unparsable'

-- name: take_dead_letters
-- Marks the next ones as replayed and returns them. What fails the same way meanwhile waits for this
-- transaction, and then makes its dead letter wait again.
UPDATE dead_letters SET state = 'replayed'
WHERE dead_letter_id IN (
    SELECT dead_letter_id FROM dead_letters
    WHERE project_id = :project_id::text AND state = ANY (:states::text[])
      -- use: chosen_dead_letters
      AND NOT payload ? 'unparsable'
      AND dead_letter_id > :after_id::uuid AND dead_letter_id <= :last_id::uuid
    ORDER BY dead_letter_id
    LIMIT :row_limit::bigint
    FOR UPDATE
)
RETURNING dead_letter_id, log_id, producer_id, payload, first_attempt_time

-- name: discard_dead_letters
WITH discarded AS (
    UPDATE dead_letters SET state = 'discarded'
    WHERE project_id = :project_id::text AND state = ANY (:states::text[]) AND state <> 'discarded'
      -- use: chosen_dead_letters
    RETURNING 1
)
SELECT count(*) FROM discarded
