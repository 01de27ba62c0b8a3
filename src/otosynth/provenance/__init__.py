"""Where results come from: digests of the code that makes them."""

from otosynth.provenance.code import code_digest

__all__ = ["code_digest"]
