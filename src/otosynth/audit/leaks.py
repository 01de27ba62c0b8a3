"""Show from the records alone that no tested ear taught the networks that predict it."""

from dataclasses import dataclass
from pathlib import Path

from otosynth.provenance.tree import RecordTree

# Rules whose results a network's prediction was learned or chosen by.
LEARNED = ("train", "select_epoch", "compute_normalisation")
PREDICTIONS = ("predict", "vote_atlases")
# What a vote may know of the ear that it predicts: its CT and where it counts.
KNOWN_TO_A_VOTE = ("ct.nii",)
# Where both scans see the ear. It shows nothing of the ear, and two ears may have the same.
MASK = "mask.nii"


@dataclass(frozen=True)
class Leak:
    """A prediction that was learned with data of the ear that it tests."""

    prediction: str
    specimen: str
    through: str
    why: str


def find_leaks(tree: RecordTree) -> tuple[list[Leak], int]:
    """Look for data of tested ears in all that their predictions were learned from.

    An ear is recognised by its name and, so that a renamed copy is found, by the SHA-256 of its
    scans and of all that was made from them. The pair of a tested ear is on one grid because its
    CT was registered to its micro-CT; that pose is known to a prediction and no leak.

    Returns
    -------
    tuple
        The leaks, and the number of predictions that were looked at.
    """
    predictions = [job for job, record in tree.records.items() if record["rule"] in PREDICTIONS]
    leaks = []
    for job in predictions:
        specimen = tree.records[job]["wildcards"]["specimen"]
        leaks += _of_vote(tree, job, specimen) if _is_vote(tree, job) else []
        learned = [
            ancestor for ancestor in tree.with_ancestors([job])
            if tree.records[ancestor]["rule"] in LEARNED
        ]  # fmt: skip
        leaks += _of_learned(tree, job, specimen, tree.with_ancestors(learned))
    return leaks, len(predictions)


def own_hashes(tree: RecordTree, specimen: str) -> dict[str, str]:
    """Return the hashes of an ear's scans and of what was made from them alone, with the names."""
    found: dict[str, str] = {}
    for record in tree.records.values():
        if record["wildcards"].get("specimen") != specimen or record["rule"] in PREDICTIONS:
            continue
        files = record["outputs"] | record["inputs"]
        own = {n: facts for n, facts in files.items() if _is_scan_or_pair(n, record, tree)}
        found |= {facts["sha256"]: name for name, facts in own.items()}
    return found


def _is_scan_or_pair(name: str, record: object, tree: RecordTree) -> bool:
    """Whether a file is a raw scan, or part of an ear's pair; scores and pictures are neither."""
    if Path(name).name == MASK:
        return False
    maker = tree.maker.get(name)
    if maker is None:
        return not name.startswith("project:")
    rule = tree.records[maker]["rule"]
    return rule in ("make_phantom", "register_pair", "make_class_map", "downsample_pair")


def _of_learned(tree: RecordTree, job: str, specimen: str, learned: set[str]) -> list[Leak]:
    own = own_hashes(tree, specimen)
    leaks = []
    for ancestor in sorted(learned):
        record = tree.records[ancestor]
        if record["wildcards"].get("specimen") == specimen:
            leaks.append(Leak(job, specimen, ancestor, f"is a job on {specimen} itself"))
        for name, facts in record["inputs"].items():
            if facts["sha256"] in own:
                why = f"read {name}, which is {own[facts['sha256']]} of {specimen}"
                leaks.append(Leak(job, specimen, ancestor, why))
    return leaks


def _is_vote(tree: RecordTree, job: str) -> bool:
    return bool(tree.records[job]["rule"] == "vote_atlases")


def _of_vote(tree: RecordTree, job: str, specimen: str) -> list[Leak]:
    own = own_hashes(tree, specimen)
    return [
        Leak(job, specimen, job, f"read {name}, which is {own[facts['sha256']]} of {specimen}")
        for name, facts in tree.records[job]["inputs"].items()
        if facts["sha256"] in own and not own[facts["sha256"]].endswith(KNOWN_TO_A_VOTE)
    ]
