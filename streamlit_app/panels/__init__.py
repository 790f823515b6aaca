"""Parts of pages: each shows one answer of the server."""
