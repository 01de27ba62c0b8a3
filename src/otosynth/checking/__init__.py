"""A lab's study looked at before anything runs: configuration, tables and every scan."""
