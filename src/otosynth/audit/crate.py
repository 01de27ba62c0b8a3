"""A finished study as a Workflow Run RO-Crate (Provenance Run Crate 0.5), packed as a zip.

Every file is listed with its SHA-256 and size, every job is an action with its parameters. The zip
also holds ``sha256sums.txt``, so that ``sha256sum -c`` checks all of it without this project.
"""

import json
import mimetypes
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from otosynth.files import written_whole
from otosynth.provenance.hashing import FileHash, digest_of, hash_file
from otosynth.provenance.places import CIRCUMSTANCES, PROJECT, Places, files_within
from otosynth.provenance.records import LOCK
from otosynth.provenance.tree import Record, RecordTree, Root
from otosynth.settings import dotted

RUN_CONTEXT = "https://w3id.org/ro/terms/workflow-run/context"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
WORKFLOW_PROFILE = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
COMPLETED = "http://schema.org/CompletedActionStatus"
SUMS, README = "sha256sums.txt", "README.md"
README_TEXT = """# The study {study} of otosynth

Data: {label}. All files of the study in `results`, the code in `project`, and what made what in
`ro-crate-metadata.json` (Workflow Run RO-Crate, https://www.researchobject.org/workflow-run-crate).

`sha256sum --check sha256sums.txt` checks every file. Root of the records' hash tree: `{root}`.
"""
# Parts of the project that the crate holds besides the scripts of its jobs.
PROJECT_FILES = ("config.yaml", "README.md", str(LOCK))
PROJECT_FOLDERS = ("rules", "scripts", "config", "src/otosynth")


@dataclass(frozen=True)
class Publisher:
    """Who publishes a crate, and how it may be used.

    Attributes
    ----------
    agent, url
        The organisation that ran the study, and its URL.
    licence
        URL of the licence.
    """

    agent: str
    url: str
    licence: str


