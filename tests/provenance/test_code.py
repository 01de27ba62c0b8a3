"""The code digest follows what the code does, not how it is commented."""

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
    return root, script


def digest(script, *modules):
    for cached in (code._parse, code._imports_of, code.digest_of_code, code.code_files):
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
