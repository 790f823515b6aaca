"""One module for each family of emitters: which of its spans are calls, where each field of a log stands."""
