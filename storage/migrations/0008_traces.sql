-- Finds the logs of a trace. Of logs that belong to none it has nothing, so that they pay nothing for it.
CREATE INDEX logs_by_trace ON logs (project_id, trace_id) WHERE trace_id <> '';
