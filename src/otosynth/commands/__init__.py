"""The commands of `otosynth`, a module each: their arguments, and what they print."""
