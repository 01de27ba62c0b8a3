"""Seeds are a function of the study's seed and the names."""

from otosynth.seeds import derive_seed


def test_seeds_differ_by_every_part_and_repeat():
    seeds = {
        derive_seed(1, "training", "A"),
        derive_seed(2, "training", "A"),
        derive_seed(1, "training", "B"),
        derive_seed(1, "trainingA"),
    }
    assert len(seeds) == 4
    assert derive_seed(1, "training", "A") in seeds
    assert all(0 <= seed < 2**63 for seed in seeds)
