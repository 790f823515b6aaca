"""Demo traffic, and the mock of the providers that answers it."""
