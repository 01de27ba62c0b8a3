"""Questions to a study's records: whether they are true, and where a number comes from."""
