"""What all rules share: the validated configuration, the ears and where files lie."""

import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

import otosynth
from otosynth.configuration.study import BORROWER_KEYS, SEGMENTOR, load_study
from otosynth.errors import InputError
from otosynth.files import sha256_of
from otosynth.locks import lock_until_exit
from otosynth.terminal import let_terminals_show_all
from otosynth.provenance.code import code_files
from otosynth.priors import FILES as PRIOR_FILES
from otosynth.provenance.places import places_of
from otosynth.configuration.tables import (
    check_methods_fit_groups,
    check_paths,
    check_raw_files,
    study_groups,
    study_specimens,
)
from otosynth.rows import (
    BLURRED_MICROCT,
    NO_SEED,
    YARDSTICKS,
    study_rows,
    without_ceilings,
)

let_terminals_show_all()
# Snakemake 9.27 puts it into the command line of every job as it is, and a repository may lie in a
# folder with a space.
sys.executable = shlex.quote(sys.executable)

try:
    STUDY = load_study(config)
    check_paths(STUDY, workflow.basedir)
    SPECIMENS = study_specimens(STUDY)
    GROUPS = study_groups(STUDY, SPECIMENS)
    check_methods_fit_groups(STUDY, GROUPS)
    if STUDY.data.source == "files":
        check_raw_files(SPECIMENS, STUDY.data.folder)
except InputError as error:
    raise WorkflowError(str(error)) from None

RESULTS = f"{STUDY.results}/{STUDY.study}"
SCRIPTS = Path(workflow.basedir) / "scripts"
ENVIRONMENT = "../envs/otosynth.yaml"
IS_PHANTOM = STUDY.data.source == "phantom"
GROUP_OF = {
    specimen: group.name for group in GROUPS.values() for specimen in group.testing
}
# Blocks that are trained, and blocks that predict tested ears: one may do either or both.
TRAINED = {n: m for n, m in STUDY.methods.items() if m.weights_of is None}
TESTED = {n: m for n, m in STUDY.methods.items() if m.tested}
# What tables and figures have a row for: yardsticks, atlases, tested blocks, ceilings.
ROWS = study_rows(
    STUDY.atlas,
    {name: m.title for name, m in TESTED.items()},
    STUDY.training.seeds,
    is_phantom=IS_PHANTOM,
)
RUNS = [(name, seed) for name, row in ROWS.items() for seed in row.seeds]
TITLES = {name: row.title for name, row in ROWS.items()}
SHOWN = STUDY.figures.specimen or next(iter(GROUPS.values())).testing[0]

SPECIMEN = f"{RESULTS}/specimens/{{specimen}}"
TRAINING = f"{RESULTS}/training/{{group}}/{{method}}/seed-{{seed}}"
PREDICTION = f"{RESULTS}/predictions/{{specimen}}/{{method}}/seed-{{seed}}"
YARDSTICK = f"{RESULTS}/yardsticks/{{specimen}}"
FIELD = f"{RESULTS}/field/{{specimen}}"
REGISTERED = f"{RESULTS}/atlas/{{specimen}}/registered"
PRIOR = f"{RESULTS}/groups/{{group}}/priors/x{{factor}}/{{specimen}}"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
PAIR_FILES = ("ct.nii", "microct.nii", "mask.nii", "classmap.nii", "cochlea.nii")
# What scores read of a pair.
WITHOUT_REGION = PAIR_FILES[:-1]


def lock_results():
    """Refuse to run while another workflow writes to the same results, from wherever."""
    holder = lock_until_exit(Path(RESULTS) / ".lock")
    if holder:
        raise WorkflowError(
            f"{RESULTS} is being written by another workflow ({holder}). Wait until it is done, "
            "or stop it; the lock goes when that process ends."
        )


def choose_jobs_only_when_one_ends():
    """Keep Snakemake from looking for work ever more often.

    With a limit of jobs a second, which it has by default, Snakemake 9.27 starts a timer after each
    choice of jobs and chooses again when it ends: every finished job adds a timer, for good. After
    300 jobs that took a third of a core. Nothing here is so short that the limit mattered.
    """
    workflow.scheduler.job_rate_limiter = None


def settings(section, **options):
    """Return a section of the configuration as plain data, for `params`."""
    return section.model_dump(mode="json", **options)


