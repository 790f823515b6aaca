"""Everything the pages read from the server and write to it. Pages import these functions, never stubs."""
