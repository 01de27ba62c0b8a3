"""The chain behind one number: from a table or figure back to raw scans, checked on the way."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from otosynth.audit.selection import Selection
from otosynth.errors import InputError
from otosynth.files import sha256_of
from otosynth.provenance.places import Places
from otosynth.provenance.tree import Record, RecordTree
from otosynth.words import short

# Wildcards that tell jobs of the same rule apart.
ABOUT = ("specimen", "method", "seed", "group", "split", "factor")
# Rules in words; each is a step of the chain.
STEPS = {
    "make_phantom": "raw scans, made by the phantom",
    "register_pair": "registration: CT and micro-CT on one grid",
    "make_class_map": "class map",
    "mark_cochlea": "region at the cochlea",
    "carry_cochlea": "region at the cochlea, carried from atlases",
    "downsample_pair": "down-sampled pair",
    "compute_normalisation": "intensity windows of the fold",
    "tabulate_patches": "patches",
    "train": "checkpoints of the fold's training",
    "select_epoch": "choice of the epoch",
    "predict": "prediction",
    "predict_classes": "prediction",
    "fit_temperature": "temperature of the confidence, by the validation ears",
    "predict_confidence": "mean of several predictions, with its confidence",
    "segment_synthetic": "classes that a segmentor sees in the prediction",
    "register_atlas": "registration of an atlas",
    "make_prior": "prior of the registered training ears",
    "vote_atlases": "atlas vote",
    "learn_thresholds": "thresholds learnt on the fold's training ears",
    "apply_yardsticks": "yardsticks: thresholds on the CT",
    "blur_microct": "ceiling: Otsu on the blurred micro-CT",
    "score_prediction": "score",
    "gather_scores": "all scores",
}

# Results that say in a few words what was found.
FACTS = (
    "selected.json", "temperature.json", "classmap.json", "cochlea.json", "normalisation.json",
    "yardsticks.json",
)  # fmt: skip
# Steps that read one of all checkpoints: the selected one.
READS_CHECKPOINTS = (
    "predict", "predict_classes", "predict_confidence", "fit_temperature", "segment_synthetic",
)  # fmt: skip


@dataclass
class Step:
    """A job of the chain, or a file that no job made.

    Attributes
    ----------
    title
        The step in words.
    facts
        What a reader wants to know of it, such as the selected epoch.
    files
        The files of this step that lead on to the number, with whether they are as recorded.
    before
        The steps that it depends on.
    repeated
        Whether the chain shows it in full elsewhere.
    """

    title: str
    facts: list[str] = field(default_factory=list)
    files: list[tuple[str, Path, str, bool]] = field(default_factory=list)
    before: list["Step"] = field(default_factory=list)
    repeated: bool = False

    @property
    def whole(self) -> bool:
        """Whether all files of this step and of those before it are as recorded."""
        return all(ok for *_, ok in self.files) and all(step.whole for step in self.before)


class Tracer:
    """Follows records back from a file.

    Parameters
    ----------
    places, tree
        Where the study lies, and its records.
    selection
        The number; of files that gather many ears and methods, only its own are followed.
    """

    def __init__(self, places: Places, tree: RecordTree, selection: Selection) -> None:
        self.places, self.tree, self.selection = places, tree, selection
        self._seen: set[str] = set()
        self._shown: set[str] = set()
        self._checked: dict[str, bool] = {}

    def trace(self, name: str) -> Step:
        """Return the chain behind the selected number of a table or figure.

        Raises
        ------
        InputError
            If the selection names an ear, group, method or seed that no job has.
        """
        self._check_selection()
        job = self.tree.maker[name]
        if self.selection.published:
            step = Step(f"{name}: a published value, not computed here")
            for read in self.tree.records[job]["inputs"]:
                if read.startswith("project:"):
                    step.files.append(self._file(read, self.tree.records[job]["inputs"][read]))
            return step
        return self._step(job, [name])

    def _check_selection(self) -> None:
        for key in ("specimen", "group", "method", "seed"):
            asked = self.selection.about.get(key)
            known = {
                r["wildcards"][key] for r in self.tree.records.values() if key in r["wildcards"]
            }
            if asked is not None and asked not in known:
                raise InputError(
                    f"There is no {key} '{asked}'. There are: {', '.join(sorted(known))}."
                )

    def _step(self, job: str, names: list[str]) -> Step:
        record = self.tree.records[job]
        rule = str(record["rule"])
        about = [f"{key} {record['wildcards'][key]}" for key in ABOUT if key in record["wildcards"]]
        step = Step(", ".join([STEPS.get(rule, rule), *about]))
        step.repeated = job in self._seen
        # Of a step that is shown above, only what was not shown there.
        fresh = [name for name in names if name not in self._shown]
        self._shown |= set(fresh)
        step.files = [self._file(name, record["outputs"][name]) for name in fresh]
        step.facts = list(self._facts(record, fresh))
        if step.repeated:
            return step
        self._seen.add(job)
        made: dict[str, list[str]] = {}
        for name in record["inputs"]:
            maker = self.tree.maker.get(name)
            if maker is None:
                source = Step(self._source_title(name))
                source.files = [self._file(name, record["inputs"][name])]
                step.before.append(source)
            elif self._is_followed(record, maker) and self._is_read(record, name):
                made.setdefault(maker, []).append(name)
        step.before += [self._step(maker, names) for maker, names in made.items()]
        return step

    def _source_title(self, name: str) -> str:
        return "file of the project" if name.startswith("project:") else "raw scan"

    def _is_followed(self, record: Record, maker: str) -> bool:
        """Whether a job's input has to do with the selected number."""
        if record["wildcards"].keys() & {"specimen", "group"}:
            return True
        wildcards = self.tree.records[maker]["wildcards"]
        about = self.selection.about
        return all(wildcards[key] == about[key] for key in wildcards.keys() & about.keys())

    def _is_read(self, record: Record, name: str) -> bool:
        """Of all checkpoints of a training, a prediction reads the selected one."""
        if record["rule"] not in READS_CHECKPOINTS or not name.endswith(".safetensors"):
            return True
        [selected] = [n for n in record["inputs"] if n.endswith("selected.json")]
        return Path(name).name == self._json(selected).get("checkpoint")

    def _file(self, name: str, facts: Mapping[str, Any]) -> tuple[str, Path, str, bool]:
        path = self.places.path_of(name)
        if name not in self._checked:
            whole = path.is_file() and sha256_of(path) == facts["sha256"]
            self._checked[name] = whole
        return name, path, facts["sha256"], self._checked[name]

    def _json(self, name: str) -> dict[str, Any]:
        try:
            return dict(json.loads(self.places.path_of(name).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _facts(self, record: Record, names: list[str]) -> Iterator[str]:
        """Yield what a reader wants to know of a step besides its files."""
        if record["rule"] in ("score_prediction", "score_field"):
            for name in names:
                yield from self._scores(name)
        if "study" in record["seeds"] and names:
            yield "seeds: " + ", ".join(f"{key} {value}" for key, value in record["seeds"].items())
        for name in names:
            if name.endswith(FACTS):
                yield _in_words(self._json(name))
        if record["rule"] == "train" and names:
            fold = record["parameters"].get("fold", {})
            yield "; ".join(f"{split} on {', '.join(ears)}" for split, ears in fold.items())

    def _scores(self, name: str) -> Iterator[str]:
        try:
            scores = pd.read_csv(self.places.path_of(name), dtype=str, keep_default_na=False)
        except (OSError, ValueError):
            # Its hash tells that it is damaged.
            return
        for key in scores.columns.intersection(list(self.selection.about)):
            scores = scores[scores[key] == self.selection.about[key]]
        for row in scores.to_dict("records"):
            words = [str(row[key]) for key in ("metric", "class", "grid") if row.get(key)]
            yield f"{' '.join(words)}: {row['value']}"


def _in_words(data: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {short(value)}" for key, value in data.items())
