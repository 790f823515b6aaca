-- name: claim_request_id
-- Claims a request_id, also one that is older than a day. No row means that another request has it.
INSERT INTO request_ids AS r (project_id, request_id, fingerprint, answer)
VALUES (:project_id::text, :request_id::uuid, :fingerprint::bytea, :answer::jsonb)
ON CONFLICT (project_id, request_id) DO UPDATE
    SET fingerprint = excluded.fingerprint, answer = excluded.answer, create_time = now()
    WHERE r.create_time < now() - interval '24 hours'
RETURNING request_id

-- name: get_request_id
SELECT fingerprint, answer::text AS answer, create_time FROM request_ids
WHERE project_id = :project_id::text AND request_id = :request_id::uuid

-- name: take_over_request_id
-- Of several retries of a failed request, one gets it.
UPDATE request_ids SET answer = :answer::jsonb, create_time = now()
WHERE project_id = :project_id::text AND request_id = :request_id::uuid AND answer = :seen::jsonb
RETURNING request_id

-- name: set_answer
UPDATE request_ids SET answer = :answer::jsonb
WHERE project_id = :project_id::text AND request_id = :request_id::uuid

-- name: forget_request_ids
DELETE FROM request_ids WHERE create_time < now() - interval '24 hours'
