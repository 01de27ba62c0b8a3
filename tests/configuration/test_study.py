"""A configuration is refused early, by the name of its key."""

import copy
from pathlib import Path

import pytest
import yaml

from otosynth.configuration.methods import settings_class
from otosynth.configuration.study import Study, load_study
from otosynth.configuration.tables import (
    check_methods_fit_groups,
    check_raw_files,
    study_groups,
    study_specimens,
)
from otosynth.documentation import PAGE, configuration_page, fields_of
from otosynth.errors import InputError
from otosynth.specimens import Group

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
OVERLAYS = sorted((ROOT / "config").glob("*.yaml"))
# Overlays that come after others.
FIRST = {
    "comparison-cpu": ["comparison"],
    "comparison-mouse": ["mouse", "comparison", "comparison-cpu"],
}


def merged(base: dict, change: dict) -> dict:
    result = copy.deepcopy(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def test_the_default_configuration_states_every_key():
    def keys(section: dict, prefix: str = "") -> set[str]:
        found = set()
        for key, value in section.items():
            found.add(prefix + key)
            if isinstance(value, dict):
                found |= keys(value, f"{prefix}{key}.")
        return found

    stated = keys(DEFAULT)
    for method in DEFAULT["methods"]:
        own = {f"methods.{method}.{key}" for key, _ in fields_of(settings_class(method))}
        expected = {key.replace("<name>", method) for key, _ in fields_of(Study)} | own
        assert expected <= stated | {f"methods.{method}"}


@pytest.mark.parametrize(
    "section",
    [
        *("phantom", "registration", "classmap", "normalisation", "atlas", "yardsticks"),
        *("electric_field", "statistics", "figures"),
    ],
)
def test_the_default_configuration_and_the_definition_agree(section):
    assert getattr(load_study(DEFAULT), section) == Study.model_fields[section].default


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_every_overlay_is_valid(overlay, monkeypatch):
    monkeypatch.chdir(ROOT)
    configuration = DEFAULT
    for name in [*FIRST.get(overlay.stem, []), overlay.stem]:
        change = yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text())
        configuration = merged(configuration, change)
    study = load_study(configuration)
    if study.data.specimen_table.is_file():
        groups = study_groups(study, study_specimens(study))
        assert sum(len(group.testing) for group in groups.values()) >= 6


def test_thesis_overlay_keeps_the_published_values():
    study = load_study(merged(DEFAULT, yaml.safe_load((ROOT / "config/thesis.yaml").read_text())))
    single, multi = study.methods["single_task"], study.methods["multi_task"]
    assert (study.patches.size, study.patches.overlap) == (96, 24)
    for method in (single, multi):
        assert (method.width, method.epochs, method.constant_epochs) == (64, 200, 100)
        assert (method.learning_rate, method.adam_betas) == (2e-4, (0.5, 0.999))
        assert method.steps_per_epoch is None
        assert method.checkpoint_every == 5
    assert (single.factor, multi.factor) == (1, 2)
    left_for_later = {"hausdorff": 0, "centreline": 0}
    assert single.loss_weights.model_dump() == left_for_later | {
        "adversarial": 1, "weighted_l1": 5, "perception": 10, "dice": 0,
    }  # fmt: skip
    assert multi.loss_weights.model_dump() == left_for_later | {
        "adversarial": 1, "weighted_l1": 5, "perception": 5, "dice": 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sead": 3}, "sead: unknown key"),
        ({"patches": {"sise": 3}}, "patches.sise: unknown key"),
        ({"methods": {"multi_task": {"widht": 3}}}, "methods.multi_task.widht: unknown key"),
        ({"patches": {"size": "large"}}, "patches.size: .*integer.*'large'"),
        ({"patches": {"size": 32, "overlap": 32}}, "overlap must be smaller"),
        ({"study": "a/b"}, "study: "),
        ({"study": "../up"}, "study: "),
        ({"normalisation": {"ct_window_hu": [100, -100]}}, "ct_window_hu must be two rising"),
        ({"methods": {"pix2pix": {"title": "x", "loss_weights": {}}}}, "no method 'pix2pix'"),
        ({"methods": {"single_task": {"loss_weights": {"dice": 1}}}}, "dice must be 0"),
        (
            {"methods": {"multi_task": {"schedule": "linear", "constant_epochs": 99}}},
            "constant_epochs must not exceed",
        ),
        ({"methods": {"base": {"title": "x", "loss_weights": {}}}}, "no method 'base'"),
        ({"patches": {"size": 12, "overlap": 4}}, "patches.size must be at least 16 and a mult"),
        (
            {"methods": {"tiss_net": {"title": "T"}}},
            "needs a trained block methods.micro",
        ),
        ({"methods": {"multi_task": 3}}, "methods.multi_task: .* must be a section"),
        ({"methods": {"m": {"title": "M", "module": "multi"}}}, "no method 'multi'"),
        (
            {
                "methods": {
                    "m": {
                        "module": "multi_task",
                        "weights_of": "multi",
                        "title": "M",
                        "loss_weights": {},
                    }
                }
            },
            "there is no trained block 'multi'",
        ),
        (
            {
                "methods": {
                    "m": {
                        "module": "multi_task",
                        "weights_of": "multi_task",
                        "title": "M",
                        "width": 8,
                        "loss_weights": {},
                    }
                }
            },
            "it must have the same .*width",
        ),
        ({"methods": {"single_task": {"prediction": {"samples": 3}}}}, "do not give both"),
        ({"methods": {"multi_task": {"prediction": {"samples": 3}, "dropout": 0}}}, "no dropout"),
        ({"methods": {"multi_task": {"prediction": {"overlap": 0.9}}}}, "prediction.overlap"),
        (
            {"methods": {"residual_unet": {"prediction": {"edge": 100}}}},
            "residual_unet.prediction.edge must be at least 8 and a multiple of 8",
        ),
        (
            {"methods": {"residual_unet": {"loss_weights": {"cross_entropy": 0, "dice": 0}}}},
            "cross_entropy and dice must not both be 0",
        ),
        ({"methods": {"residual_unet": {"widths": [16, 0]}}}, "widths must be at least 1"),
        ({"methods": {"multi_task": {"cochlea_share": 1.1}}}, "cochlea_share"),
        (
            {
                "methods": {
                    "tiss_net": {"title": "T", "factor": 2},
                    "microct_segmentor": {"title": "S"},
                }
            },
            "factor must be the same",
        ),
        (
            {
                "methods": {
                    "cycle_shape": {
                        "title": "C",
                        "epochs": 9,
                        "constant_epochs": 3,
                        "pretraining_epochs": 9,
                    }
                }
            },
            "must be fewer than epochs",
        ),
        ({"statistics": {"reference": "nnunet"}}, "statistics.reference must be one of atlas, si"),
        ({"statistics": {"reference": "exact_classes"}}, "statistics.reference must be one of"),
        ({"figures": {"metric": "jaccard"}}, "figures.metric: There is no metric 'jaccard'"),
        (
            {"figures": {"metric": "field_error"}, "electric_field": {"compute": False}},
            "figures.metric field_error needs electric_field.compute: true",
        ),
        ({"figures": {"metric": "s_score"}}, "s_score needs a block methods.microct_segmentor"),
        (
            {"figures": {"metric": "ssim"}},
            "statistics.reference must be one of single_task, multi_task",
        ),
        (
            {"methods": {"ct_otsu": DEFAULT["methods"]["single_task"] | {"module": "single_task"}}},
            "must not be called ct_otsu",
        ),
        ({"yardsticks": {"bin_width_hu": 0}}, "yardsticks.bin_width_hu"),
        ({"atlas": {"fusions": []}}, "atlas.fusions"),
        ({"methods": {"multi_task": {"adam_betas": [0.5, 1.0]}}}, "adam_betas must be two"),
        ({"groups": {"leave_out": 2}}, "exactly one of groups.table and groups.leave_out"),
    ],
)
def test_a_wrong_key_or_value_is_refused_by_name(change, message):
    with pytest.raises(InputError, match=message):
        load_study(merged(DEFAULT, change))


