"""Where results come from: digests of code and files, and a record of every job."""
