"""Scans as they really come: what is odd about each, in a table, before anything runs."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from otosynth.checking.scan_facts import TITLES, ScanFacts, facts_of_scan
from otosynth.errors import InputError
from otosynth.files import write_bytes
from otosynth.volumes.checks import check_intensities, in_hounsfield
from otosynth.volumes.formats import FORMATS, NOTHING_STATED, format_of
from otosynth.volumes.formats.sidecar import SIDECAR
from otosynth.volumes.reading import read_volume
from otosynth.volumes.volume import Volume

NO_HOUNSFIELD = (
    "Its values are no Hounsfield units, or hold no air: fine for a micro-CT, not for a CT."
)
# Narrower than this, a line a fact is easier to read than a table of ten columns.
TABLE_WIDTH = 150
COLUMNS = ("path", *TITLES[1:], "remarks", "refused")


@dataclass(frozen=True)
class ScanCheck:
    """What was seen of one scan: its facts and remarks, or why it is refused."""

    path: Path
    facts: ScanFacts | None = None
    remarks: tuple[str, ...] = ()
    refused: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts of the scan's line, as in `COLUMNS`."""
        facts = self.facts.cells[1:] if self.facts else ("",) * len(TITLES[1:])
        return (_shown(self.path), *facts, " ".join(self.remarks), self.refused)


def scans_of(paths: Iterable[Path]) -> list[Path]:
    """List the scans that paths lead to: files as they are, and what lies in and below folders.

    A folder of slices is one scan. Folders and files whose names begin with a dot are left out.

    Raises
    ------
    InputError
        If a folder holds no scan of a known format.
    """
    scans: list[Path] = []
    for path in paths:
        found = list(_scans_below(path)) if path.is_dir() else [path]
        if not found:
            known = "; ".join(each.description for each in FORMATS)
            raise InputError(
                f"{path}: holds no scan of a known format, and no folder below it does; name the "
                f"folder that holds them. Known are {known}."
            )
        scans += found
    return list(dict.fromkeys(scans))


def _scans_below(folder: Path) -> Iterator[Path]:
    """Go through a folder and those below it; what is in a folder of slices is part of them."""
    for name, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        files = [Path(name) / each for each in sorted(names) if not each.startswith(".")]
        yield from _scans_in(Path(name), files)


def _scans_in(folder: Path, files: Sequence[Path]) -> Iterator[Path]:
    known = [file for file in files if any(each.matches(file) for each in FORMATS)]
    if _is_of_slices(folder, files):
        yield folder
        # Beside slices there may be volumes, but what the slices are made of is no scan itself.
        slices = format_of(folder).files(folder)
        known = [file for file in known if file not in slices]
    yield from known


def _is_of_slices(folder: Path, files: Sequence[Path]) -> bool:
    """Tell whether a folder is a scan: of TIFF slices or DICOM, not of multi-page TIFFs."""
    if any(file.name.endswith(f".{SIDECAR}") for file in files):
        return False
    try:
        return any(file.name != SIDECAR for file in format_of(folder).files(folder))
    except InputError:
        return False


def check_scans(scans: Iterable[Path]) -> Iterator[ScanCheck]:
    """Read every scan and say what is odd about it, one at a time; refusals are gathered."""
    for path in scans:
        try:
            yield _check(path)
        except InputError as error:
            yield ScanCheck(path, refused=str(error))
        except MemoryError:
            yield ScanCheck(
                path, refused=f"{path}: is too large for this machine's memory; check its header."
            )
        except Exception as error:
            # A fault of ours; the other scans are looked at all the same.
            said = f"{path}: could not be looked at ({type(error).__name__}: {error}); report it."
            yield ScanCheck(path, refused=said)


def _check(path: Path) -> ScanCheck:
    image = read_volume(path)
    check_intensities(image, path)
    is_ct = in_hounsfield(Volume.of(image))
    name = "ct" if is_ct else "microct"
    facts, odd = facts_of_scan(name, path, NOTHING_STATED, image)
    remarks = [remark.removeprefix(f"{name}: ") for remark in odd]
    if not is_ct:
        remarks.append(NO_HOUNSFIELD)
    return ScanCheck(path, facts, tuple(remarks))


def table_of(checks: Sequence[ScanCheck], width: int) -> RenderableType:
    """Return the table for a terminal of so many columns; a narrow one gets a line a fact."""
    if width < TABLE_WIDTH:
        return Group(*[_block(check, with_facts=True) for check in checks])
    table = Table()
    for title in COLUMNS[:-2]:
        table.add_column(title, overflow="fold")
    for check in checks:
        table.add_row(*map(Text, check.cells[:-2]))
    odd = [check for check in checks if check.refused or check.remarks]
    return Group(table, *[_block(check, with_facts=False) for check in odd])


def _block(check: ScanCheck, *, with_facts: bool) -> RenderableType:
    """Return a scan's name with its facts, if they are asked for, its remarks or its refusal."""
    text = Text(_shown(check.path), "bold")
    for title, cell in zip(COLUMNS[1:-2], check.cells[1:-2], strict=True):
        if with_facts and cell:
            text.append(f"\n  {title}: {cell}", "not bold")
    for remark in check.remarks:
        text.append(f"\n  ! {remark}", "not bold")
    if check.refused:
        text.append("\n  REFUSED: ", "red").append(check.refused, "not bold")
    return text


def print_checks(checks: Sequence[ScanCheck], console: Console) -> None:
    """Print the table, and how many scans are refused."""
    console.print(table_of(checks, console.width), highlight=False)
    refused = sum(bool(check.refused) for check in checks)
    remarks = sum(len(check.remarks) for check in checks)
    console.print(
        f"{len(checks)} scan(s), {remarks} remark(s), {refused} refused.", highlight=False
    )


def write_table(checks: Iterable[ScanCheck], path: Path) -> None:
    """Write the table as TSV, a line a scan.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    rows = [COLUMNS, *[check.cells for check in checks]]
    # A cell is one line, and tabs part the cells.
    lines = ["\t".join(" ".join(cell.split()) for cell in row) for row in rows]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise InputError(
            f"{path}: could not be written ({error.strerror}); choose another --table."
        ) from error


def _shown(path: Path) -> str:
    """Return a path as text; bytes that are no letters as their numbers."""
    return str(path).encode("utf-8", "backslashreplace").decode()
