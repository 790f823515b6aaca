"""One module for each family of emitters: which of its spans are calls, and where each field of a log stands."""
