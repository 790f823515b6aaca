"""Reports and SQL over the history of logs."""
