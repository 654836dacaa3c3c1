"""The architectures, by name, and their facts: each is stated once, by the decorator of its builder.

Importing this loads no framework: of kerasr's own models the decorators are read in their files, and a file is imported
when its model is first built. Anybody else's model is known once its module has been imported.
"""

import ast
import importlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, overload

from kerasr.core.registry import Registry
from kerasr.core.signatures import plain_signature
from kerasr.errors import UserError

Builder = TypeVar("Builder", bound=Callable[..., Any])


RECOGNISER, SPEAKER, VOCODER = "recogniser", "voice", "vocoder"
# What a builder makes, by the first of its parameters.
KINDS = {"input_shape": RECOGNISER, "num_tokens": SPEAKER, "n_mels": VOCODER}


@plain_signature
@dataclass(frozen=True)
class ModelFacts:
    """What can be said of an architecture without building it.

    Attributes:
        name: name of the builder, as in `--model NAME`.
        module: module that holds the builder.
        options: the builder's keyword options with their defaults.
        source: where the architecture comes from.
        parameters: trainable parameters with the default options, for `REFERENCE_SHAPE` and `REFERENCE_OUTPUTS`; None
            where nobody has said.
        macs: multiply-accumulates for one such clip; None where nobody has said.
        per_frame: whether it gives an output for each frame, as a transcript needs, or one a clip.
        kind: what it is for, `recogniser` of recordings, `voice` from texts to energies or `vocoder` from these to a
            waveform, as the first of its parameters tells (`KINDS`).
        stride: frames of features for each output of a frame.
        masks_padding: it takes clips of any length; others see the padding of a fixed clip.
        window: of one that is its own front-end and takes samples (`FeatureSpec(kind="waveform")`), how many an output
            stands for, from its own on, without any padding; 0 of one that takes features, each output centred on one.
        stream_options: options under which it carries its state through a stream (`kerasr.streaming`); None where it
            reads a whole clip at once, and a stream in windows that move on by a hop.
        learning_rate: AdamW's, where it learns at another than the recipes'.
        narrow: options that make it small, for tests.
        variants: options that change what is built, for tests beside the defaults.
        published: trainable parameters by the paper or its authors' code: `(options, input_shape, num_outputs,
            parameters)`, and as a fifth the share by which a rounded number may be off.
    """

    name: str
    module: str
    options: dict[str, Any]
    source: str = ""
    parameters: int | None = None
    macs: int | None = None
    per_frame: bool = False
    kind: str = RECOGNISER
    stride: int = 1
    masks_padding: bool = False
    window: int = 0
    stream_options: dict[str, Any] | None = None
    learning_rate: float | None = None
    narrow: dict[str, Any] = field(default_factory=dict)
    variants: tuple[dict[str, Any], ...] = ()
    published: tuple[tuple[Any, ...], ...] = ()

    @property
    def reads_waveform(self) -> bool:
        """Whether it takes samples, not features."""
        return self.window > 0

    def num_outputs(self, num_frames: int) -> int:
        """Outputs of frames, of a clip's frames of features."""
        if self.window:
            return 1 + max(num_frames - self.window, 0) // self.stride
        return -(-num_frames // self.stride)


# One second at 16 kHz as 40 log-mel bands every 10 ms (the default FeatureSpec), ten words.
REFERENCE_SHAPE = (97, 40)
REFERENCE_OUTPUTS = 10
MODELS: Registry[ModelFacts] = Registry("model")
_BUILDERS: dict[str, Callable[..., Any]] = {}


@overload
def register_model(build: Builder, /) -> Builder: ...
@overload
def register_model(
    *,
    source: str = "",
    parameters: int | None = None,
    macs: int | None = None,
    per_frame: bool = False,
    stride: int = 1,
    masks_padding: bool = False,
    window: int = 0,
    stream_options: Mapping[str, Any] | None = None,
    learning_rate: float | None = None,
    narrow: Mapping[str, Any] = ...,
    variants: Sequence[Mapping[str, Any]] = (),
    published: Sequence[tuple[Any, ...]] = (),
) -> Callable[[Builder], Builder]: ...
def register_model(build: Any = None, /, **facts: Any) -> Any:
    """Decorator that makes an architecture known: `--model NAME`, recipes, `python -m kerasr.models` and all commands.

    The builder takes `input_shape` `(time, feature)`, `num_outputs`, keyword options with defaults, `name` among them,
    and returns a `keras.Model` from features to float32 logits whose last layer is called `logits`. One that speaks
    takes `num_tokens`, `n_mels`, `num_voices` and options (`kerasr.models.SpeedySpeech`).

    Args:
        build: the builder, where the decorator stands without parentheses.
        **facts: those of `ModelFacts` but name, module, options and kind, which the builder tells; in kerasr's own
            files literals, for they are read without importing the file.

    Raises:
        UserError: another module has registered a model of that name.
        TypeError: the builder has an option without a default, or with one that cannot be written as JSON.
    """
    if build is None:
        return lambda build: _register(build, facts)
    return _register(build, facts)


def list_models(*, per_frame: bool | None = None, kind: str = RECOGNISER) -> tuple[ModelFacts, ...]:
    """The architectures of a kind, kerasr's own first.

    Args:
        per_frame: only those that give an output for each frame, or one a clip; all where None.
        kind: `recogniser`, `voice` or `vocoder`.
    """
    found = (facts for facts in MODELS.values() if facts.kind == kind)
    return tuple(facts for facts in found if per_frame in (None, facts.per_frame))


def model_facts(name: str) -> ModelFacts:
    """Facts of the architecture called `name`.

    Args:
        name: as in `--model NAME`.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in MODELS:
        raise UserError("model-not-found", f"no model is called {name!r}: choose one of {', '.join(MODELS)}")
    return MODELS[name]


def builder(name: str) -> Callable[..., Any]:
    """The builder called `name`, imported now: `builder("ResNet18")(input_shape, num_outputs)`.

    Args:
        name: as in `--model NAME`; `list_models` has them all.

    Returns:
        The function from `(time, feature)`, the number of outputs and options to a `keras.Model`.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    facts = model_facts(name)
    if name not in _BUILDERS:
        importlib.import_module(facts.module)
    return _BUILDERS[name]


def _register(build: Builder, facts: Mapping[str, Any]) -> Builder:
    name, module = build.__name__, build.__module__
    signature = inspect.signature(build).parameters.values()
    options = {each.name: each.default for each in signature if each.kind is each.KEYWORD_ONLY and each.name != "name"}
    if missing := [option for option, default in options.items() if default is inspect.Parameter.empty]:
        raise TypeError(f"{module}.{name}: its option {missing[0]} needs a default")
    try:
        json.dumps(options)
    except TypeError as error:
        raise TypeError(f"{module}.{name}: a default of its options cannot be written as JSON: {error}") from None
    kind = KINDS.get(next((each.name for each in signature), ""), RECOGNISER)
    MODELS.register(name, ModelFacts(name=name, module=module, options=options, kind=kind, **facts), module)
    _BUILDERS[name] = build
    return build


def _read_facts(path: Path, module: str) -> Iterator[ModelFacts]:
    """Facts of the models in a file of kerasr, off the decorators and signatures that stand in it."""
    body = ast.parse(path.read_text("utf-8")).body
    constants = {
        target.id: node.value
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def value(node: ast.expr) -> Any:
        return ast.literal_eval(constants[node.id] if isinstance(node, ast.Name) else node)

    for node in (node for node in body if isinstance(node, ast.FunctionDef)):
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "register_model":
                defaults = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                options = {each.arg: value(default) for each, default in defaults if default and each.arg != "name"}
                stated = {keyword.arg: value(keyword.value) for keyword in call.keywords if keyword.arg}
                kind = KINDS[node.args.args[0].arg]
                yield ModelFacts(name=node.name, module=module, options=options, kind=kind, **stated)


# In this order they are listed.
for _path in (
    path
    for folder in ("keyword", "encoders", "synthesis")
    for path in sorted((Path(__file__).parent / folder).glob("*.py"))
):
    _module = f"{__package__}.{_path.parent.name}.{_path.stem}"
    for _facts in _read_facts(_path, _module):
        MODELS.register(_facts.name, _facts, _module)