@dataclass
class _Builder:
    """Adds a study to a crate."""

    crate: ROCrate
    places: Places
    tree: RecordTree
    root: Root
    agent: Entity
    files: dict[str, Entity] = field(default_factory=dict)
    parameters: dict[str, Entity] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)

    def add(self, identifier: str, properties: Mapping[str, Any]) -> Entity:
        return self.crate.add(ContextEntity(self.crate, identifier, properties=dict(properties)))

    def add_file(
        self, path: Path, place: str, found: FileHash | None = None, **more: Any
    ) -> Entity:
        """Add a file with its checksum and size; returns the entity."""
        if place not in self.files:
            found = found or hash_file(path)
            media_type = mimetypes.guess_type(path.name.removesuffix(".gz"))[0]
            properties = {
                "name": place,
                "sha256": found["sha256"],
                "contentSize": str(found["bytes"]),
                "encodingFormat": media_type or "application/octet-stream",
                **more,
            }
            self.files[place] = self.crate.add_file(path, place, properties=properties)
            self.sums[place] = found["sha256"]
        return self.files[place]

    def file(self, name: str, facts: FileHash) -> Entity:
        """Return the entity of a job's input or output, by its name in records."""
        if name.startswith(PROJECT):
            return self.add_file(self.places.path_of(name), f"project/{name.removeprefix(PROJECT)}")
        if self.places.path_of(name).is_relative_to(self.places.results):
            return self.add_file(self.places.path_of(name), f"results/{name}", facts)
        return self.raw_scan(name, facts)

    def raw_scan(self, name: str, facts: FileHash) -> Entity:
        """Return an entity for a raw scan, which stays with its owner: the crate tells its hash."""
        identifier = f"#raw-{digest_of(name)[:16]}"
        known = self.crate.get(identifier)
        return known or self.add(
            identifier,
            {
                "@type": "CreativeWork",
                "name": name,
                "description": "A raw scan that is not part of this crate.",
                "sha256": facts["sha256"],
                "contentSize": str(facts["bytes"]),
            },
        )

    def value(self, key: str, value: Any) -> Entity:
        """Return the entity of a setting with its value, and of the parameter that it sets."""
        text = value if isinstance(value, str) else json.dumps(value)
        identifier = f"#value-{digest_of(f'{key}={text}')[:16]}"
        known = self.crate.get(identifier)
        if known:
            return known
        if key not in self.parameters:
            self.parameters[key] = self.crate.add_formal_parameter(
                key, "PropertyValue", f"#parameter-{key}", description=f"The setting {key}."
            )
        found = self.add(identifier, {"@type": "PropertyValue", "name": key, "value": text})
        found["exampleOfWork"] = self.parameters[key]
        self.parameters[key].append_to("workExample", found)
        return found

    def values(self, record: Record) -> list[Entity]:
        """Return all settings that a job read."""
        settings = dotted({**record["configuration"], **record["parameters"]})
        return [self.value(key, value) for key, value in sorted(settings.items())]

    def add_jobs(self, workflow: Entity) -> list[Entity]:
        """Add every job of the root; returns their control actions."""
        controls: list[Entity] = []
        steps: dict[str, Entity] = {}
        for job in self.root["jobs"]:
            record = self.tree.records[job]
            rule = record["rule"]
            if rule not in steps:
                steps[rule] = self._add_step(workflow, rule, len(steps) + 1, record)
            action = self._add_action(job, record)
            control = self.add(f"#control-{job}", {"@type": "ControlAction", "name": f"step {job}"})
            control["instrument"], control["object"] = steps[rule], action
            controls.append(control)
        return controls

    def _tool(self, record: Record) -> Entity:
        name = _script_of(record)
        more: dict[str, Any] = {
            "@type": ["File", "SoftwareSourceCode"],
            "version": record["code"][name],
            "programmingLanguage": "Python",
            "url": f"project/{name}",
        }
        return self.add_file(self.places.project / name, f"project/{name}", **more)

    def _add_step(self, workflow: Entity, rule: str, position: int, record: Record) -> Entity:
        tool = self._tool(record)
        step = self.add(
            f"#step-{rule}", {"@type": "HowToStep", "name": rule, "position": str(position)}
        )
        step["workExample"] = tool
        workflow.append_to("step", step)
        workflow.append_to("hasPart", tool)
        return step

    def _add_action(self, job: str, record: Record) -> Entity:
        path = self.places.results / CIRCUMSTANCES / f"{job}.json"
        facts = json.loads(path.read_text(encoding="utf-8"))
        tool = self._tool(record)
        values = self.values(record)
        known = {entity.id for entity in _listed(tool.get("input"))}
        for value in values:
            if value["exampleOfWork"].id not in known:
                tool.append_to("input", value["exampleOfWork"])
                known.add(value["exampleOfWork"].id)
        files = [self.file(name, hashes) for name, hashes in record["inputs"].items()]
        action = self.crate.add_action(
            tool,
            f"#job-{job}",
            object=[*files, *values],
            result=[self.file(name, hashes) for name, hashes in record["outputs"].items()],
            properties={
                "name": job,
                "description": f"The job {job} of the rule {record['rule']}, on {facts['host']}.",
                "startTime": iso_time(facts["start"]),
                "endTime": iso_time(facts["end"]),
                "actionStatus": COMPLETED,
            },
        )
        action["agent"] = self.agent
        self.crate.root_dataset.append_to("mentions", action)
        return action