def trained_settings(wildcards):
    """Return what a block's training depends on; its title matters to figures alone."""
    return settings(STUDY.methods[wildcards.method], exclude=BORROWER_KEYS)


def predicting_settings(wildcards):
    """Return what a block's predictions depend on."""
    return settings(STUDY.methods[wildcards.method], exclude={"title", "weights_of"})


def code(script):
    """Return a parameter: digests of a script and of the library modules that it imports.

    It is a function, so that every job parses its own code alone.
    """
    return lambda wildcards: code_files(SCRIPTS / script)


def modules_of(methods):
    """Return the modules of some blocks and of the blocks that these need."""
    needed = {name for method in methods for name in STUDY.methods[method].requires}
    return sorted(
        f"otosynth.methods.{STUDY.methods[name].module}" for name in {*methods, *needed}
    )


def code_of_method(script):
    """Return the same with the module of the job's own method, and of no other."""
    return lambda wildcards: code_files(
        SCRIPTS / script, *modules_of([wildcards.method])
    )


def code_of_segmentor(script):
    """Return the same with the module of the segmentor of micro-CTs."""
    return lambda wildcards: code_files(SCRIPTS / script, *modules_of([SEGMENTOR]))


def any_of(names):
    """Return a wildcard's constraint to some names; to none, one that nothing meets."""
    return "|".join(names) or "none of them"


def growing(base):
    """Return a resource that grows with every attempt."""
    return lambda wildcards, attempt: base * attempt


def team_resources():
    """Return what Slurm needs to know of a training of several processes: a task for each."""
    if STUDY.training.processes == 1:
        return {}
    return {
        "tasks": STUDY.training.processes,
        "tasks_per_gpu": 1,
        "cpus_per_task": STUDY.training.threads,
        "mpi": "srun",
    }


def is_mirrored(specimen):
    """Return whether an ear is of the other side than the networks work on."""
    return SPECIMENS[specimen].side != STUDY.data.working_side


def sides_of(specimens):
    """Return which of some ears are mirrored, for `params`."""
    return {specimen: is_mirrored(specimen) for specimen in specimens}


def pair_folder(specimen, factor):
    """Return the folder of a pair at a down-sampling factor."""
    folder = f"{RESULTS}/specimens/{specimen}"
    return folder if int(factor) == 1 else f"{folder}/x{factor}"


def pairs_of(specimens, factor, names=PAIR_FILES):
    """Return the volumes of each specimen's pair at a factor, or some of them."""
    return [f"{pair_folder(s, factor)}/{name}" for s in specimens for name in names]


def factor_of(method):
    """Return the down-sampling factor that a method trains at."""
    return STUDY.methods[method].factor


def normalisation_of(specimen):
    """Return the intensity windows of the group that tests a specimen."""
    return f"{RESULTS}/groups/{GROUP_OF[specimen]}/normalisation.json"


def learned_of(specimen):
    """Return the thresholds and the point spread of the group that tests a specimen."""
    return f"{RESULTS}/groups/{GROUP_OF[specimen]}/yardsticks.json"


def of_training_ears(group, name):
    """Return a file of each training ear of a group."""
    return [f"{pair_folder(ear, 1)}/{name}" for ear in GROUPS[group].training]


def patch_table(group, split, factor):
    """Return the path of a patch table."""
    return f"{RESULTS}/groups/{group}/patches/x{factor}/{split}.tsv"


def lender_of(group, method, seed):
    """Return the folder of the training whose networks a block predicts with."""
    trained = STUDY.methods[method].weights_of or method
    return f"{RESULTS}/training/{group}/{trained}/seed-{seed}"


def training_of(specimen, method, seed):
    """Return the folder of the training whose group tests a specimen."""
    return lender_of(GROUP_OF[specimen], method, seed)


def temperature_of(specimen, method, seed):
    """Return what a method's confidence is scaled by; nothing where it gives none."""
    if method not in CONFIDENT:
        return []
    # A block's own, also where it predicts with another's networks: it may do so otherwise.
    return (
        f"{RESULTS}/training/{GROUP_OF[specimen]}/{method}/seed-{seed}/temperature.json"
    )


def atlases_for(group, specimen):
    """Return the ears whose registered scans are a specimen's prior in a group."""
    return [name for name in GROUPS[group].training if name != specimen]


