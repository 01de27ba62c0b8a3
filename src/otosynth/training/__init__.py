"""Training of a method: schedule, step, state, checkpoints (docs/method.md, section 7)."""
