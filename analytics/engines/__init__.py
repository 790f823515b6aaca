"""Reports in the SQL of other engines that read the lake: made by developers, run by nothing here."""
