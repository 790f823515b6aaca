"""The whole deployment in containers: `make test-compose`."""
