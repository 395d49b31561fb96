"""What every model is: a LightningModule with explicit steps, one `generate`, and a folder it can be saved to."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import os
import sys
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import lightning as L
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from videosynth import ops
from videosynth.files import atomic, read_json, write_json
from videosynth.models.box import PREFIX, box
from videosynth.models.upgrade import FORMAT, upgraded
from videosynth.types import Clip, DataSpec, Frame, Request, UserError


class Phase(NamedTuple):
    """What holds at a training step; a pure function of the step gives it to model and sampler alike."""

    clip_length: int  # frames per training clip
    bptt: int  # frames per chunk of truncated back-propagation through time
    lr: float = 1.0  # factor on every group's learning rate
    trains: tuple[str, ...] = ()  # the groups that train; empty: all
    size: tuple[int, int] | None = None  # (H, W), None: the data's
    scales: int | None = None  # spatial scales in use, the coarsest first; None: the model has one
    rests: tuple[str, ...] = ()  # submodules of training groups that do not train


@dataclasses.dataclass(frozen=True)
class Group:
    """Modules that one optimizer trains together."""

    modules: tuple[str, ...]
    lr: float
    betas: tuple[float, float] = (0.5, 0.999)  # of Adam
    clip: float | None = None  # gradient norm limit
    optimizer: Literal["adam", "rmsprop"] = "adam"
    weight_decay: float = 0.0


class Terms:
    """The loss terms of one optimizer step: ``terms["adv"] = value``. See :meth:`VideoModel.step`."""

    def __init__(self, weights: dict[str, float]) -> None:
        self._weights = weights
        self.values: dict[str, Tensor] = {}
        self.absent: set[str] = set()

    def wants(self, name: str) -> bool:
        """False at weight 0: then neither the term nor its network is computed."""
        if name not in self._weights:
            raise KeyError(f"no weight is configured for the loss term {name!r}")
        return self._weights[name] != 0

    def __setitem__(self, name: str, value: Tensor) -> None:
        if not self.wants(name):
            raise KeyError(f"the loss term {name!r} has weight 0: ask terms.wants() before computing it")
        self.values[name] = value

    def skip(self, *names: str) -> None:
        """Say that this clip cannot give a term (too short for it, no flow)."""
        self.absent.update(names)

    def check(self) -> None:
        """Raises KeyError: a term with a weight was neither computed nor skipped."""
        missing = {n for n, w in self._weights.items() if w} - self.values.keys() - self.absent
        if missing:
            raise KeyError(f"loss terms with a weight were not computed: {', '.join(sorted(missing))}")

    def total(self) -> Tensor:
        return torch.stack([self._weights[n] * v.float() for n, v in self.values.items()]).sum()


_PARTS = {
    "context": "looks at no past frames, so it cannot take a first frame; MoCoGAN does, trained with generator.from_image true, "
    "and VGAN with generator.conditional true",
    "start": "does not know a beginning from black frames: leave --first-frame zeros out",
    "references": "knows no looks to take from a reference; vid2vid does, trained with generator.style 3",
    "latents": "has no latents or looks to choose; vid2vid has looks, trained with generator.style 3",
    "speed": "has no motion path whose speed could be changed: leave --speed out",
}
FASTEST = 100  # a path is walked step by step
_UNASKED = (None, "own", 1.0)  # what a request holds where nothing was asked


class VideoModel(L.LightningModule):
    """Base of all models. A subclass holds networks and losses, and says what a training step and a frame are.

    Class attributes: ``needs`` are the parts of a :class:`Request` it cannot do without ("maps", "context", "references",
    "attributes", "frames"), ``takes`` those that it can use besides ("context", "references", "latents", "start", "speed");
    ``produces`` is "frames" or "classes"; ``exported`` names the modules that make frames (their averaged weights are what
    people share), ``precise`` those among them that stay in fp32 where frames are made in bf16. Models that make videos from
    noise say in ``parts`` which latents decide what ("content", "motion"), in ``uniform`` which of them are not Gaussian, in
    ``pictures`` which extras are pictures of their own, in ``longest`` how many frames a video can have (None: any number), and
    in ``first_is_given`` whether their first frame is the context's. A model may set all but ``produces`` by its options.
    """

    needs: frozenset[str] = frozenset()
    produces: ClassVar[str] = "frames"
    takes: frozenset[str] = frozenset()
    exported: tuple[str, ...] = ("generator",)
    precise: tuple[str, ...] = ()
    parts: dict[str, tuple[str, ...]] = {}  # noqa: RUF012
    pictures: tuple[str, ...] = ()
    longest: int | None = None
    uniform: tuple[str, ...] = ()
    first_is_given: bool = False

    groups: dict[str, Group]  # who trains together
    weights: dict[str, dict[str, float]]  # group -> loss term -> weight
    total_steps: int  # training steps of the whole schedule

    def __init__(self, spec: DataSpec, **arguments: Any) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.spec = spec
        self.steps = 0  # training steps done (Lightning's global_step counts every optimizer's)
        self.arguments = {k: dataclasses.asdict(v) if dataclasses.is_dataclass(v) else v for k, v in arguments.items()}  # pyright: ignore[reportArgumentType]

    # ---- what a subclass gives

    def phase_at(self, step: int) -> Phase:
        """What holds at a training step: a pure function, asked by model and sampler."""
        raise TypeError(f"{type(self).__name__} must define phase_at")

    def frames(self, request: Request) -> Iterator[Frame]:
        """Yield the frames of a checked request; decorated with ``torch.no_grad()`` in every model."""
        raise TypeError(f"{type(self).__name__} must define frames")

    @classmethod
    def tiny(cls) -> VideoModel:
        """The smallest useful configuration, for tests."""
        raise TypeError(f"{cls.__name__} must define tiny")

    # ---- use

    def generate(self, request: Request) -> Iterator[Frame]:
        """Check the whole request, then return an iterator over its frames; memory does not grow with their number.

        Raises:
            UserError: something that the model needs is missing, unknown or out of range.
        """
        for need in sorted(self.needs):
            if not getattr(request, need):
                raise UserError(f"{type(self).__name__} needs {need}: pass --{need}")
        for part, what in _PARTS.items():
            given = getattr(request, part)
            if not any(given is u or given == u for u in _UNASKED) and part not in self.needs | self.takes:
                raise UserError(f"this model ({type(self).__name__}) {what}")
        if not request.seeds:
            raise UserError("no seeds: pass at least one")
        check_attributes(self.spec, request)
        if not 0 < request.speed <= FASTEST:
            raise UserError(f"the speed must be above 0 and at most {FASTEST}, not {request.speed:g}")
        if request.frames is not None and request.frames < 1:
            raise UserError(f"the number of frames must be 1 or more, not {request.frames}")
        if request.frames is not None and self.longest is not None:
            most = ops.points_on(self.longest, request.speed)
            if request.frames > most:
                raise UserError(
                    f"this model ({type(self).__name__}) makes {most} frames at most, not {request.frames}: ask for fewer, "
                    "or choose a model of any length"
                )
        return self.frames(request)

    # ---- training

    def on_train_batch_start(self, batch: Clip, index: int) -> None:
        """Only what the phase trains requires gradients."""
        resting = {id(p) for m in self.phase_at(self.steps).rests for p in self.get_submodule(m).parameters()}
        for module in (m for group in self.groups.values() for m in group.modules):
            for p in self.get_submodule(module).parameters():
                p.requires_grad_(id(p) not in resting)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """One per group, all from step 0; a phase changes rates and which groups train, never the optimizers."""
        optimizers: list[torch.optim.Optimizer] = []
        for group in self.groups.values():
            parameters = [p for m in group.modules for p in self.get_submodule(m).parameters()]
            decay = group.weight_decay
            if group.optimizer == "rmsprop":
                optimizers.append(torch.optim.RMSprop(parameters, lr=group.lr, weight_decay=decay))
            else:
                optimizers.append(
                    torch.optim.Adam(parameters, lr=group.lr, betas=group.betas, weight_decay=decay, fused=True)
                )
        return optimizers

    def _chance(self, share: float) -> bool:
        """True in ``share`` of the draws, alike on all ranks: the engine seeds the global CPU generator per step."""
        return bool(torch.rand(()) < share)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Terms]:
        """One optimizer step. On entry only the group's parameters require gradients; the body computes terms; on exit
        they are weighed, summed, checked, back-propagated, clipped, stepped and logged as ``name/term``.

        Raises:
            UserError: a term is not finite on any rank; no weight was changed.
        """
        group = self.groups[name]
        trained = {id(p) for m in group.modules for p in self.get_submodule(m).parameters()}
        others = [p for p in self.parameters() if p.requires_grad and id(p) not in trained]
        for p in others:
            p.requires_grad_(False)
        try:
            terms = Terms(self.weights[name])
            yield terms
            terms.check()
            if terms.values:
                self._finish(name, group, terms)
        finally:
            for p in others:
                p.requires_grad_(True)

    def _finish(self, name: str, group: Group, terms: Terms) -> None:
        phase = self.phase_at(self.steps)
        total = terms.total()
        self._check_finite(name, terms)
        self.log_dict({f"{name}/{k}": v.detach().float() for k, v in terms.values.items()}, prog_bar=False)
        if phase.trains and name not in phase.trains:
            return
        optimizer = typing.cast("list[Any]", self.optimizers(use_pl_optimizer=True))
        optimizer = (optimizer if isinstance(optimizer, list) else [optimizer])[list(self.groups).index(name)]
        for settings in optimizer.param_groups:
            settings["lr"] = group.lr * phase.lr
        optimizer.zero_grad()
        self.manual_backward(total)
        parameters = [p for s in optimizer.param_groups for p in s["params"] if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in parameters])
        self._stop_unless(torch.isfinite(norm), f"the gradient of the group {name}")
        self.log(f"gradient/{name}", norm)
        if group.clip is not None:
            nn.utils.clip_grads_with_norm_(parameters, group.clip, norm)
        optimizer.step()
        # Autocast keeps its bf16 copies of the weights until its context ends, which is after the training step: without
        # this the later chunks of a clip would be computed with the weights from before the step.
        torch.clear_autocast_cache()

    def _check_finite(self, name: str, terms: Terms) -> None:
        flags = torch.stack([torch.isfinite(v.detach()).all() for v in terms.values.values()]).logical_not().float()
        if self.trainer.world_size > 1:
            flags = typing.cast(Tensor, self.trainer.strategy.reduce(flags, reduce_op="sum"))
        if flags.any():
            bad = ", ".join(f"{name}/{k}" for k, flag in zip(terms.values, flags.tolist(), strict=True) if flag)
            self._stop_unless(False, f"the loss {bad}")

    def _stop_unless(self, finite: Tensor | bool, what: str) -> None:
        if not finite:
            raise UserError(
                f"training stopped at step {self.steps}: {what} is not finite. What was saved last is kept; "
                "lower the learning rate, or train with --trainer.precision 32"
            )

    def _check_known(self, ids: Tensor, name: str, keys: tuple[str, ...]) -> None:
        """Raises UserError when a clip does not have the attribute that the model learns from."""
        for key in (keys[int(i)] for i in (ids < 0).nonzero()):
            raise UserError(f"{key} has no {name}, which this model learns from: give it one, or leave the video out")

    # ---- files

    def save(
        self, folder: Path | str, weights: dict[str, Tensor] | None = None, dtype: torch.dtype | None = None
    ) -> None:
        """Write ``model.json`` and ``weights.safetensors`` (the exported modules, or ``weights`` in their place)."""
        folder = Path(folder)
        if weights is None:
            weights = exported_weights(self)
        tensors = {
            k: v.detach().cpu().to(dtype if dtype and v.is_floating_point() else v.dtype).contiguous()
            for k, v in weights.items()
        }
        with atomic(folder / "weights.safetensors") as part:
            part.write_bytes(safetensors.torch.save(tensors, {"format": "pt"}))
        kind = type(self)
        write_json(
            folder / "model.json",
            {
                "format": FORMAT,
                "class": f"{kind.__module__}.{kind.__qualname__}",
                "arguments": self.arguments,
                "spec": self.spec.to_json(),
            },
        )


def exported_weights(model: VideoModel) -> dict[str, Tensor]:
    """Parameters and buffers of the modules that make frames, by their names in the model."""
    return {k: v for k, v in model.state_dict().items() if k.split(".")[0] in model.exported}


def load(folder: Path | str, trust: Iterable[str] = ()) -> VideoModel:
    """The model of a run folder, ready to generate (evaluation mode, CPU, fp32).

    A class outside videosynth is imported only if its top package is named in ``trust``. No pickles are read.

    Raises:
        UserError: a file is missing, damaged or of another architecture.
    """
    folder = resolve(folder)
    description = read_json(folder / "model.json")
    if not isinstance(description, dict) or not isinstance(description.get("class"), str):
        raise UserError(
            f"{folder / 'model.json'} does not describe a model: choose a run folder made by `videosynth train`"
        )
    if description.get("format") not in range(1, FORMAT + 1):
        raise UserError(
            f"{folder / 'model.json'} has format {description.get('format')}, this version reads up to {FORMAT}: "
            "update videosynth"
        )
    tensors = read_tensors(folder / "weights.safetensors")
    description, tensors = upgraded(description, tensors)
    kind = _import(folder / "model.json", description["class"], set(trust))
    try:
        model = kind(spec=DataSpec.from_json(description["spec"]), **rebuild(kind, description["arguments"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder / 'model.json'} does not fit {description['class']} ({error}): make the run again"
        ) from None
    expected = exported_weights(model)
    check_tensors(folder / "weights.safetensors", tensors, expected)
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}, strict=False)
    return model.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: copy it beside model.json, or train the model") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged ({error}): copy it again, or export it from last.ckpt") from None


def read_pickled_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a foreign ``.pth`` file, without running any code that it may hold.

    Raises:
        UserError: the file is missing or damaged, or holds something else than tensors by name.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except Exception as error:  # a damaged file fails in as many ways as there are readers
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} cannot be read safely ({reason[:200]}): copy it again") from None
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise UserError(f"{path} is no file of weights: it holds something else than tensors by name")
    return content


def check_tensors(path: Path, found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Strict comparison of names and shapes.

    Raises:
        UserError: names the first tensor that differs.
    """
    for name in expected:
        if name not in found:
            raise UserError(f"{path} lacks the tensor {name}: it belongs to another architecture than model.json")
        if found[name].shape != expected[name].shape:
            raise UserError(
                f"{path}: {name} has shape {tuple(found[name].shape)}, the model expects {tuple(expected[name].shape)}: "
                "the weights belong to another architecture than model.json"
            )
    for name in found:
        if name not in expected:
            raise UserError(f"{path} has an unknown tensor {name}: it belongs to another architecture than model.json")


