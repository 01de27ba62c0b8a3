import pytest

from otosynth.words import duration, short


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.14159, "3.14 s"),
        (59, "59 s"),
        (3600, "1 h 00 min"),
        (250, "4 min 10 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_times_are_told_in_the_unit_that_fits(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (None, "none"), (0.123456, "0.1235"), (20000, "20000"), ([1, 2.5], "1, 2.5")],
)
def test_values_are_short(value, text):
    assert short(value) == text
