"""Random alterations of a finished study, each undone again."""

import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from otosynth.files import sha256_of
from otosynth.provenance.circumstances import SEALED, circumstances_hashes, encode_with_hash
from otosynth.provenance.hashing import hash_file
from otosynth.provenance.places import CIRCUMSTANCES, RECORDS, ROOT, Places, is_circumstantial
from otosynth.provenance.records import decisions_digest, encode
from otosynth.provenance.tree import read_records, read_root, record_path, seal

Changes = dict[Path, bytes | None]


@dataclass(frozen=True)
class Alteration:
    """One alteration: new bytes (none: deleted) of files, and the names that must be told."""

    kind: str
    changes: Changes
    names: set[str]


class Tamperer:
    """Thinks of alterations of a study."""

    def __init__(self, places: Places, seed: int) -> None:
        self.places = places
        self.random = random.Random(seed)
        files = [p for p in sorted(places.results.rglob("*")) if p.is_file()]
        self.names = [n for n in map(places.name_of, files) if not n.startswith(".")
                      and not n.endswith(".snakemake_timestamp")]  # fmt: skip
        self.results = [
            name for name in self.names
            if not is_circumstantial(name) and not name.startswith(f"{RECORDS}/")
            # It shows results and is none.
            and name != "report.html"
        ]  # fmt: skip
        self.records = [n for n in self.names if n.startswith(f"{RECORDS}/") and n != ROOT]
        self.kinds: list[Callable[[], Alteration]] = [
            self.flipped_bit, self.cut_off, self.deleted_result, self.swapped_files,
            self.swapped_folds, self.edited_cell, self.replaced_checkpoint, self.edited_record,
            self.deleted_record, self.stale_figure, self.edited_circumstances, self.edited_root,
            self.edited_groups, self.stranger, self.stranger_with_a_record, self.edited_code,
            self.swapped_records,
        ]  # fmt: skip

    def path(self, name: str) -> Path:
        return self.places.path_of(name)

    def some(self, *endings: str, among: list[str] | None = None) -> str:
        return self.random.choice([n for n in among or self.results if n.endswith(endings)])

    def flipped_bit(self) -> Alteration:
        # Of each kind of file alike, not of each file.
        ending = self.random.choice(sorted({Path(n).suffix for n in self.results}))
        name = self.some(ending)
        data = bytearray(self.path(name).read_bytes())
        data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        return Alteration("flipped bit", {self.path(name): bytes(data)}, {name})

    def cut_off(self) -> Alteration:
        name = self.some("")
        data = self.path(name).read_bytes()
        cut = data[: self.random.randrange(len(data))]
        return Alteration("cut off", {self.path(name): cut}, {name})

    def deleted_result(self) -> Alteration:
        name = self.some("")
        return Alteration("deleted result", {self.path(name): None}, {name})

    def _swap(self, kind: str, first: str, second: str) -> Alteration:
        a, b = self.path(first), self.path(second)
        return Alteration(kind, {a: b.read_bytes(), b: a.read_bytes()}, {first, second})

    def swapped_files(self) -> Alteration:
        ending = self.random.choice(["microct.nii", "microct.nii.gz", "histogram.png"])
        first, second = self.random.sample([n for n in self.results if n.endswith(ending)], 2)
        return self._swap("swapped files", first, second)

    def swapped_folds(self) -> Alteration:
        table = self.random.choice(["training", "validation", "testing"])
        tables = [n for n in self.results if n.endswith(f"x1/{table}.tsv")]
        return self._swap("swapped folds", *self.random.sample(tables, 2))

    def swapped_records(self) -> Alteration:
        scores = [n for n in self.records if "/score_prediction/" in n]
        return self._swap("swapped records", *self.random.sample(scores, 2))

    def edited_cell(self) -> Alteration:
        name = self.some(".csv", among=[n for n in self.results if n.startswith("tables/")])
        text = self.path(name).read_text()
        places = [i for i, c in enumerate(text) if c.isdigit()]
        i = self.random.choice(places)
        digit = str((int(text[i]) + self.random.randrange(1, 10)) % 10)
        return Alteration(
            "edited cell", {self.path(name): (text[:i] + digit + text[i + 1 :]).encode()}, {name}
        )

    def replaced_checkpoint(self) -> Alteration:
        checkpoints = [n for n in self.results if n.endswith(".safetensors")]
        name, other = self.random.sample(checkpoints, 2)
        changes: Changes = {self.path(name): self.path(other).read_bytes()}
        return Alteration("replaced checkpoint", changes, {name})

    def edited_record(self) -> Alteration:
        name = self.random.choice(self.records)
        record = json.loads(self.path(name).read_text())
        key = self.random.choice(["wildcards", "configuration", "seeds", "code", "outputs"])
        record[key]["added"] = "by hand" if key != "outputs" else {
            "sha256": "0" * 64, "md5": "0" * 32, "bytes": 1
        }  # fmt: skip
        data = json.dumps(record, indent=1).encode()
        return Alteration("edited record", {self.path(name): data}, {name})

    def deleted_record(self) -> Alteration:
        name = self.random.choice(self.records)
        return Alteration("deleted record", {self.path(name): None}, {name})

    def stale_figure(self) -> Alteration:
        name = self.some("fig7.png", "fig7.pdf", "fig8.png", "fig1.pdf")
        other = self.some(Path(name).suffix, among=[n for n in self.results if "/fig5" in n])
        changes: Changes = {self.path(name): self.path(other).read_bytes()}
        return Alteration("stale figure", changes, {name})

    def edited_circumstances(self) -> Alteration:
        folder = f"{CIRCUMSTANCES}/"
        name = self.some(".json", among=[n for n in self.names if n.startswith(folder)])
        facts = json.loads(self.path(name).read_text()) | {"host": "another"}
        # With the hash that it has of itself, as a forger would write it.
        hashed = self.random.choice([encode_with_hash(facts), json.dumps(facts).encode()])
        if name.endswith("seal_records.json"):
            hashed = json.dumps(facts).encode()
        return Alteration("edited circumstances", {self.path(name): hashed}, {name})

    def edited_root(self) -> Alteration:
        content = json.loads(self.path(ROOT).read_text())
        job = self.random.choice(sorted(content["jobs"]))
        content["jobs"][job][self.random.choice(["node", "record"])] = "0" * 64
        data = json.dumps(content, indent=1).encode()
        return Alteration("edited root", {self.path(ROOT): data}, {ROOT})

    def edited_groups(self) -> Alteration:
        name = self.random.choice(
            ["project:config/miniature_groups.tsv", "project:config/miniature_specimens.tsv"]
        )
        data = self.path(name).read_bytes().replace(b"E1", b"E3", 1)
        return Alteration("edited groups", {self.path(name): data}, {name})

    def stranger(self) -> Alteration:
        name = f"figures/fig{self.random.randrange(10, 99)}.png"
        data = self.path("figures/fig7.png").read_bytes()
        return Alteration("result without a record", {self.path(name): data}, {name})

    def stranger_with_a_record(self) -> Alteration:
        name = f"figures/fig{self.random.randrange(10, 99)}.png"
        record = json.loads(self.path(f"{RECORDS}/draw_dice.json").read_text())
        [old] = [n for n in record["outputs"] if n.endswith(".png")]
        record["outputs"] = {name: record["outputs"][old] | {"bytes": 1}}
        changes: Changes = {
            self.path(name): self.path(old).read_bytes(),
            self.path(f"{RECORDS}/draw_extra.json"): json.dumps(record).encode(),
        }
        return Alteration("result with a record that is not its own", changes, {name})

    def edited_code(self) -> Alteration:
        # Of the scripts that made this study; others are no part of it.
        records = read_records(self.places).records.values()
        used = {n for record in records for n in record["code"] if n.startswith("scripts/")}
        script = self.places.project / self.random.choice(sorted(used))
        line = self.random.choice([b"print('one line more')", b"this is no Python"])
        data = script.read_bytes() + b"\n" + line + b"\n"
        return Alteration("edited code", {script: data}, {f"code:scripts/{script.name}"})