def priors_of(group, specimens, method):
    """Return the priors of some ears in a group, as far as a method has one."""
    kind, factor = STUDY.methods[method].prior_kind, factor_of(method)
    folder = f"{RESULTS}/groups/{group}/priors/x{factor}"
    names = PRIOR_FILES[kind] if kind else ()
    return [f"{folder}/{specimen}/{name}" for specimen in specimens for name in names]


def required_files(wildcards):
    """Return what a training needs of other blocks: checkpoints and the choice among them."""
    return [
        f"{RESULTS}/training/{wildcards.group}/{name}/seed-{wildcards.seed}/{file}"
        for name in STUDY.methods[wildcards.method].requires
        for file in ("checkpoints", "selected.json")
    ]


def required_settings(wildcards):
    """Return the settings of the blocks whose networks a training needs."""
    return {
        name: settings(STUDY.methods[name], exclude=BORROWER_KEYS)
        for name in STUDY.methods[wildcards.method].requires
    }


def atlases_of(specimen):
    """Return the specimens whose class maps vote for a target: all its group does not test."""
    testing = GROUPS[GROUP_OF[specimen]].testing
    return [name for name in SPECIMENS if name not in testing]


def transforms_to(specimen, atlases):
    """Return the registrations of some ears, as atlases, to an ear."""
    return expand(f"{REGISTERED}/{{atlas}}.tfm", specimen=specimen, atlas=atlases)


def other_side(specimen, atlas):
    """Return whether an atlas is mirrored before it is registered to an ear."""
    return SPECIMENS[specimen].side != SPECIMENS[atlas].side


def class_map_of(specimen, method, seed):
    """Return the path of a row's class map of an ear."""
    return f"{RESULTS}/{ROWS[method].classmap_of(specimen, seed)}"


def raw_scan(specimen, name):
    """Return the path of a raw scan: a file, or the folder of its slices."""
    if IS_PHANTOM:
        return f"{RESULTS}/phantom/{specimen}/{name}.nii.gz"
    return str(getattr(SPECIMENS[specimen], name))


def scan_name(specimen, name):
    """Return a raw scan's name in records, for `params`: the same wherever the data lie."""
    return places_of(config).name_of(Path(raw_scan(specimen, name)))


def stated_of(specimen):
    """Return what the lab states of an ear's scans where their files do not, as text."""
    if IS_PHANTOM:
        return {"ct": "", "microct": ""}
    ear = SPECIMENS[specimen]
    return {"ct": str(ear.ct_stated), "microct": str(ear.microct_stated)}


def raw_files(specimen, name):
    """Return the files of a raw scan, each slice by itself so that all are watched."""
    if IS_PHANTOM:
        return [raw_scan(specimen, name)]
    # Imported here: it imports SimpleITK, for which every job of a phantom study would wait.
    from otosynth.volumes.reading import input_files

    return [str(path) for path in input_files(getattr(SPECIMENS[specimen], name))]


def study_tables():
    """Return the tables of specimens and groups, as far as the study is configured by files."""
    tables = (STUDY.data.specimen_table, STUDY.groups.table)
    return [str(table) for table in tables if table]


def initial_transform(specimen):
    """Return the files that start a specimen's registration; none: the pose is searched."""
    return [str(path) for path in SPECIMENS[specimen].initial_transform]


def synthetic_microct_of(specimen, method, seed):
    """Return the path of a synthetic micro-CT; none for what gives classes only."""
    if method not in SYNTHESISERS:
        return []
    return f"{RESULTS}/{ROWS[method].microct_of(specimen, seed)}"


def own_grid_pair(specimen, method):
    """Return the truth on the grid of a prediction, where that is not the micro-CT's grid."""
    factor = factor_of(method) if method in TESTED else 1
    return [] if factor == 1 else pairs_of([specimen], factor, WITHOUT_REGION)


def code_of_methods(script):
    """Return the digest of a script and of the modules of all configured methods."""
    modules = modules_of(STUDY.methods)
    return lambda wildcards: code_files(SCRIPTS / script, *modules)


def segmented_of(specimen, method, seed):
    """Return the classes that the segmentor of micro-CTs sees in a synthetic one, if any."""
    if SEGMENTOR not in TRAINED or not synthetic_microct_of(specimen, method, seed):
        return []
    return f"{RESULTS}/predictions/{specimen}/{method}/seed-{seed}/segmented.nii.gz"


