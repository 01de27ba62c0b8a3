"""Seeds derive from the study's seed and the job's own name; nothing else decides chance."""

import hashlib


def derive_seed(seed: int, *names: str | int) -> int:
    """Return a seed in [0, 2**63) that is a function of the arguments alone.

    Examples
    --------
    >>> derive_seed(1, "training", "A") == derive_seed(1, "training", "A")
    True
    >>> derive_seed(1, "training", "A") == derive_seed(1, "training", "B")
    False
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
