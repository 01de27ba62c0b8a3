"""Training of a method: schedule, step, resumable state and checkpoints (method 7)."""
