"""How a job ran is noted, with a hash of the note's own."""

import json
import subprocess
import sys

from otosynth.provenance.circumstances import (
    Circumstances,
    circumstances_hashes,
    encode_with_hash,
    peak_memory_mib,
)


def test_circumstances_tell_host_time_and_memory_and_hash_themselves(tmp_path):
    circumstances = Circumstances()
    circumstances.write(tmp_path / "train/A.json", "record", {})
    data = (tmp_path / "train/A.json").read_bytes()
    facts = json.loads(data)
    assert facts["record"] == "record"
    assert facts["host"]
    assert facts["processor"]
    assert facts["start"] <= facts["end"]
    assert facts["peak_memory_mib"] > 10
    assert encode_with_hash(facts) == data
    facts["host"] = "another"
    assert json.loads(encode_with_hash(facts))["sha256"] != facts["sha256"]


def test_the_peak_of_memory_is_a_process_s_own():
    tell = "from otosynth.provenance.circumstances import peak_memory_mib; print(peak_memory_mib())"
    held = bytes(range(256)) * 2**20
    found = subprocess.run([sys.executable, "-c", tell], capture_output=True, text=True, check=True)
    held_mib = len(held) / 2**20
    assert held_mib <= peak_memory_mib()
    assert 5 < float(found.stdout) < held_mib, "not that of the process that started it"


def test_the_sealing_holds_the_hashes_of_all_but_itself(tmp_path):
    for name in ("train/A.json", "train/B.json", "seal_records.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert list(circumstances_hashes(tmp_path)) == ["train/A", "train/B"]
