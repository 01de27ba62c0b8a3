"""What a training writes for TensorBoard, read back by TensorBoard's own readers."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import (
    STORE_EVERYTHING_SIZE_GUIDANCE,
    EventAccumulator,
)

from otosynth.training import trainer as trainer_module
from otosynth.training.monitor import Monitor
from otosynth.training.trainer import Speed

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:tensorboard")

LOSSES = {"adversarial", "discriminator", "weighted_l1", "perception", "dice"}
FIG5 = {"real_A", "fake_B", "real_B", "fake_class_map", "target_class_map"}


def events_of(folder) -> EventAccumulator:
    found = EventAccumulator(str(folder / "tensorboard"), STORE_EVERYTHING_SIZE_GUIDANCE)
    found.Reload()
    return found


def steps_of(events, tag: str) -> list[int]:
    return [event.step for event in events.Scalars(tag)]


def checkpoints_of(folder) -> dict[str, str]:
    files = sorted((folder / "checkpoints").iterdir())
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_every_epoch_has_its_losses_rate_speed_and_five_images(make_trainer, tmp_path):
    history = make_trainer(folder="state").train()
    events = events_of(tmp_path / "state")
    tags = events.Tags()
    curves = {f"training/{name}" for name in {*LOSSES, "learning_rate"}}
    validated = {c.removeprefix("validation_") for c in history if c.startswith("validation_")}
    curves |= {f"validation/{name}" for name in validated}
    assert "score" in validated
    assert set(tags["scalars"]) == curves | {"speed/steps_per_second", "speed/minutes_left"}
    assert set(tags["images"]) == {f"fig5/{name}" for name in FIG5}
    for name in {*LOSSES, "learning_rate"}:
        written = [event.value for event in events.Scalars(f"training/{name}")]
        assert written == pytest.approx(history[name].tolist(), rel=1e-6)
    for name in FIG5:
        images = events.Images(f"fig5/{name}")
        assert [image.step for image in images] == [1, 2, 3, 4]
        assert {(image.width, image.height) for image in images} == {(16, 16)}
    assert all(event.value > 0 for event in events.Scalars("speed/steps_per_second"))
    left = events.Scalars("speed/minutes_left")
    assert left[-1].value == 0
    assert [event.step for event in left] == [1, 2, 3, 4]
    assert all(event.value > 0 for event in left[:-1])


@pytest.mark.parametrize("moment", ["in an epoch", "before the state is saved"])
def test_a_training_that_was_killed_and_continued_is_one_curve(
    make_trainer, tmp_path, monkeypatch, stop_after, moment
):
    killed = make_trainer(folder="state", minutes=1e-9)
    if moment == "in an epoch":
        stop_after(killed, 7)
    else:
        save = killed._save

        def die_after_the_second_epoch(progress):
            if (progress.epoch, progress.step) == (2, 0):
                raise KeyboardInterrupt
            save(progress)

        monkeypatch.setattr(killed, "_save", die_after_the_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        killed.train()
    shown = events_of(tmp_path / "state")
    assert steps_of(shown, "training/dice")[-1] == 2, "it was shown before it was saved"

    history = make_trainer(folder="state").train()
    events = events_of(tmp_path / "state")
    assert len(list((tmp_path / "state/tensorboard").iterdir())) == 2
    for tag in ("training/dice", "training/learning_rate"):
        assert steps_of(events, tag) == [1, 2, 3, 4]
    assert [e.value for e in events.Scalars("training/dice")] == pytest.approx(
        history["dice"].tolist(), rel=1e-6
    )
    assert [image.step for image in events.Images("fig5/fake_B")] == [1, 2, 3, 4]


def test_being_watched_changes_no_byte(make_trainer, tmp_path, monkeypatch):
    watched = make_trainer(folder="watched").train()
    alone = make_trainer(folder="alone")
    monkeypatch.setattr(alone, "_monitor", lambda progress: None)
    assert alone.train().equals(watched)
    assert not (tmp_path / "alone/tensorboard").exists()
    assert checkpoints_of(tmp_path / "alone") == checkpoints_of(tmp_path / "watched")


def test_a_long_epoch_shows_its_speed_before_it_ends(
    make_trainer, tmp_path, monkeypatch, stop_after
):
    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_MESSAGES", 0.0)
    trainer = make_trainer(folder="state")
    stop_after(trainer, 2)
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    events = events_of(tmp_path / "state")
    assert steps_of(events, "speed/minutes_left") == [0]
    assert events.Scalars("speed/minutes_left")[0].value > 0


def test_time_left_is_of_the_steps_that_are_left(monkeypatch):
    clock = iter([0.0, 10.0, 12.0, 20.0])
    monkeypatch.setattr(trainer_module.time, "monotonic", lambda: next(clock))
    speed = Speed("a training", 101)
    assert not speed.count(1)
    assert speed.seconds_left is None
    speed.count(2)
    assert speed.seconds_left == pytest.approx(99 * 2)
    speed.count(11)
    assert speed.steps_per_second == pytest.approx(1.0)
    assert speed.seconds_left == pytest.approx(90)


def test_class_maps_are_black_grey_and_white(tmp_path):
    monitor = Monitor(tmp_path, first_epoch=0)
    classes = np.array([[0, 1, 2]], np.float32)
    monitor.write_epoch({"epoch": 1.0}, {"fake_class_map": classes})
    monitor.close()
    events = EventAccumulator(str(tmp_path), STORE_EVERYTHING_SIZE_GUIDANCE)
    events.Reload()
    png = events.Images("fig5/fake_class_map")[0].encoded_image_string
    assert list(pixels_of(png)) == [0, 127, 255]


def pixels_of(png: bytes) -> list[int]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")).ravel().tolist()