def resolve(folder: Path | str) -> Path:
    """A run folder on disk, one that comes with the package (``box:NAME``), or the snapshot of a hub repository
    ``owner/name``.
    """
    if str(folder).startswith(PREFIX):
        return box(str(folder).removeprefix(PREFIX))
    path = Path(folder)
    if path.is_dir():
        if not (path / "model.json").exists():
            raise UserError(
                f"{path} is no run folder: it has no model.json. Pass the --out folder of `videosynth train`"
            )
        return path
    name = str(folder)
    if name.count("/") != 1 or name.startswith((".", "/")) or path.parent.is_dir():
        raise UserError(f"no run folder at {path}: check the path")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=["model.json", "weights.safetensors"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"no run folder at {path}, and the hub has no such model within reach ({reason})") from None


def rebuild(kind: type, arguments: dict[str, Any]) -> dict[str, Any]:
    """Constructor arguments from their JSON form: dictionaries become the dataclasses that the signature names."""
    hints = typing.get_type_hints(kind.__init__)
    known = inspect.signature(kind.__init__).parameters
    for name in arguments:
        if name not in known:
            raise TypeError(f"unknown argument {name}")
    return {name: _convert(hints.get(name), value) for name, value in arguments.items()}


def _convert(hint: Any, value: Any) -> Any:
    if isinstance(value, dict) and dataclasses.is_dataclass(hint) and isinstance(hint, type):
        inner = typing.get_type_hints(hint)
        return hint(**{k: _convert(inner.get(k), v) for k, v in value.items()})
    if isinstance(value, list) and typing.get_origin(hint) is tuple:
        return tuple(value)
    return value


