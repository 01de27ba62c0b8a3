"""Training learns, repeats byte for byte, and continues where it was stopped."""

import hashlib
import logging

import numpy as np
import pandas as pd
import pytest
import torch

from otosynth.errors import InputError
from otosynth.files import write_csv
from otosynth.selection import validation_table
from otosynth.training.checkpoints import checkpoint_epoch, load_trained
from otosynth.training.schedule import cosine_rate, patch_order
from otosynth.training.state import load_state
from otosynth.training.task import publish
from otosynth.training.team import Team
from otosynth.training.validation import validation_row

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:tensorboard")


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


@pytest.mark.parametrize("method", ["single_task", "multi_task"])
def test_training_lowers_the_weighted_l1(make_trainer, method):
    history = make_trainer(
        method, width=8, epochs=6, constant_epochs=6, steps_per_epoch=16, learning_rate=2e-3
    ).train()
    assert list(history["epoch"]) == [1, 2, 3, 4, 5, 6]
    assert history["weighted_l1"].iloc[-1] < 0.7 * history["weighted_l1"].iloc[0]
    assert ("dice" in history) == (method == "multi_task")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_two_trainings_give_the_same_bytes(make_trainer, tmp_path, precision):
    histories = [make_trainer(folder=name, precision=precision).train() for name in ("a", "b")]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    assert digests(tmp_path / "a/checkpoints") == digests(tmp_path / "b/checkpoints")
    assert list(digests(tmp_path / "a/checkpoints")) == [
        "epoch-0002.safetensors",
        "epoch-0004.safetensors",
    ]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_stopped_training_continues_to_the_same_bytes(
    make_trainer, tmp_path, stop_after, precision
):
    undisturbed = make_trainer(folder="whole", precision=precision).train()

    stopped = make_trainer(folder="stopped", precision=precision, minutes=1e-9)
    stop_after(stopped, 5)
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    again = make_trainer(folder="stopped", precision=precision)
    progress = load_state(tmp_path / "stopped", again.networks, again.optimisers)
    assert (progress.epoch, progress.step) == (1, 2), "it stopped in the middle of an epoch"

    continued = make_trainer(folder="stopped", precision=precision).train()
    pd.testing.assert_frame_equal(undisturbed, continued, check_exact=True)
    assert digests(tmp_path / "whole/checkpoints") == digests(tmp_path / "stopped/checkpoints")


RECIPE = {
    "batch_size": 2, "schedule": "cosine", "warmup": 0.2, "weight_decay": 0.01,
    "gradient_clip": 0.5, "augmentation": "flips_and_axes", "cochlea_share": 0.4, "jitter": True,
}  # fmt: skip


def test_with_every_option_a_stopped_training_continues_to_the_same_bytes(
    make_trainer, tmp_path, stop_after
):
    recipe = RECIPE | {"cochlea": range(54)}
    undisturbed = make_trainer(folder="whole", **recipe).train()
    stopped = make_trainer(folder="stopped", minutes=1e-9, **recipe)
    stop_after(stopped, 7)
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    continued = make_trainer(folder="stopped", **recipe).train()
    pd.testing.assert_frame_equal(undisturbed, continued, check_exact=True)
    assert digests(tmp_path / "whole/checkpoints") == digests(tmp_path / "stopped/checkpoints")


@pytest.mark.parametrize("option", RECIPE)
def test_every_option_changes_the_training(make_trainer, tmp_path, option):
    make_trainer(folder="plain", epochs=2, schedule="cosine").train()
    value = "linear" if option == "schedule" else RECIPE[option]
    options = {"epochs": 2, "schedule": "cosine", "cochlea": range(54), option: value}
    make_trainer(folder="changed", **options).train()
    assert digests(tmp_path / "plain/checkpoints") != digests(tmp_path / "changed/checkpoints")


def test_the_rate_of_every_step_is_the_cosine_s(make_trainer, monkeypatch):
    trainer, rates = make_trainer(schedule="cosine", warmup=0.2, learning_rate=0.1), []
    step = trainer._step

    def watched(batch, epoch):
        rates.append(trainer.optimisers["generator"].rate)
        return step(batch, epoch)

    monkeypatch.setattr(trainer, "_step", watched)
    history = trainer.train()
    assert rates == [cosine_rate(0.1, step, 12, 0.2) for step in range(12)]
    assert history["learning_rate"].tolist() == rates[2::3]