@contextmanager
def altered(alteration: Alteration) -> Iterator[None]:
    """Alter the files, and put them back."""
    before = {p: p.read_bytes() if p.exists() else None for p in alteration.changes}
    _put(alteration.changes)
    try:
        yield
    finally:
        _put(before)


def _put(changes: Changes) -> None:
    for path, data in changes.items():
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)


def forge(places: Places) -> None:
    """Change a score and make every hash that depends on it agree, up to the root."""
    tree = read_records(places)
    old_root = read_root(places)
    first = "scores/E1/atlas/seed-0.csv"
    path = places.path_of(first)
    path.write_text(path.read_text().replace("0.", "0.9", 1))
    changed = {first}
    waiting = [tree.maker[first]]
    while waiting:
        job = waiting.pop(0)
        record = json.loads(record_path(places, job).read_text())
        old_digest = decisions_digest(record)
        for kind in ("inputs", "outputs"):
            for name in set(record[kind]) & changed:
                record[kind][name] = hash_file(places.path_of(name))
        new_digest = decisions_digest(record)
        if new_digest != old_digest:
            for name in record["outputs"]:
                data = places.path_of(name).read_bytes()
                forged = data.replace(old_digest.encode(), new_digest.encode())
                if name.endswith(".png"):
                    forged = _with_right_checksums(forged)
                places.path_of(name).write_bytes(forged)
                record["outputs"][name] = hash_file(places.path_of(name))
                changed.add(name)
        record_path(places, job).write_bytes(encode(record))
        waiting += [other for other in old_root["jobs"] if job in old_root["jobs"][other]["after"]]
    facts = {key: old_root[key] for key in ("study", "label", "configuration")}
    tables = [places.path_of(name) for name in old_root["tables"]]
    seal(places, [str(places.path_of(n)) for n in old_root["results"]], tables, facts)
    _forge_circumstances(places)


def _with_right_checksums(png: bytes) -> bytes:
    out, at = bytearray(png[:8]), 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        body = png[at + 4 : at + 8 + length]
        out += png[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out)


def _forge_circumstances(places: Places) -> None:
    folder = places.results / CIRCUMSTANCES
    root = read_root(places)
    for job in root["jobs"]:
        path = folder / f"{job}.json"
        facts = json.loads(path.read_text())
        facts["record"] = sha256_of(record_path(places, job))
        path.write_bytes(encode_with_hash(facts))
    facts = json.loads((folder / SEALED).read_text())
    facts |= {"record": root["root"], "files": circumstances_hashes(folder)}
    (folder / SEALED).write_bytes(encode_with_hash(facts))
