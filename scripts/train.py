"""Train one method on one group; continues where a stopped job left off."""

import logging
from pathlib import Path

from otosynth.configuration.training import TrainingSettings
from otosynth.jobs import job
from otosynth.locks import locked
from otosynth.pairs import pair_folders
from otosynth.training.checkpoints import selected_checkpoint
from otosynth.training.state import clean_state_folder
from otosynth.training.task import TrainingTask, publish, train_task
from otosynth.training.team import Team

with job(snakemake) as recorder:
    wildcards, files, params = snakemake.wildcards, snakemake.input, snakemake.params
    # How often the state is saved changes no result, so it is no parameter of the rule.
    state_minutes = TrainingSettings(**snakemake.config["training"]).state_minutes
    folders = pair_folders(files.pairs, params.mirrored)
    required = {}
    for block, settings in params.required.items():
        folder, selected = (Path(f) for f in files.required if f"/{block}/" in f)
        checkpoint = selected_checkpoint(folder, selected)
        required[block] = {"settings": dict(settings), "checkpoint": str(checkpoint)}
    task = TrainingTask(
        method=wildcards.method,
        group=wildcards.group,
        seed=int(wildcards.seed),
        study_seed=params.seed,
        settings=dict(params.method),
        training={**params.training, "state_minutes": state_minutes},
        pairs=tuple(files.pairs),
        mirrored=dict(params.mirrored),
        training_table=files.training,
        validation_table=files.validation,
        normalisation=files.normalisation,
        code=dict(params.code),
        priors=tuple(files.priors),
        required=required,
        fold={
            split: {name: recorder.digest_of_folder(folders[name]) for name in specimens}
            for split, specimens in params.fold.items()
        },
    )
    folder = task.open_state(Path(snakemake.config["state"]) / snakemake.config["study"])

    def tell_holder(holder):
        """Say who trains this already, and how to take over."""
        logging.getLogger("otosynth").info(
            "%s is trained already by %s; waiting for it. To train it here, stop that process.",
            task.title, holder,
        )  # fmt: skip

    with locked(folder / "lock", tell_holder):
        clean_state_folder(folder)
        if task.processes == 1:
            train_task(task, folder, Team())
        else:
            # Imported here: torch's launcher takes a second to import.
            from otosynth.training.launch import run_team

            run_team(task, folder, snakemake.log[0])
    publish(folder, dict(snakemake.output.items()))