def test_a_step_sees_as_many_patches_as_its_batch(make_trainer):
    trainer = make_trainer(batch_size=3, steps_per_epoch=2)
    assert trainer.steps == [2] * 4
    batches = [batch for _, batch in trainer._patches_of(0, 0)]
    order = patch_order(len(trainer.reader), 6, trainer.job.seed, 0)
    seen = torch.cat([batch.ct for batch in batches])
    expected = torch.cat([trainer.reader.read(int(row)).ct for row in order])
    assert torch.equal(seen, expected)
    every_patch = make_trainer(batch_size=4, steps_per_epoch=None)
    assert every_patch.steps == [14] * 4, "54 patches, and two of the next round"


def test_a_team_shares_a_step_s_patches(make_trainer):
    alone, first, second = (
        make_trainer(folder=name, batch_size=size, steps_per_epoch=steps)
        for name, size, steps in (("alone", 4, 2), ("first", 2, 4), ("second", 2, 4))
    )
    for rank, trainer in enumerate((first, second)):
        trainer.team = Team(rank, 2)
        trainer.patches_a_step, trainer.steps = 4, [2] * 4
    seen = [[batch.ct for _, batch in t._patches_of(1, 1)] for t in (alone, first, second)]
    assert torch.equal(seen[0][0], torch.cat([seen[1][0], seen[2][0]]))


def test_a_clipped_gradient_is_no_longer_than_asked_for(make_trainer):
    trainer = make_trainer(gradient_clip=1e-3)
    trainer._step(trainer.reader.read(0), epoch=0)
    for optimiser in trainer.optimisers.values():
        norm = torch.stack([p.grad.square().sum() for p in optimiser.parameters]).sum().sqrt()
        assert norm == pytest.approx(1e-3, rel=1e-3)


def test_a_table_that_knows_no_cochlea_is_told(make_trainer, caplog):
    # Of the library itself, whose level other tests of one process may have set.
    caplog.set_level(logging.INFO, "otosynth")
    trainer = make_trainer(cochlea_share=0.4, cochlea=np.zeros(54))
    assert "do not say where the cochlea is" in caplog.text
    plain = make_trainer()
    assert np.array_equal(trainer._order(0), plain._order(0))
    caplog.clear()
    near = np.zeros(54)
    near[7] = 12
    only = make_trainer(cochlea_share=1.0, cochlea=near)
    assert set(only._order(0)) == {7}
    assert "cochlea" not in caplog.text
    assert make_trainer(cochlea_share=0.4, cochlea=0 * near).of_cochlea is None


def test_a_larger_batch_has_fewer_steps_for_the_same_budget(make_trainer):
    one, two = (make_trainer(petaflop=2e-4, batch_size=size) for size in (1, 2))
    assert abs(sum(one.steps) - 2 * sum(two.steps)) <= 2


def test_a_damaged_state_is_set_aside_and_the_one_before_used(make_trainer, tmp_path, caplog):
    trainer = make_trainer()
    undisturbed = trainer.train()
    newest = sorted((tmp_path / "state").glob("state-*.safetensors"))[-1]
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(bytes(data))
    with caplog.at_level(logging.WARNING):
        continued = make_trainer().train()
    assert "damaged" in caplog.text
    assert newest.with_suffix(".damaged").exists()
    pd.testing.assert_frame_equal(undisturbed, continued, check_exact=True)


def test_going_on_in_another_precision_is_refused(make_trainer):
    make_trainer(precision="float32").train()
    with pytest.raises(InputError, match="began in float32, but here it would go on in bfloat16"):
        make_trainer(precision="bfloat16", epochs=6).train()


def test_a_loss_that_is_not_a_number_is_refused(make_trainer, monkeypatch):
    trainer = make_trainer()
    monkeypatch.setattr(trainer, "_step", lambda batch, epoch: {"dice": torch.tensor(float("nan"))})
    with pytest.raises(InputError, match="the loss dice is nan in epoch 1"):
        trainer.train()


def test_published_checkpoints_are_the_trained_ones(make_trainer, tmp_path):
    write_csv(make_trainer().train(), tmp_path / "state/history.tsv")
    names = ("checkpoints", "tensorboard", "history")
    publish(tmp_path / "state", {name: str(tmp_path / "out" / name) for name in names})
    assert digests(tmp_path / "out/checkpoints") == digests(tmp_path / "state/checkpoints")
    assert any((tmp_path / "out/tensorboard").iterdir())
    assert len(pd.read_csv(tmp_path / "out/history", sep="\t")) == 4


