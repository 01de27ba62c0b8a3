"""The plain port with one forward and backward pass of G for all its losses.

As pix2pix's own code does it; otherwise as `plain_step.py`.
"""

from functools import partial

import plain_step

prepare = partial(plain_step.prepare, shares=True)
run = plain_step.run
