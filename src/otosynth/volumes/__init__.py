"""Volumes: reading and writing scans, their grids, and refusing what is not a usable scan."""
