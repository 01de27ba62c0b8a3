"""One read gives both hashes."""

import hashlib

from otosynth.provenance.hashing import CHUNK_BYTES, hash_file


def test_hashes_and_size_are_those_of_the_bytes(tmp_path):
    data = bytes(range(256)) * (CHUNK_BYTES // 256) + b"more than one chunk"
    (tmp_path / "file").write_bytes(data)
    found = hash_file(tmp_path / "file")
    assert found["sha256"] == hashlib.sha256(data).hexdigest()
    assert found["md5"] == hashlib.md5(data).hexdigest()
    assert found["bytes"] == len(data)
