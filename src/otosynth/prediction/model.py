"""What a trained model is outside its study: networks, windows, and what its training CTs were.

A model is an ensemble: one member a group (and seed) of a study, all of one method. Beside the
networks it knows its training ears' CTs, coarse: they say which pose, side, voxel size and
intensities the networks have learned from (:mod:`otosynth.prediction.placing` and
:mod:`otosynth.prediction.checks`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import SimpleITK as sitk
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from otosynth.configuration.classmap import ClassMapSettings
from otosynth.configuration.methods import method_settings
from otosynth.errors import InputError
from otosynth.methods import create_method
from otosynth.methods.base import Method
from otosynth.normalisation import Normalisation, Window
from otosynth.training.arithmetic import Arithmetic
from otosynth.training.checkpoints import load_networks, network_tensors
from otosynth.volumes.grids import Grid

# 1: earlier versions' models, without temperatures and without what a prior is made of.
FORMAT = 2
FORMATS = (1, 2)
# Percentiles of the HU inside an ear's mask that a new CT is compared with.
HU_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)

Triple = tuple[float, float, float]
Matrix = tuple[float, float, float, float, float, float, float, float, float]


class Facts(BaseModel):
    """Facts as they stand in a model's file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ReferenceFacts(Facts):
    """A training ear, seen from the working side.

    Attributes
    ----------
    grid
        The grid on which the ear trained: the micro-CT's, down-sampled by the method's factor.
    coarse
        The grid of its coarse CT and mask.
    rotation
        From the frame of ``grid`` to the scanner's frame: the pose of the training CT.
    ct_spacing_mm
        Voxel of its CT as it was scanned (x, y, z); None where the raw scan was not there.
    hu
        ``HU_PERCENTILES`` of the CT inside the mask.
    atlas
        The grid on which it is registered to a new ear, for a method with a prior.
    """

    ear: str
    grid: Grid
    coarse: Grid
    rotation: Matrix
    ct_spacing_mm: Triple | None
    hu: tuple[float, ...]
    atlas: Grid | None = None


class MemberFacts(Facts):
    """One training: its fold, its selected epoch and its intensity windows.

    Attributes
    ----------
    temperature
        Of its confidence (:func:`otosynth.calibration.fit_temperature`); 1 where none was fitted.
    """

    group: str
    seed: int
    epoch: int
    precision: Literal["float32", "bfloat16"]
    training: tuple[str, ...]
    validation: tuple[str, ...]
    networks: tuple[str, ...]
    normalisation: dict[str, dict[str, float | str]]
    checkpoint_sha256: str
    temperature: float = 1.0

    def windows(self) -> Normalisation:
        """Return the intensity windows of the training."""
        ct, microct = (Window(**self.normalisation[name]) for name in ("ct", "microct"))  # type: ignore[arg-type]
        return Normalisation(ct, microct, self.training)


class ModelFacts(Facts):
    """All that a model is but its weights and its coarse CTs.

    Attributes
    ----------
    study, label, root
        The study, what its data are (``phantom``), and the root of its records.
    method, settings
        The block of the configuration and its keys.
    classmap
        The section ``classmap``, for a method that gives a micro-CT alone.
    patch_size
        Edge of a patch, voxels.
    threads
        Arithmetic threads of the study; predictions depend on them in their last digits.
    dice
        Median Dice of the study's tested ears by class; empty where the study has none.
    atlas
        The section ``atlas``, by which training ears are registered to a new one for a prior.
    """

    format: int = FORMAT
    study: str
    label: str
    source: Literal["phantom", "files"]
    root: str
    method: str
    settings: dict[str, object]
    classmap: dict[str, object]
    patch_size: int
    threads: int
    working_side: Literal["left", "right"]
    members: tuple[MemberFacts, ...]
    references: tuple[ReferenceFacts, ...]
    dice: dict[str, float]
    atlas: dict[str, object] | None = None

    def described(self) -> dict[str, Any]:
        """Return the facts as plain data, as their format has them."""
        data = self.model_dump(mode="json")
        if self.format == 1:
            del data["atlas"]
            for member in data["members"]:
                del member["temperature"]
            for reference in data["references"]:
                del reference["atlas"]
        return data

    @property
    def name(self) -> str:
        """STUDY/METHOD, or STUDY/GROUP/METHOD of a single group."""
        groups = {member.group for member in self.members}
        parts = [self.study, *(groups if len(groups) == 1 else ()), self.method]
        return "/".join(parts)

    @property
    def title(self) -> str:
        """The method as figures call it."""
        return str(self.settings["title"])


