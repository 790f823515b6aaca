"""What a page shows, as it stands in the URL: the window of time and the filters."""
