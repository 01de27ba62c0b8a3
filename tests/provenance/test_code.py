"""The code digest follows what the code does, not how it is commented."""

import json
from pathlib import Path

import pytest

from otosynth.provenance import code


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library of three modules and a script that uses two of them."""
    root = tmp_path / "otosynth"
    (root / "sub").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "sub/__init__.py").write_text("")
    (root / "used.py").write_text("from otosynth.sub import deeper\n")
    (root / "sub/deeper.py").write_text(
        '"""Words."""\n\ndef f():\n    """Words."""\n    return 1\n'
    )
    (root / "unused.py").write_text("x = 1\n")
    script = tmp_path / "script.py"
    script.write_text("from otosynth.used import f\n")
    monkeypatch.setattr(code, "LIBRARY", root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return root, script


def digest(script, *modules):
    for cached in (code.outline_of, code._imports_of, code.code_files):
        cached.cache_clear()
    return code.code_files(script, *modules)


def test_words_do_not_count(library):
    root, script = library
    before = digest(script)
    (root / "sub/deeper.py").write_text('"""Other."""\n# why\ndef f():\n    return 1\n')
    assert digest(script) == before


def test_a_changed_module_counts_however_deep_it_is_imported(library):
    root, script = library
    before = digest(script)
    (root / "sub/deeper.py").write_text("def f():\n    return 2\n")
    assert digest(script) != before


def test_a_module_that_is_not_imported_does_not_count_unless_named(library):
    root, script = library
    before, named = digest(script), digest(script, "otosynth.unused")
    (root / "unused.py").write_text("x = 2\n")
    assert digest(script) == before
    assert digest(script, "otosynth.unused") != named


def test_a_name_from_a_package_counts_as_the_module_that_defines_it(library):
    root, script = library
    (root / "sub/__init__.py").write_text("from otosynth.sub.deeper import f\n"
                                          "from otosynth.sub.other import g\n")  # fmt: skip
    (root / "sub/other.py").write_text("def g():\n    return 1\n")
    script.write_text("from otosynth.sub import f\n")
    before = digest(script)
    (root / "sub/other.py").write_text("def g():\n    return 2\n")
    assert digest(script) == before, "g is gathered by the package, but not used"
    (root / "sub/deeper.py").write_text("def f():\n    return 2\n")
    assert digest(script) != before


def test_a_training_does_not_depend_on_how_dicom_is_read():
    root = Path(code.__file__).parents[3]
    files = code.imported_files([root / "scripts/train.py"])
    names = {str(path.relative_to(root)) for path in files}
    assert "src/otosynth/training/trainer.py" in names
    assert "src/otosynth/volumes/mapping.py" in names
    assert not any("dicom" in name or "registration" in name for name in names)


def test_a_package_that_lists_its_modules_depends_on_all_of_them(library):
    root, script = library
    (root / "sub/__init__.py").write_text(
        "import pkgutil\nMODULES = pkgutil.iter_modules(__path__)\n"
    )
    (root / "sub/found.py").write_text("x = 1\n")
    script.write_text("from otosynth.sub import MODULES\n")
    before = digest(script)
    (root / "sub/found.py").write_text("x = 2\n")
    assert digest(script) != before


def test_a_registration_depends_on_how_every_format_is_read():
    root = Path(code.__file__).parents[3]
    files = code.imported_files([root / "scripts/register_pair.py"])
    assert {path.stem for path in files} >= {"dicom", "nrrd", "metaimage", "nifti", "tiff_file"}


@pytest.fixture
def parsed(library, monkeypatch):
    """Which sources were parsed, by their bytes; outlines are kept in a folder of the test."""
    sources = []
    outline = code._outline

    def count(source):
        sources.append(source)
        return outline(source)

    monkeypatch.setattr(code, "_outline", count)
    return sources


def test_code_that_was_parsed_before_is_not_parsed_again(library, parsed):
    root, script = library
    first = digest(script)
    before = len(parsed)
    assert digest(script) == first
    assert len(parsed) == before
    (root / "used.py").write_text("x = 3\n")
    assert digest(script) != first
    assert len(parsed) == before + 1


def test_a_damaged_outline_is_done_without(library, parsed):
    _, script = library
    first = digest(script)
    for kept in code._cache_folder().iterdir():
        kept.write_text("{")
    assert digest(script) == first


def test_without_a_cache_all_is_parsed(library, parsed, monkeypatch):
    _, script = library
    first = digest(script)
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert digest(script) == first


def test_an_audit_trusts_no_kept_outline(library, parsed):
    _, script = library
    true = digest(script)["otosynth/used.py"]
    for kept in code._cache_folder().iterdir():
        outline = json.loads(kept.read_text())
        kept.write_text(json.dumps(outline | {"digest": "0" * 64}))
    code.digest_of_code.cache_clear()
    assert digest(script)["otosynth/used.py"] == "0" * 64
    assert code.digest_of_code(code.LIBRARY / "used.py") == true