@dataclass(frozen=True)
class Reference:
    """A training ear's coarse CT (HU) and mask, seen from the working side.

    Attributes
    ----------
    atlas
        For a method with a prior: ``ct`` (HU), ``mask``, and ``classmap`` or ``microct``, on the
        grid ``facts.atlas``.
    """

    facts: ReferenceFacts
    ct: sitk.Image
    mask: sitk.Image
    atlas: Mapping[str, sitk.Image] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainedModel:
    """A model, ready to predict.

    Attributes
    ----------
    weights
        ``<network>.<parameter>`` to its values, a mapping a member.
    """

    facts: ModelFacts
    weights: tuple[Mapping[str, Tensor], ...]
    references: tuple[Reference, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of all that the model is, however it was stored."""
        text = json.dumps(self.facts.described(), sort_keys=True)
        digest = hashlib.sha256(text.encode())
        for weights in self.weights:
            for name in sorted(weights):
                digest.update(name.encode())
                digest.update(weights[name].contiguous().numpy().tobytes())
        for reference in self.references:
            of_atlas = (reference.atlas[name] for name in sorted(reference.atlas))
            for image in (reference.ct, reference.mask, *of_atlas):
                digest.update(sitk.GetArrayViewFromImage(image).tobytes())
        return digest.hexdigest()

    def create_method(self) -> Method:
        """Return the method whose networks these are.

        Raises
        ------
        InputError
            If this version of otosynth does not know the method or one of its settings.
        """
        try:
            return create_method(method_settings(self.facts.method, self.facts.settings))
        except ValueError as error:
            raise InputError(
                f"{self.facts.name}: this version of otosynth does not know its method or one of "
                f"its settings ({error}); use the version that trained it."
            ) from None

    def class_map_settings(self) -> ClassMapSettings:
        """Return how a class map is made of a synthetic micro-CT."""
        return ClassMapSettings.model_validate(self.facts.classmap)

    def networks(self, number: int, method: Method, arithmetic: Arithmetic) -> dict[str, nn.Module]:
        """Return a member's networks, ready to predict.

        Raises
        ------
        InputError
            If the weights do not fit the method's networks.
        """
        built = self._build(number, method)
        load_networks(built, self.weights[number])
        return {name: arithmetic.place_network(net).eval() for name, net in built.items()}

    def check_weights(self, method: Method) -> None:
        """Refuse a model whose networks this version of otosynth builds otherwise.

        Raises
        ------
        InputError
            If the weights do not fit the method's networks.
        """
        for number, _ in enumerate(self.weights):
            self._build(number, method)

    def _build(self, number: int, method: Method) -> dict[str, nn.Module]:
        """Return a member's networks, yet without its weights, which are known to fit."""
        used = self.facts.members[number].networks
        # The weights are overwritten, so the seed that first fills them does not matter.
        built = {n: net for n, net in method.build_networks(seed=0).items() if n in used}
        wanted = {name: values.shape for name, values in network_tensors(built).items()}
        found = {name: values.shape for name, values in self.weights[number].items()}
        unlike = sorted(n for n in wanted | found if wanted.get(n) != found.get(n))
        if unlike:
            raise InputError(
                f"{self.facts.name}: its weights do not fit the networks that this version of "
                f"otosynth builds ({unlike[0]} is the first of {len(unlike)} that differ). Another "
                "version trained it: use that one, or run the study again."
            )
        return built
