"""The thesis's tables, with published values labelled as published."""

import json

import pandas as pd

from otosynth.tables import rows_from_json, table1, table2, table3, write_table

PUBLISHED = """quantity,group,specimen,method,class,value,source
selected_epoch,A,,multi_task,,95,"Sun 2021, Table 2"
perceptual_error,,S3_1,multi_task,,2.18,"Sun 2021, Table 3"
"""
TITLES = {"multi_task": "Multi-task"}


def test_table1_lists_the_sets_of_each_group():
    groups = {"A": {"testing": ["P2", "P3"], "training": ["P1"], "validation": ["P4"]}}
    assert table1(groups).iloc[0].tolist() == ["A", "P2, P3", "P1", "P4"]


def test_table2_puts_the_published_epoch_beside_the_selected_one(tmp_path):
    (tmp_path / "published.csv").write_text(PUBLISHED)
    runs = {}
    for group, epoch in (("A", 14), ("B", 6)):
        file = tmp_path / f"{group}.json"
        file.write_text(json.dumps({"epoch": epoch}))
        runs[group, "multi_task", 1] = str(file)
    table = table2(runs, TITLES, str(tmp_path / "published.csv"))
    assert table["Selected epoch"].tolist() == [14, 6]
    assert table["Published epoch"].tolist() == ["95", ""]


def test_table3_keeps_published_specimens_apart_and_labelled(tmp_path):
    (tmp_path / "published.csv").write_text(PUBLISHED)
    scores = "study,group,specimen,method,perceptual_error\nphantom,A,P1,multi_task,0.51234\n"
    (tmp_path / "scores.csv").write_text(scores)
    table = table3(str(tmp_path / "scores.csv"), TITLES, str(tmp_path / "published.csv"))
    assert table["Specimen"].tolist() == ["P1", "S3_1"]
    assert table["Multi-task"].tolist()[0] == 0.512
    assert table["Multi-task (published)"].tolist()[1] == 2.18
    files = [str(tmp_path / "t.csv"), str(tmp_path / "t.md")]
    write_table(table, "phantom", files, "f" * 64)
    markdown = (tmp_path / "t.md").read_text()
    assert "| P1 | 0.512 |  |" in markdown
    assert "Data: phantom. Published values: Sun 2021, on other data." in markdown
    assert len(pd.read_csv(files[0])) == 2


def test_json_of_single_specimens_becomes_one_row_each(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"thresholds": [1, 2], "fraction": {"air": 0.1}}))
    (tmp_path / "b.json").write_text(json.dumps({"air": 0.9}))
    table = rows_from_json("s", "phantom", ["P1"], [tmp_path / "a.json"], [tmp_path / "b.json"])
    assert table.to_dict("records") == [
        {"study": "s", "label": "phantom", "specimen": "P1", "thresholds_1": 1,
         "thresholds_2": 2, "fraction_air": 0.1, "air": 0.9}
    ]  # fmt: skip
