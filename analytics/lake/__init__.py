"""History as Parquet files in folders by project, UTC date and hour, which any engine reads."""
