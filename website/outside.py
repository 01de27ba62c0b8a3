"""Files of the repository that are not in docs/, as pages of the site where pages link to them.

MkDocs calls the functions that begin with ``on_``.
"""

import os.path
import posixpath
import re
from collections.abc import Callable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# Where the site has them.
SOURCE = "source"
# Those that the navigation names.
ALWAYS = tuple(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"))
PICTURES = (".png", ".svg", ".jpg", ".pdf")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".smk": "python", ".sh": "bash", ".toml": "toml"}

CODE = re.compile(r"^( *)(```+).*?^\1\2 *$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)(#[^)\s]*)?(?=[)\s])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that pages link to, and those that these link to."""
    for file in linked_files():
        place = place_of(file)
        assert place is not None
        if file.suffix in PICTURES:
            files.append(File.generated(config, place, abs_src_path=str(file)))
        else:
            files.append(File.generated(config, place, content=shown_as_page(file)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead a page's links to files outside docs/ to the site's copy."""
    uri = page.file.src_uri
    if uri.startswith("reference/"):  # made from the docstrings
        return markdown
    outside = uri.startswith(f"{SOURCE}/")
    origin = ROOT / uri.removeprefix(f"{SOURCE}/") if outside else DOCS / uri

    def lead(match: re.Match[str]) -> str:
        place = place_of(target_of(origin, match.group(1)))
        if place is None:
            raise PluginError(f"{uri}: the site cannot show {match.group(1)}; link to a file.")
        return posixpath.relpath(place, posixpath.dirname(uri) or ".") + (match.group(2) or "")

    return outside_code(markdown, lambda prose: LINK.sub(lead, prose))


def place_of(file: Path) -> str | None:
    """Return where the site has a file of the repository; None: not at all."""
    if file.is_relative_to(DOCS):
        # website/notebooks.py makes pages of notebooks.
        shown = file.with_suffix(".md") if file.suffix == ".ipynb" else file
        return shown.relative_to(DOCS).as_posix()
    if not file.is_file() or not file.is_relative_to(ROOT):
        return None
    name = file.relative_to(ROOT).as_posix()
    return f"{SOURCE}/{name}" if file.suffix in (*PICTURES, ".md") else f"{SOURCE}/{name}.md"


def target_of(page: Path, link: str) -> Path:
    """Return the file that a page's relative link leads to."""
    return Path(os.path.normpath(page.parent / link))


def linked_files() -> list[Path]:
    """Return the files outside docs/ that pages link to, and those that these link to."""
    found = set(ALWAYS)
    waiting = {*DOCS.rglob("*.md"), *ALWAYS}
    seen: set[Path] = set()
    while waiting:
        page = waiting.pop()
        seen.add(page)
        prose = CODE.sub("", page.read_text(encoding="utf-8"))
        targets = {target_of(page, match.group(1)) for match in LINK.finditer(prose)}
        new = {target for target in targets if not target.is_relative_to(DOCS) and place_of(target)}
        found |= new
        waiting |= {target for target in new if target.suffix == ".md"} - seen
    return sorted(found)


def shown_as_page(file: Path) -> str:
    """Return a text file as a page: itself if it is Markdown, else as code."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        return text
    language = LANGUAGES.get(file.suffix, "text")
    return f"# {file.relative_to(ROOT).as_posix()}\n\n````{language}\n{text}\n````\n"


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """Change a page's prose, and leave its blocks and spans of code as they are."""
    result, end = [], 0
    for match in CODE.finditer(markdown):
        result += [change(markdown[end : match.start()]), match.group(0)]
        end = match.end()
    return "".join([*result, change(markdown[end:])])
