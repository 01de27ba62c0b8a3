"""Random alterations of valid scans, each judged against a reader that is not ours.

``python -m fuzz FORMAT --case N`` in the folder above repeats one case; see `fuzz.__main__`.
"""
