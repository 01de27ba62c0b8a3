"""The server of `otosynth view`: one study's volumes, for a browser on the same machine."""

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import jinja2

from otosynth.errors import InputError
from otosynth.viewing.page_parts import asset, json_in_page
from otosynth.viewing.study import ViewedStudy
from otosynth.viewing.volumes import encoded, keys_of, manifest

HOST = "127.0.0.1"
ASSETS = {
    "niivue.umd.js": "text/javascript",
    "viewer.js": "text/javascript",
    "viewer.css": "text/css",
    "page.css": "text/css",
    "theme.js": "text/javascript",
}
# The page may load nothing from anywhere else. NiiVue has its font and colours as data URLs.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
)


def view_page(study: ViewedStudy) -> str:
    """Return the page that the server shows."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("otosynth.viewing"), autoescape=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    keys = {key for ear in study.ears for key in keys_of(ear)}
    return environment.get_template("view.html").render(
        study=study, manifest=json_in_page(manifest(study, keys))
    )


class StudyServer(ThreadingHTTPServer):
    """Serves a page, its scripts and the volumes of one study.

    Whatever is asked for is looked up by its name among these; no path of a request is ever a
    path of a file.

    Parameters
    ----------
    study
        The study.
    port
        The port on 127.0.0.1; 0: any that is free.

    Raises
    ------
    InputError
        If the port cannot be had.
    """

    daemon_threads = True

    def __init__(self, study: ViewedStudy, port: int) -> None:
        self.page = view_page(study).encode()
        self.ears = {key: ear for ear in study.ears for key in keys_of(ear)}
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"Port {port} cannot be had ({reason}). Give another by --port, or leave it out."
            ) from None

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: StudyServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the page, an asset or a volume; anything else is not found."""
        # A page of another site, whose name was made to mean this machine, is refused.
        if self.headers.get("Host", "").rsplit(":", 1)[0] not in (HOST, "localhost"):
            self._answer(b"Ask 127.0.0.1.", "text/plain", HTTPStatus.FORBIDDEN)
            return
        name = unquote(urlsplit(self.path).path).removeprefix("/")
        key = name.removeprefix("volumes/")
        if not name:
            self._answer(self.server.page, "text/html; charset=utf-8")
        elif name in ASSETS:
            self._answer(asset(name).encode(), f"{ASSETS[name]}; charset=utf-8")
        elif name.startswith("volumes/") and key in self.server.ears:
            self._volume(key)
        else:
            self._answer(b"There is no such thing here.", "text/plain", HTTPStatus.NOT_FOUND)

    def _volume(self, key: str) -> None:
        try:
            data = encoded(self.server.ears[key], key, 16)
        except InputError as error:
            self._answer(str(error).encode(), "text/plain", HTTPStatus.INTERNAL_SERVER_ERROR)
        else:
            self._answer(data, "application/octet-stream")

    def _answer(self, data: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(data)),
                   "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff",
                   "Cache-Control": "no-store"}  # fmt: skip
        for header, value in headers.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing of single requests."""
