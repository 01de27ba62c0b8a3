"""The report of a finished study: one HTML page that works offline and tells where numbers come from."""