def write_crate(
    places: Places, tree: RecordTree, root: Root, publisher: Publisher, path: Path
) -> int:
    """Write a study with all its files, jobs and parameters as an RO-Crate.

    The study is to be verified before: checksums of results are taken from the records.

    Returns
    -------
    int
        The number of files in the crate.
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(RUN_CONTEXT)
    agent = crate.add(
        ContextEntity(
            crate, publisher.url,
            properties={"@type": "Organization", "name": publisher.agent, "url": publisher.url},
        )
    )  # fmt: skip
    crate.root_dataset["author"] = crate.root_dataset["publisher"] = agent
    builder = _Builder(crate, places, tree, root, agent)
    _describe(crate, root, publisher)
    workflow = _add_workflow(builder)
    controls = builder.add_jobs(workflow)
    _add_run(builder, workflow, controls)
    for parameter in builder.parameters.values():
        workflow.append_to("input", parameter)
    _add_other_files(builder)
    with tempfile.TemporaryDirectory() as folder:
        readme = Path(folder) / README
        readme.write_text(README_TEXT.format(**root), encoding="utf-8")
        about = {"about": crate.root_dataset, "encodingFormat": "text/markdown"}
        builder.add_file(readme, README, **about)
        sums = Path(folder) / SUMS
        lines = [f"{digest}  {place}\n" for place, digest in sorted(builder.sums.items())]
        sums.write_text("".join(lines), encoding="utf-8")
        builder.add_file(sums, SUMS, description="For `sha256sum -c sha256sums.txt`.")
        _unwrap_single_values(crate)
        with written_whole(path) as beside:
            crate.write_zip(beside)
    return len(builder.files)


def _describe(crate: ROCrate, root: Root, publisher: Publisher) -> None:
    crate.name = f"otosynth study '{root['study']}'"
    crate.description = (
        f"Data: {root['label']}. Micro-CT and class maps of the inner ear, predicted from clinical "
        f"CT. Root of the hash tree of all records: {root['root']}."
    )
    licence = ContextEntity(
        crate, publisher.licence,
        properties={"@type": "CreativeWork", "name": publisher.licence,
                    "description": "How this crate may be used."},
    )  # fmt: skip
    crate.root_dataset["license"] = crate.add(licence)
    for profile, name in PROFILES.items():
        entity = ContextEntity(
            crate, profile,
            properties={"@type": "CreativeWork", "name": name, "version": Path(profile).name},
        )  # fmt: skip
        crate.root_dataset.append_to("conformsTo", crate.add(entity))


def _add_workflow(builder: _Builder) -> Entity:
    snakefile = builder.places.project / "Snakefile"
    found = hash_file(snakefile)
    workflow = builder.crate.add_workflow(
        snakefile, "project/Snakefile", main=True, lang="snakemake",
        lang_version=version("snakemake"), cls=ComputationalWorkflow,
        properties={
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": "otosynth", "version": version("otosynth"), "url": "project/Snakefile",
            "sha256": found["sha256"], "contentSize": str(found["bytes"]),
            "encodingFormat": "text/plain",
        },
    )  # fmt: skip
    profile = {"@type": "CreativeWork", "name": "ComputationalWorkflow"}
    workflow["conformsTo"] = builder.add(WORKFLOW_PROFILE, profile)
    builder.files["project/Snakefile"] = workflow
    builder.sums["project/Snakefile"] = found["sha256"]
    return workflow


def _add_run(builder: _Builder, workflow: Entity, controls: list[Entity]) -> None:
    """Add the run of the whole workflow and the engine that organised it."""
    actions = [builder.crate.get(f"#job-{job}") for job in builder.root["jobs"]]
    start = min(action["startTime"] for action in actions)
    end = max(action["endTime"] for action in actions)
    results = [builder.files[f"results/{name}"] for name in builder.root["results"]]
    times = {"startTime": start, "endTime": end, "actionStatus": COMPLETED}
    settings = dotted(builder.root["configuration"])
    run = builder.crate.add_action(
        workflow, "#run",
        object=[builder.value(key, value) for key, value in sorted(settings.items())],
        result=results,
        properties={"name": "the study", "description": "The run of the whole workflow.", **times},
    )  # fmt: skip
    run["agent"] = builder.agent
    builder.crate.root_dataset.append_to("mentions", run)
    builder.crate.root_dataset["datePublished"] = end
    engine = builder.add("https://snakemake.github.io", {
        "@type": "SoftwareApplication", "name": "Snakemake", "version": version("snakemake"),
        "url": "https://snakemake.github.io",
    })  # fmt: skip
    organise = builder.add("#organise", {
        "@type": "OrganizeAction", "name": "Snakemake ran the jobs", "endTime": end,
        "description": "Snakemake ran the jobs of the workflow.",
    })  # fmt: skip
    organise["instrument"], organise["object"] = engine, controls
    organise["result"], organise["agent"] = run, builder.agent
    builder.crate.root_dataset.append_to("mentions", organise)


def _add_other_files(builder: _Builder) -> None:
    """Add records, circumstances, logs and the project's own files."""
    for path in files_within(builder.places.results):
        name = builder.places.name_of(path)
        if not name.startswith("."):
            builder.add_file(path, f"results/{name}")
    for path in _project_files(builder.places.project):
        builder.add_file(path, f"project/{path.relative_to(builder.places.project).as_posix()}")


def _project_files(project: Path) -> Iterable[Path]:
    for name in PROJECT_FILES:
        if (project / name).is_file():
            yield project / name
    for folder in PROJECT_FOLDERS:
        for path in files_within(project / folder):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def iso_time(time: str) -> str:
    """Return a time as the profile wants it: to the second, with its offset."""
    return datetime.fromisoformat(time).isoformat(timespec="seconds")


def _unwrap_single_values(crate: ROCrate) -> None:
    """Replace lists of one by their one, as RO-Crate recommends."""
    for entity in crate.get_entities():
        for key, value in list(entity.properties().items()):
            if isinstance(value, list) and len(value) == 1 and not key.startswith("@"):
                entity[key] = entity[key][0]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _script_of(record: Record) -> str:
    """Return the script that a job ran: its rule's, or that of the rule that its rule extends."""
    own = f"scripts/{record['rule']}.py"
    others = (name for name in record["code"] if name.startswith("scripts/"))
    return own if own in record["code"] else next(others)
