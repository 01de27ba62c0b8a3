"""Losses, a module a paper. All tensors are (batch, channel, z, y, x), float32."""