@pytest.mark.parametrize(
    "change",
    [
        {"figures": {"metric": "field_peak_shift_mm"}},
        {"figures": {"metric": "ssim"}, "statistics": {"reference": "single_task"}},
        {"figures": {"metric": "ssim"}, "statistics": {"compare": False}},
    ],
)
def test_figures_7_and_9_can_be_of_any_metric_that_is_measured(change):
    study = load_study(merged(DEFAULT, change))
    assert study.figures.metric == change["figures"]["metric"]
    assert load_study(DEFAULT).figures.metric == "dice"


def test_a_missing_key_is_named():
    config = copy.deepcopy(DEFAULT)
    del config["methods"]["multi_task"]["title"]
    with pytest.raises(InputError, match=r"methods.multi_task.title: missing"):
        load_study(config)


def test_a_phantom_ear_never_takes_a_thesis_code(tmp_path):
    table = tmp_path / "specimens.tsv"
    table.write_text("specimen\tside\nS3_1\tright\nP2\tright\nP3\tleft\n")
    study = load_study(merged(DEFAULT, {"data": {"specimens": str(table)}}))
    with pytest.raises(InputError, match="S3_1 names an ear of the thesis"):
        study_specimens(study)


def test_all_missing_raw_files_stand_in_one_message(monkeypatch):
    monkeypatch.chdir(ROOT)
    study = load_study(merged(DEFAULT, yaml.safe_load((ROOT / "config/thesis.yaml").read_text())))
    with pytest.raises(InputError, match="12 raw files are missing") as refusal:
        check_raw_files(study_specimens(study), study.data.folder)
    assert "S3_11: data/thesis/S3_11/microct.nii.gz" in str(refusal.value)
    assert "data.folder" in str(refusal.value)


def test_the_configuration_s_page_says_what_the_definition_says():
    assert (ROOT / PAGE).read_text() == configuration_page(), "run `make docs`"


@pytest.mark.parametrize(
    ("name", "why"),
    [("cycle_shape", "trains without pairs"), ("cg_samr", "has a prior of other training ears")],
)
def test_methods_that_need_two_training_ears_are_refused_where_a_group_has_one(name, why):
    study = load_study(merged(DEFAULT, {"methods": {name: {"title": name}}}))
    groups = {"A": Group("A", ("P1",), ("P2",), ("P3",))}
    with pytest.raises(InputError, match=f"{name} {why}.*group A has P2 alone"):
        check_methods_fit_groups(study, groups)
    check_methods_fit_groups(load_study(DEFAULT), groups)
