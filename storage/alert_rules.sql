-- name: create
INSERT INTO alert_rules (project_id, display_name, metric, comparison, threshold, relative_to_previous, window_length,
    group_by, min_request_count, for_duration, keep_duration, repeat_interval, severity, providers, models, operations,
    environments, channel_ids, disabled)
SELECT :project_id::text, :display_name::text, :metric::text, :comparison::text, :threshold::double precision,
    :relative_to_previous::boolean, :window_length::interval, :group_by::text, :min_request_count::bigint,
    :for_duration::interval, :keep_duration::interval, :repeat_interval::interval, :severity::text, :providers::text[],
    :models::text[], :operations::text[], :environments::text[], :channel_ids::uuid[], :disabled::boolean
WHERE (SELECT count(*) FROM alert_rules WHERE project_id = :project_id::text) < :maximum::bigint
RETURNING *, alert_rule_id AS source_id

-- name: get
SELECT *, alert_rule_id AS source_id FROM alert_rules WHERE project_id = :project_id::text AND alert_rule_id = :source_id::uuid

-- name: lock
SELECT *, alert_rule_id AS source_id FROM alert_rules WHERE project_id = :project_id::text AND alert_rule_id = :source_id::uuid FOR UPDATE

-- name: list
SELECT *, alert_rule_id AS source_id FROM alert_rules WHERE project_id = :project_id::text ORDER BY alert_rule_id

-- name: update
UPDATE alert_rules
SET display_name = :display_name::text, metric = :metric::text, comparison = :comparison::text,
    threshold = :threshold::double precision, relative_to_previous = :relative_to_previous::boolean,
    window_length = :window_length::interval, group_by = :group_by::text,
    min_request_count = :min_request_count::bigint, for_duration = :for_duration::interval,
    keep_duration = :keep_duration::interval, repeat_interval = :repeat_interval::interval, severity = :severity::text,
    providers = :providers::text[], models = :models::text[], operations = :operations::text[],
    environments = :environments::text[], channel_ids = :channel_ids::uuid[], disabled = :disabled::boolean,
    update_time = now()
WHERE project_id = :project_id::text AND alert_rule_id = :source_id::uuid
RETURNING *, alert_rule_id AS source_id

-- name: delete
DELETE FROM alert_rules WHERE project_id = :project_id::text AND alert_rule_id = :source_id::uuid

-- name: claim
-- The rule that has waited longest to be evaluated. Several evaluators take different ones. One that was evaluated in
-- the future was so by a clock that went wrong.
UPDATE alert_rules SET evaluate_time = :now::timestamptz
WHERE alert_rule_id = (
    SELECT alert_rule_id FROM alert_rules AS r
    WHERE (evaluate_time IS NULL OR evaluate_time < :due::timestamptz
           OR evaluate_time > :now::timestamptz + interval '10 minutes')
      AND (NOT disabled OR EXISTS (SELECT FROM alerts WHERE source_id = r.alert_rule_id AND state <> 'resolved'))
    ORDER BY evaluate_time NULLS FIRST
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING *, alert_rule_id AS source_id

-- name: lock_claimed
-- Nothing where the rule was deleted, or another evaluator has claimed it since.
SELECT FROM alert_rules
WHERE alert_rule_id = :source_id::uuid AND evaluate_time = :evaluate_time::timestamptz
FOR NO KEY UPDATE

-- name: set_error
UPDATE alert_rules SET evaluation_error = :error::text
WHERE alert_rule_id = :source_id::uuid AND evaluation_error <> :error::text