def monitored():
    """Return the inputs of Figure 5: what each method's selected epoch of the first group needs."""
    group = GROUPS[FIRST_GROUP]
    files = {}
    for name in MONITORED:
        training = TRAINING.format(group=FIRST_GROUP, method=name, seed=FIRST_SEED)
        files |= {
            f"{name}_checkpoints": f"{training}/checkpoints",
            f"{name}_selected": f"{training}/selected.json",
            f"{name}_table": patch_table(FIRST_GROUP, "validation", factor_of(name)),
            f"{name}_pairs": pairs_of(group.validation, factor_of(name)),
            f"{name}_priors": priors_of(FIRST_GROUP, group.validation, name),
        }
    return files


def calibrated():
    """Return what the calibration of confidence reads, of all ears and seeds."""
    runs = [(ear, seed) for ear in GROUP_OF for seed in STUDY.training.seeds]
    files = {}
    for name in CONFIDENT:
        folders = [PREDICTION.format(specimen=e, method=name, seed=s) for e, s in runs]
        pairs = [pair_folder(ear, factor_of(name)) for ear, _ in runs]
        files |= {
            f"{name}_confidence": [f"{folder}/confidence.nii.gz" for folder in folders],
            f"{name}_classmap": [f"{folder}/classmap.nii.gz" for folder in folders],
            f"{name}_truth": [f"{folder}/classmap.nii" for folder in pairs],
            f"{name}_mask": [f"{folder}/mask.nii" for folder in pairs],
        }
    return files


def scan_for(wildcards, name):
    """Return a tested ear's CT or mask at the factor of the method that predicts from it."""
    return f"{pair_folder(wildcards.specimen, factor_of(wildcards.method))}/{name}.nii"


def landmarks_of(specimen):
    """Return a real ear's landmarks along the cochlea; the phantom knows its own."""
    landmarks = SPECIMENS[specimen].electrodes
    return [] if IS_PHANTOM or landmarks is None else str(landmarks)


def structures_of(specimen):
    """Return a phantom's structures, which say where fluid and nerve are."""
    if not IS_PHANTOM:
        return []
    return f"{RESULTS}/phantom/{specimen}/structures.nii.gz"


def tells_cochlea(specimen):
    """Return whether an ear's own structures or landmarks say where its cochlea is."""
    return bool(IS_PHANTOM or landmarks_of(specimen))


def atlases_with_landmarks(specimen):
    """Return the atlases whose region at the cochlea is carried to an ear that tells none."""
    if tells_cochlea(specimen):
        return []
    return [name for name in atlases_of(specimen) if tells_cochlea(name)]


def region_of(specimen, suffix="nii"):
    """Return the region at the cochlea that a tested ear is scored in, or its facts (json)."""
    if atlases_with_landmarks(specimen):
        return f"{RESULTS}/atlas/{specimen}/cochlea.{suffix}"
    return f"{pair_folder(specimen, 1)}/cochlea.{suffix}"


def field_map_of(specimen, method, seed):
    """Return the class map that a field is computed by: a prediction, or the micro-CT's."""
    if method == TRUTH:
        return f"{pair_folder(specimen, 1)}/classmap.nii"
    return class_map_of(specimen, method, seed)


def with_electrodes():
    """Return the tested ears whose electric field is computed."""
    if not STUDY.electric_field.compute:
        return []
    return [s for s in GROUP_OF if IS_PHANTOM or SPECIMENS[s].electrodes is not None]


def tell_ears_without_electrodes():
    """Say which ears the electric field leaves out, and why."""
    left_out = [s for s in GROUP_OF if s not in FIELD_EARS]
    if STUDY.electric_field.compute and left_out:
        logger.info(
            f"No electric field for {', '.join(left_out)}: the specimen table names no landmarks "
            "for them in a column `electrodes` (docs/field.md)."
        )


def tell_ears_without_cochlea():
    """Say which ears have no scores at the cochlea, and why."""
    left_out = [
        s for s in GROUP_OF if not (tells_cochlea(s) or atlases_with_landmarks(s))
    ]
    if left_out:
        logger.info(
            f"No scores at the cochlea for {', '.join(left_out)}: neither they nor their atlases "
            "have landmarks in a column `electrodes` (docs/field.md)."
        )


