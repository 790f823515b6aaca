"""Something to look at: demo traffic against a mock of the providers."""
