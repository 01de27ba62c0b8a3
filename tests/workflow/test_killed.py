"""Stopped at random moments in every stage and continued: the same files, the same bytes."""

import random

from interruptions import Interruptions
from workflow_copy import copy_workflow, digests


def test_a_study_killed_at_random_moments_ends_with_the_same_bytes(
    undisturbed, tmp_path_factory, request
):
    kills = request.config.getoption("kills")
    seed = request.config.getoption("kill_seed")
    if seed is None:
        seed = random.SystemRandom().randrange(10**6)
    print(f"{kills} kills, --kill-seed {seed}")
    killed = copy_workflow(tmp_path_factory.mktemp("killed"), undisturbed.overlay)
    interruptions = Interruptions(killed, kills, random.Random(seed))
    interruptions.run()
    killed.output_of("--rerun-incomplete")
    print(dict(interruptions.kills), dict(interruptions.hit))

    assert all(interruptions.hit[stage] >= 2 for stage in set(interruptions.stage_of.values()))
    expected, found = digests(undisturbed.results), digests(killed.results)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    assert not list(killed.folder.rglob(".half-written-*"))
    assert "Nothing to be done" in killed.output_of()