SYNTHESISERS = [name for name, method in TESTED.items() if method.gives_microct]
# Methods that say how sure they are of a class.
CONFIDENT = [name for name, method in TESTED.items() if method.gives_confidence]
# What the field by the micro-CT's own class map is called among the methods.
TRUTH = "microct"
FIELD_EARS = with_electrodes()
FIELD_SHOWN = SHOWN if SHOWN in FIELD_EARS else (FIELD_EARS or [SHOWN])[0]
# Keys of the electric field that say how it is solved; the others say where electrodes lie.
SOLVING_KEYS = {"spacing_mm", "boundary_mm", "misplaced_contacts", "conductivity"}
REFERENCE = STUDY.statistics.reference or next(iter(STUDY.atlas.methods()))
# Figures of single ears have not room for all yardsticks, and none for what is no method.
SHOWN_IN_FIGURE_8, SHOWN_IN_FIGURE_12 = (
    {
        name: TITLES[name]
        for name in without_ceilings(TITLES)
        if name not in YARDSTICKS or name in yardsticks
    }
    for yardsticks in (("ct_otsu", "ct_thresholds"), ("ct_thresholds",))
)
# Methods whose training Figure 5 shows.
MONITORED = {name: method for name, method in TRAINED.items() if method.tested}
FIGURE = f"{RESULTS}/figures/fig"
# Figures 3 and 4 show the thesis's two methods, where a study has them.
FRAMEWORKS = {
    number: method
    for number, method in (("3", "single_task"), ("4", "multi_task"))
    if method in STUDY.methods
}
FIGURES = expand(
    f"{FIGURE}{{number}}.{{suffix}}",
    number=[
        *("1", "2", *FRAMEWORKS, "5", "6", "7", "8"),
        *(["9"] if STUDY.statistics.compare else []),
        *(["10"] if CONFIDENT else []),
        *(["11", "12"] if FIELD_EARS else []),
    ],
    suffix=["png", "pdf"],
)
TABLES = [
    *expand(
        f"{RESULTS}/tables/table{{number}}.{{suffix}}",
        number=range(1, 4),
        suffix=["csv", "md"],
    ),
    *expand(
        f"{RESULTS}/tables/{{name}}.csv",
        name=[
            *("scores", "dice", "cochlear_dice", "perceptual_error"),
            *("registration", "atlases", "classmaps"),
            "summary",
            *(["comparison"] if STUDY.statistics.compare else []),
            *(["calibration", "uncertainty"] if CONFIDENT else []),
        ],
    ),
    f"{RESULTS}/tables/summary.md",
]
QUALITY_FIGURES = expand(
    f"{SPECIMEN}/qc/{{name}}.{{suffix}}",
    specimen=SPECIMENS,
    name=["registration", "histogram"],
    suffix=["png", "pdf"],
)
# Keys of the atlas that say how votes are fused; the registration does not depend on them.
FUSION_KEYS = {"title", "fusions", "similarity_radius_mm"}
# Keys of a method that say how it was trained; figures of its networks do not depend on them.
SCHEDULE = {
    "epochs",
    "constant_epochs",
    "steps_per_epoch",
    "batch_size",
    "learning_rate",
    "schedule",
    "warmup",
    "adam_betas",
    "weight_decay",
    "gradient_clip",
    "checkpoint_every",
    "augmentation",
    "cochlea_share",
    "jitter",
    "prior_dropout",
    "prior_jitter_voxels",
    "pretraining_epochs",
    "prediction",
    "weights_of",
}
# Where a study lies, and how often it saves its state, is no part of what it is.
CIRCUMSTANTIAL_KEYS = {
    "results": True,
    "state": True,
    "data": {"folder"},
    "training": {"state_minutes"},
}
ROOT_OF_RECORDS = f"{RESULTS}/records/root.json"
REPORT = f"{RESULTS}/report.html"
FIRST_GROUP = next(iter(GROUPS))
FIRST_SEED = STUDY.training.seeds[0]


def digests_of_looks():
    """Return digests of the page's templates, styles and scripts, which `code` does not know."""
    package = Path(otosynth.__file__).parent
    folders = ("reporting/templates", "viewing/templates", "viewing/assets")
    files = [
        file for folder in folders for file in sorted((package / folder).iterdir())
    ]
    return {file.relative_to(package).as_posix(): sha256_of(file) for file in files}