def _import(path: Path, name: str, trust: set[str]) -> type[VideoModel]:
    module, _, kind = name.rpartition(".")
    package = module.split(".")[0]
    if package != "videosynth" and package not in trust:
        raise UserError(
            f"{path}: the model's class is {name}, outside videosynth: if you trust that code, pass --trust {package}"
        )
    if package in trust and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        found = getattr(importlib.import_module(module), kind)
    except (ImportError, AttributeError):
        raise UserError(
            f"{path}: the model's class {name} cannot be imported: install or update the package that has it"
        ) from None
    if not (isinstance(found, type) and issubclass(found, VideoModel)):
        raise UserError(f"{path}: {name} is not a video model: choose a run folder made by `videosynth train`")
    return found


@dataclasses.dataclass(frozen=True)
class Converted:
    """A model with another implementation's weights in it, what was left out (reason -> number of tensors), and how it
    expects a video to begin (options of ``generate``).
    """

    model: VideoModel
    left_out: dict[str, int]
    begin: str = ""


def check_attributes(spec: DataSpec, request: Request) -> None:
    """Raises UserError when an attribute or its value is unknown, or there are not as many values as videos."""
    for name, value in request.attributes.items():
        if name not in spec.attributes:
            known = ", ".join(spec.attributes) or "none"
            raise UserError(f"unknown attribute {name!r}; this model knows: {known}")
        values = (value,) if isinstance(value, str) else value
        for one in values:
            if one not in spec.attributes[name]:
                raise UserError(f"unknown {name} {one!r}; choose from: {', '.join(spec.attributes[name])}")
        if not isinstance(value, str) and len(value) != len(request.seeds):
            raise UserError(
                f"{len(value)} values of {name} for {len(request.seeds)} videos: give one, or one per video"
            )


def check_batch(name: str, clip: Clip | None, batch: int, size: tuple[int, int] | None = None) -> None:
    """Raises UserError when a part of a request has another batch size than there are seeds, or another size (H, W)."""
    if clip is not None and size is not None and clip.size != size:
        (height, width), (h, w) = size, clip.size
        raise UserError(f"{name} has frames of {w}x{h}, this model makes {width}x{height}: resize them")
    if clip is not None and clip.batch != batch:
        raise UserError(f"{name} holds {clip.batch} items but there are {batch} seeds: pass one per video")


def needed_maps(
    given: dict[str, Tensor], spec: DataSpec, index: int, batch: int, device: torch.device
) -> dict[str, Tensor]:
    """The maps of one frame that a model of this spec is driven by, on its device.

    Raises:
        UserError: a map is missing, or there are not as many as seeds.
    """
    for item in spec.maps:
        if item.name not in given:
            raise UserError(f"frame {index} has no {item.name} map, which this model needs: add it to the maps")
        if given[item.name].shape[0] != batch:
            raise UserError(f"frame {index} has {given[item.name].shape[0]} {item.name} maps for {batch} seeds")
    return {item.name: given[item.name].to(device) for item in spec.maps}
