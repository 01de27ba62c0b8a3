"""The server gives this study's volumes to this machine, and nothing else."""

import hashlib
import http.client
import socket
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import nibabel
import pytest

import otosynth.viewing
from otosynth.cli import main
from otosynth.errors import InputError
from otosynth.viewing.server import StudyServer

ASSETS = Path(otosynth.viewing.__file__).parent / "assets"


@contextmanager
def served(study, port=0):
    with StudyServer(study, port) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def answer_of(server, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    with closing(connection):
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers


def test_the_page_its_parts_and_the_volumes_are_there(viewed):
    with served(viewed) as server:
        status, page, headers = answer_of(server, "/")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert b"Data: test" in page
        for name in ("page.css", "viewer.css", "viewer.js", "theme.js", "niivue.umd.js"):
            assert answer_of(server, f"/{name}")[0] == 200
        status, data, _ = answer_of(server, "/volumes/E1/gan/errors")
        assert status == 200
        assert nibabel.nifti1.Nifti1Image.from_bytes(data).shape == (8, 8, 8)


@pytest.mark.parametrize(
    "path",
    [
        "/volumes/E1/../../secret", "/volumes/%2e%2e/secret", "/../secret", "//etc/passwd",
        "/volumes//etc/passwd", "/volumes/E2/ct", "/volumes/E1/other/classmap", "/server.py",
        "/niivue.sha256",
    ],
)  # fmt: skip
def test_nothing_else_is(viewed, path):
    with served(viewed) as server:
        assert answer_of(server, path)[0] == 404


def test_another_site_s_name_for_this_machine_is_refused(viewed):
    with served(viewed) as server:
        assert answer_of(server, "/", host="evil.example.org")[0] == 403
        assert answer_of(server, "/", host=f"localhost:{server.server_port}")[0] == 200


def test_it_is_not_there_for_other_machines(viewed):
    # On Linux a server that listens to all would answer at every address of 127.0.0.0/8.
    with served(viewed) as server, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.server_port), timeout=10)


def test_a_volume_that_is_damaged_is_told(viewed):
    (viewed.ears[0].folder / "ct.nii").write_bytes(b"no volume")
    with served(viewed) as server:
        status, text, _ = answer_of(server, "/volumes/E1/ct")
        assert (status, b"ct.nii" in text) == (500, True)


def test_a_port_that_is_taken_is_told(viewed):
    with served(viewed) as server, pytest.raises(InputError, match="cannot be had"):
        StudyServer(viewed, server.server_port)


def test_a_study_that_is_not_finished_is_refused(tmp_path, capsys):
    assert main(["view", "--results", str(tmp_path), "--no-browser"]) == 1
    assert "the study is not finished" in capsys.readouterr().err


def test_the_bundle_is_the_one_that_was_fetched():
    digest, name = (ASSETS / "niivue.sha256").read_text().split()
    assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest
    assert "BSD 2-Clause License" in (ASSETS / "NIIVUE-LICENCES.txt").read_text()