@pytest.mark.parametrize("learner", ["generator", "discriminator"])
def test_a_player_s_step_changes_its_own_network_only(make_trainer, learner, monkeypatch):
    trainer = make_trainer()
    before = {n: [p.clone() for p in net.parameters()] for n, net in trainer.networks.items()}
    for player, optimiser in trainer.optimisers.items():
        if player != learner:
            monkeypatch.setattr(optimiser, "step", lambda: None)
    trainer._step(trainer.reader.read(0), epoch=0)
    for name, network in trainer.networks.items():
        pairs = zip(before[name], network.parameters(), strict=True)
        changed = np.mean([not torch.equal(a, b) for a, b in pairs])
        assert changed > 0.5 if name == learner else changed == 0, name


def test_the_discriminator_s_loss_gives_the_generator_no_gradient(make_trainer):
    trainer = make_trainer()
    trainer._step(trainer.reader.read(0), epoch=0)
    gradients = [p.grad.clone() for p in trainer.networks["generator"].parameters()]
    batch = trainer.reader.read(1)
    trainer._train_only(("discriminator",))
    generated = trainer.method.generate(trainer.networks, batch)
    wanted = {"discriminator"}
    losses = trainer.method.losses("discriminator", wanted, trainer.networks, batch, generated)
    losses["discriminator"].backward()
    after = [p.grad for p in trainer.networks["generator"].parameters()]
    assert all(torch.equal(a, b) for a, b in zip(gradients, after, strict=True))


def test_a_budget_of_operations_decides_the_steps(make_trainer):
    small, large = (make_trainer(width=width, petaflop=1e-4) for width in (4, 8))
    assert sum(small.steps) > 2 * sum(large.steps) >= 2
    twice = make_trainer(petaflop=2e-4)
    assert abs(sum(twice.steps) - 2 * sum(small.steps)) <= 1
    assert make_trainer(petaflop=1e-12).steps == [1] * 4
    assert make_trainer().steps == [3] * 4


def test_a_budget_is_spent_to_within_a_step(make_trainer):
    trainer = make_trainer(petaflop=1e-4)
    operations = trainer._operations_of_a_step()
    spent = sum(n * each for n, each in zip(trainer.steps, operations, strict=True))
    assert 0 <= 1e11 - spent < max(operations)
    assert max(trainer.steps) - min(trainer.steps) <= 1


def test_a_budget_is_the_same_on_every_machine(make_trainer):
    steps = {p: make_trainer(petaflop=1e-3, precision=p).steps for p in ("float32", "bfloat16")}
    assert steps["float32"] == steps["bfloat16"]


def test_counting_operations_changes_no_result(make_trainer, tmp_path):
    counted = make_trainer(folder="counted", petaflop=1e-5)
    counted.train()
    plain = make_trainer(folder="plain")
    plain.steps = counted.steps
    plain.train()
    assert digests(tmp_path / "counted/checkpoints") == digests(tmp_path / "plain/checkpoints")


def test_a_training_ends_on_its_plateau(make_trainer, monkeypatch, tmp_path):
    trainer = make_trainer(patience=2, epochs=14, constant_epochs=4)
    scores = iter([1.0, 3.0, 2.0, 2.5, 2.0, 9.0, 9.0])
    monkeypatch.setattr(trainer, "_validate", lambda: {"validation_score": next(scores)})
    history = trainer.train()
    # Checkpoints are at every second epoch, and count from the fourth, when the rate begins to
    # fall; of these the lowest is the second, and two more bring nothing.
    assert history["epoch"].max() == 10
    assert history["validation_score"].dropna().tolist() == [1.0, 3.0, 2.0, 2.5, 2.0]
    assert len(list((tmp_path / "state/checkpoints").iterdir())) == 5


def test_a_training_goes_on_with_its_own_number_of_steps(make_trainer):
    make_trainer(steps_per_epoch=3).train()
    with pytest.raises(InputError, match=r"began with 12 steps in all, but here .* with 30"):
        make_trainer(steps_per_epoch=5, epochs=6).train()


def test_every_checkpoint_is_scored_as_its_file_would_be(make_trainer, tmp_path):
    trainer = make_trainer()
    table = validation_table(trainer.train())
    checkpoints = sorted((tmp_path / "state/checkpoints").iterdir())
    assert table["epoch"].tolist() == [checkpoint_epoch(path) for path in checkpoints] == [2, 4]
    for path, scored in zip(checkpoints, table.to_dict("records"), strict=True):
        networks = load_trained(trainer.method, path, trainer.arithmetic)
        row = validation_row(trainer.method, networks, trainer.validation)
        assert row == {f"validation_{name}": v for name, v in scored.items() if name != "epoch"}
