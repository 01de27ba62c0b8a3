"""Digests of a script and of all library modules that it imports, comments left out."""

import ast
import hashlib
import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parents[1]
# What else decides an outline: this very module, and the Python that parses.
OUTLINER = Path(__file__).read_bytes() + sys.version.encode()


@dataclass(frozen=True)
class Outline:
    """What a file of code does to those who import it, as far as its own bytes say so.

    Attributes
    ----------
    digest
        SHA-256 of its parsed code without docstrings and comments, hexadecimal.
    imports
        Every module that it imports and the name it takes of it; empty for the module itself.
    gathered
        Modules of the names that it imports at its top, for others to import from here.
    discovers
        Whether it lists the modules of its package (``pkgutil.iter_modules``), and so depends on
        all of them.
    """

    digest: str
    imports: list[tuple[str, str]]
    gathered: dict[str, str]
    discovers: bool


@cache
def code_files(script: Path, *modules: str) -> dict[str, str]:
    """Return a digest of each file of code that decides what a script does.

    These are the script and every otosynth module that it imports, directly or not, as parsed
    code without docstrings and comments: a change of words re-runs nothing, and a change of
    code re-runs just the jobs that import it. A name imported from a package counts as the one
    module that defines it, not as all that the package gathers.

    Parameters
    ----------
    script
        A Python file.
    modules
        Modules that it imports by name at run time, such as the method of a training.

    Returns
    -------
    dict
        ``scripts/<name>.py`` or ``otosynth/<module>.py`` to a SHA-256, hexadecimal.
    """
    named = [file for name in modules if (file := _file_of_module(name))]
    files = imported_files([script, *named])
    return dict(sorted((code_name(path), outline_of(path).digest) for path in files))


def code_name(path: Path) -> str:
    """Return the name that a file of code has in records."""
    if path.is_relative_to(LIBRARY):
        return path.relative_to(LIBRARY.parent).as_posix()
    return f"{path.parent.name}/{path.name}"


def code_path(name: str, project: Path) -> Path:
    """Return the file of code that has a name in records."""
    folder = LIBRARY.parent if name.startswith(f"{LIBRARY.name}/") else project
    return folder / name


def imported_files(files: list[Path]) -> set[Path]:
    """Return some files with all files of the library that they import, directly or not."""
    found = set(files)
    waiting = list(files)
    while waiting:
        for path in _imports_of(waiting.pop()):
            if path not in found:
                found.add(path)
                waiting.append(path)
    return found


@cache
def _imports_of(path: Path) -> frozenset[Path]:
    outline = outline_of(path)
    found = {_file_of_name(module, name) for module, name in outline.imports}
    if outline.discovers:
        found |= set(path.parent.glob("*.py"))
    return frozenset(file for file in found if file)


def _file_of_name(module: str, name: str) -> Path | None:
    """Return the file that defines ``name``, which is imported from ``module``."""
    submodule = _file_of_module(f"{module}.{name}") if name else None
    if submodule:
        return submodule
    file = _file_of_module(module)
    if file is None or file.name != "__init__.py" or not name:
        return file
    gathered_from = outline_of(file).gathered.get(name)
    return _file_of_name(gathered_from, name) if gathered_from else file


def _file_of_module(name: str) -> Path | None:
    """Return the module's file; none for what is not part of the library."""
    parts = name.split(".")
    if parts[0] != LIBRARY.name:
        return None
    place = LIBRARY.joinpath(*parts[1:])
    candidates = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in candidates if file.is_file()), None)


@cache
def outline_of(path: Path) -> Outline:
    """Return a file's outline, from the user's cache where the same bytes were parsed before.

    To parse all code takes most of a second, for which every dry run, and every job on a cluster,
    would wait. An outline that cannot be read or written is done without.
    """
    source = path.read_bytes()
    name = f"{hashlib.sha256(OUTLINER + source).hexdigest()}.json"
    with suppress(OSError, RuntimeError, ValueError, TypeError):
        return Outline(**json.loads((_cache_folder() / name).read_bytes()))
    outline = _outline(source)
    with suppress(OSError, RuntimeError):
        _keep(outline, _cache_folder() / name)
    return outline


def _keep(outline: Outline, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(asdict(outline)), encoding="utf-8")
    beside.replace(path)


def _cache_folder() -> Path:
    """Return where outlines are kept; a user may delete it at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otosynth/code"


@cache
def digest_of_code(path: Path) -> str:
    """Return the digest of a file's code, parsed here and now: nothing kept is trusted."""
    return _outline(path.read_bytes()).digest


def _outline(source: bytes) -> Outline:
    tree = ast.parse(source.decode("utf-8"))
    imports = [pair for node in ast.walk(tree) for pair in _imported(node)]
    gathered = {
        alias.asname or alias.name: node.module
        for node in reversed(tree.body)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    discovers = any(
        isinstance(node, ast.Attribute) and node.attr == "iter_modules" for node in ast.walk(tree)
    )
    return Outline(_digest(tree), sorted(set(imports)), gathered, discovers)


def _imported(node: ast.AST) -> list[tuple[str, str]]:
    """Return each module, and name of it, that a statement imports from the library."""
    if isinstance(node, ast.Import):
        pairs = [(alias.name, "") for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        pairs = [(node.module, alias.name) for alias in node.names]
    else:
        return []
    return [(module, name) for module, name in pairs if module.split(".")[0] == LIBRARY.name]


def _digest(tree: ast.Module) -> str:
    """Return the digest of parsed code; its docstrings are removed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = _without_docstring(node.body)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    is_docstring = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return body[1:] if is_docstring else body
