"""The report of a finished study: one page that works offline, its numbers with their traces."""
