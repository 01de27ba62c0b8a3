"""A study's volumes in a browser: side by side, with linked cursors and slices."""
