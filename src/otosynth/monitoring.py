"""All trainings of some studies in one TensorBoard, under names that a person reads.

A training writes its curves into the folder of its state, `.state/<study>/<digest>/tensorboard`,
while it runs; finished, they are in `results/<study>/training/` as well. Here both are linked into
one folder as `<study>/<group>/<method>/seed-<n>`, which TensorBoard shows as the names of its runs.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from otosynth.errors import InputError

# What `TrainingTask.title` makes of a method, a group and a seed.
TITLE = re.compile(r"(?P<method>.+), group (?P<group>.+), seed (?P<seed>\d+)")
EVENTS = "events.out.tfevents.*"
# Of each curve, and of each of Fig. 5's images, in each run; TensorBoard holds them in memory.
MOST_EPOCHS, MOST_IMAGES = 10_000, 200


def find_runs(results: Path, state: Path, studies: Sequence[str] = ()) -> dict[str, Path]:
    """Find the TensorBoard files of all trainings, running and finished.

    Parameters
    ----------
    results, state
        Folder of all studies, and of the resumable state of all trainings.
    studies
        Names of the studies; none: all.

    Returns
    -------
    dict
        Folders by `<study>/<group>/<method>/seed-<n>`; of several for one training, such as one of
        earlier settings, the one that was written last.
    """
    newest: dict[str, tuple[int, Path]] = {}
    for name, folder in (*_in_state(state), *_in_results(results)):
        written = max((f.stat().st_mtime_ns for f in folder.glob(EVENTS)), default=None)
        if written is not None and (not studies or name.split("/")[0] in studies):
            newest[name] = max(newest.get(name, (0, folder)), (written, folder))
    return {name: folder for name, (_, folder) in sorted(newest.items())}


def _in_state(state: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(state.glob("*/*/decided_by.json")):
        try:
            title = TITLE.fullmatch(json.loads(path.read_text(encoding="utf-8"))["training"])
        except (OSError, ValueError, KeyError):
            continue  # half-written or deleted just now; found when it is looked for again
        if title:
            study, run = path.parents[1].name, "{group}/{method}/seed-{seed}"
            yield f"{study}/{run.format(**title.groupdict())}", path.parent / "tensorboard"


def _in_results(results: Path) -> Iterator[tuple[str, Path]]:
    for folder in sorted(results.glob("*/training/*/*/seed-*/tensorboard")):
        study, _, *run = folder.parent.relative_to(results).parts
        yield "/".join([study, *run]), folder


def link_runs(runs: Mapping[str, Path], folder: Path) -> None:
    """Make a folder that shows runs under their names; links to others are taken away."""
    wanted = {folder / name: target.resolve() for name, target in runs.items()}
    for link in [path for path in folder.glob("*/*/*/*") if path.is_symlink()]:
        if link not in wanted or link.readlink() != wanted[link]:
            link.unlink()
    for link, target in wanted.items():
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target, target_is_directory=True)


def check_runs(runs: Mapping[str, Path], results: Path, state: Path, study: str | None) -> None:
    """Refuse to show nothing.

    Raises
    ------
    InputError
        If no training has begun, or none of the study.
    """
    if runs:
        return
    if study is None:
        raise InputError(
            f"There is nothing to watch yet: no training has written curves in {state} or "
            f"{results}. A training shows within about a minute; `make study` starts the default "
            "one."
        )
    known = sorted({name.split("/")[0] for name in find_runs(results, state)})
    raise InputError(
        f"The study {study} has no curves in {state} or {results}. There are: "
        f"{', '.join(known) or 'none'}. A training shows within about a minute."
    )


@contextmanager
def tensorboard(folder: Path, host: str, port: int) -> Iterator[str]:
    """Run TensorBoard beside this process' own work, and give its address.

    What reads the curves ends when nothing holds the server any more, as this does.

    Raises
    ------
    InputError
        If the port is taken, or not to be had on this host.
    """
    # Imported here: it takes a second.
    from tensorboard import default, program

    server = program.TensorBoard(default.get_plugins())
    server.configure(
        logdir=str(folder),
        host=host,
        port=port,
        window_title="otosynth",
        load_fast="true",
        # Of longer trainings it shows a sample.
        samples_per_plugin={"scalars": MOST_EPOCHS, "images": MOST_IMAGES},
    )
    try:
        address = server.launch()
    except program.TensorBoardPortInUseError:
        raise InputError(
            f"Port {port} is taken by another program, perhaps by another monitor. "
            f"Choose another: make monitor PORT={port + 1}"
        ) from None
    except program.TensorBoardServerException as error:
        raise InputError(f"TensorBoard could not start: {error}.") from None
    yield address
