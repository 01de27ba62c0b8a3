"""Memory that is freed goes back to the system, in a process of its own."""

import subprocess
import sys

# Blocks of 100 KB stay in the heap; the last keeps it from shrinking by itself.
HOLES = """
from pathlib import Path
from otosynth.heap import give_back_free_pages

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

blocks = [bytearray(b"1") * 100_000 for _ in range(500)]
last = blocks.pop()
del blocks
before = resident()
give_back_free_pages()
print(before - resident())
"""
# Between arrays of SIZE bytes, which are freed, lie blocks of 200 KB, which are not.
LARGE = """
from pathlib import Path
import numpy as np
from otosynth.heap import keep_freed_memory, map_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

# Freed once, blocks of this size are no longer mapped by themselves.
first = np.ones(2**22, np.uint8)
del first
map_large_blocks()
pairs = [(np.ones(SIZE, np.uint8), bytearray(b"1") * 200_000) for _ in range(COUNT)]
full = resident()
small = [block for _, block in pairs]
del pairs
print(full - resident())
"""


def mib_given_back(program: str, size: int = 2**20, count: int = 50) -> float:
    program = program.replace("SIZE", str(size)).replace("COUNT", str(count))
    return float(subprocess.check_output([sys.executable, "-c", program], text=True))


def test_free_pages_of_the_heap_are_given_back():
    assert mib_given_back(HOLES) > 40


def test_large_blocks_are_given_back_when_they_are_freed():
    assert mib_given_back(LARGE) > 45
    without = LARGE.replace("map_large_blocks()", "")
    assert mib_given_back(without) < 10


def test_a_training_keeps_what_it_frees_until_a_prediction_begins():
    # Of 64 MiB, glibc itself would give every array back.
    large = {"size": 2**26, "count": 2}
    assert mib_given_back(LARGE.replace("map_large_blocks()", ""), **large) > 120
    kept = LARGE.replace("map_large_blocks()", "keep_freed_memory()")
    assert mib_given_back(kept, **large) < 2
    then = LARGE.replace("map_large_blocks()", "keep_freed_memory(); map_large_blocks()")
    assert mib_given_back(then) > 45
