"""MONAI's `sliding_window_inference`, four windows at a time: see `sliding_window.py`."""

from functools import partial

import sliding_window

prepare = partial(sliding_window.prepare, batch=4)
run = sliding_window.run
