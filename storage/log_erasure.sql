-- part: of_user
-- The logs of a user: those that name the user, and those of the user's conversations.
(user_id = :user_id::text OR conversation_id = ANY (:conversation_ids::text[]))

-- part: letters_of_user
-- Dead letters that hold the user's logs, or what cannot be read and names the user.
project_id = :project_id::text AND (
    jsonb_path_exists(payload, 'lax $.** ? (@.user_id == $user_id || @.conversation_id == $conversation_ids[*])',
        jsonb_build_object('user_id', :user_id::text, 'conversation_ids', to_jsonb(:conversation_ids::text[])))
    OR strpos(payload ->> 'unparsable', :user_id::text) > 0 AND payload ->> 'unparsable' <> '[erased]'
)

-- name: try_lock
-- While users are erased, no backup is made: it would hold a part of them.
SELECT pg_try_advisory_lock(hashtext('llm_observe.erasure')) AS locked

-- name: list_conversations
SELECT conversation_id::text AS conversation_id FROM conversations
WHERE project_id = :project_id::text AND user_id = :user_id::text

-- name: count_messages
SELECT count(*) AS message_count FROM messages
WHERE project_id = :project_id::text AND conversation_id::text = ANY (:conversation_ids::text[])

-- name: count_by_hour
SELECT date_trunc('hour', start_time, 'UTC') AS hour, count(*) AS log_count
FROM logs
WHERE project_id = :project_id::text AND
  -- use: of_user
GROUP BY 1
ORDER BY 1

-- name: count_letters
SELECT count(*) AS letter_count FROM dead_letters
WHERE
  -- use: letters_of_user

-- name: begin_erasure
INSERT INTO erasures (erasure_id, project_id, user_sha256, operator)
VALUES (:erasure_id::uuid, :project_id::text, :user_sha256::bytea, :operator::text)

-- name: lock_writes
-- use: lock_writes

-- name: find_logs
SELECT array_agg(log_id) AS log_ids, array_agg(start_time) AS start_times
FROM (
    SELECT log_id, start_time
    FROM logs
    WHERE project_id = :project_id::text AND start_time >= :start::timestamptz AND start_time < :end::timestamptz
      AND
      -- use: of_user
    LIMIT :row_limit::bigint
) AS batch

-- name: lock_keys
-- In the order of writers, which claim a log before they touch its row.
SELECT count(*) AS key_count
FROM (
    SELECT log_id FROM log_keys
    WHERE log_id = ANY (:log_ids::uuid[]) AND project_id = :project_id::text
    ORDER BY log_id
    FOR UPDATE
) AS locked

-- name: erase_logs
-- Takes from rows who the user is and what they wrote, and drops the spans of their traces, which may hold both. A row
-- that a writer corrected since it was found stays unless it is still the user's.
WITH contributions AS (
    UPDATE logs SET
        -- each erased_column: {name} = {value}
    FROM unnest(:log_ids::uuid[], :start_times::timestamptz[]) AS found (log_id, start_time)
    WHERE logs.project_id = :project_id::text
      AND logs.start_time >= :start::timestamptz AND logs.start_time < :end::timestamptz
      AND logs.start_time = found.start_time AND logs.log_id = found.log_id AND
      -- use: of_user
    RETURNING old.trace_id,
        -- each rollup_key: logs.{name}
),
forgotten AS (
    DELETE FROM spans
    WHERE project_id = :project_id::text AND trace_id IN (SELECT trace_id FROM contributions WHERE trace_id <> '')
),
-- use: mark_hours
-- Rollups count nothing of it: these deltas add nothing, but say that logs of these minutes have changed.
added AS (
    -- use: add_deltas
    SELECT DISTINCT
        -- each rollup_key: {name}
        ,
        -- each rollup_sum: 0
        ,
        -- each packed_count: ''::bytea
    FROM contributions
),
noted AS (
    UPDATE erasures SET log_count = log_count + (SELECT count(*) FROM contributions)
    WHERE erasure_id = :erasure_id::uuid
)
SELECT count(*) AS log_count FROM contributions

-- name: take_letters
SELECT dead_letter_id, payload FROM dead_letters
WHERE
  -- use: letters_of_user
ORDER BY dead_letter_id
LIMIT :row_limit::bigint
FOR UPDATE

-- name: erase_letters
WITH erased AS (
    UPDATE dead_letters AS d SET payload = letter.payload::jsonb
    FROM unnest(:dead_letter_ids::uuid[], :payloads::text[]) AS letter (dead_letter_id, payload)
    WHERE d.dead_letter_id = letter.dead_letter_id
    RETURNING 1
)
UPDATE erasures SET dead_letter_count = dead_letter_count + (SELECT count(*) FROM erased)
WHERE erasure_id = :erasure_id::uuid

-- name: erase_conversations
-- Their messages go with them.
WITH messages AS (
    SELECT count(*) AS message_count FROM messages
    WHERE project_id = :project_id::text AND conversation_id::text = ANY (:conversation_ids::text[])
),
erased AS (
    DELETE FROM conversations
    WHERE project_id = :project_id::text AND conversation_id::text = ANY (:conversation_ids::text[])
    RETURNING 1
)
UPDATE erasures
SET conversation_count = conversation_count + (SELECT count(*) FROM erased),
    message_count = message_count + (SELECT message_count FROM messages)
WHERE erasure_id = :erasure_id::uuid

-- name: note_lake_file
UPDATE erasures SET lake_file_count = lake_file_count + 1 WHERE erasure_id = :erasure_id::uuid

-- name: finish_erasure
UPDATE erasures SET finish_time = now() WHERE erasure_id = :erasure_id::uuid
RETURNING log_count, conversation_count, message_count, dead_letter_count, lake_file_count

-- name: list_erasures
SELECT erasure_id, project_id, user_sha256, operator, log_count, conversation_count, message_count, dead_letter_count,
       lake_file_count, create_time, finish_time
FROM erasures
ORDER BY erasure_id DESC
LIMIT :row_limit::bigint
