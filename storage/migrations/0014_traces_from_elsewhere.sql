-- Lists traces by their roots, of which one that was begun elsewhere has none without a parent: any span may be listed.
CREATE INDEX spans_by_time ON spans (project_id, start_time DESC, trace_id DESC);
DROP INDEX spans_roots;
-- Calls without spans are found by the primary key, which is in order of time, too.
DROP INDEX logs_roots;
