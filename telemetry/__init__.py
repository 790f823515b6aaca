"""What every process needs first: settings and logging. Knows nothing of LLM calls."""
