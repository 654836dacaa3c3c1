"""The zoo's facts as plain data: what there is, what it can do, what it costs. Importing this loads no framework.

A model's builder lives in the module named here and is imported when it is first built.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kerasr.errors import UserError


@dataclass(frozen=True)
class ModelFacts:
    """What can be said of an architecture without building it.

    Attributes:
        name: name of the builder, as in `--model NAME`.
        module: module that holds the builder.
        source: where the architecture comes from.
        parameters: trainable parameters with the default options, for `REFERENCE_SHAPE` and `REFERENCE_OUTPUTS`.
        macs: multiply-accumulates for one such clip.
        tasks: tasks it can be trained for, of `classify` and `detect`.
        options: the builder's keyword options with their defaults.
        recurrent: it reads frames in order and masks the padding; others see the padding of a fixed clip.
        stream_options: options under which it carries its state through a stream (`kerasr.streaming`); None where it
            reads a whole clip at once, and a stream in windows that move on by a hop.
    """

    name: str
    module: str
    source: str
    parameters: int
    macs: int
    tasks: tuple[str, ...] = ("classify", "detect")
    options: dict[str, Any] = field(default_factory=dict)
    recurrent: bool = False
    stream_options: dict[str, Any] | None = None


# One second at 16 kHz as 40 log-mel bands every 10 ms (the default FeatureSpec), ten words.
REFERENCE_SHAPE = (97, 40)
REFERENCE_OUTPUTS = 10

_MODELS: dict[str, ModelFacts] = {}


def register_model(facts: ModelFacts) -> None:
    """Add an architecture to the zoo.

    Raises:
        ValueError: the name is taken.
    """
    if facts.name in _MODELS:
        raise ValueError(f"a model named {facts.name!r} is registered already, from {_MODELS[facts.name].module}")
    _MODELS[facts.name] = facts


def list_models() -> tuple[ModelFacts, ...]:
    """All architectures, in order of registration."""
    return tuple(_MODELS.values())


def model_facts(name: str) -> ModelFacts:
    """Facts of the architecture called `name`.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    try:
        return _MODELS[name]
    except KeyError:
        raise UserError("model-not-found", f"no model is called {name!r}: choose one of {', '.join(_MODELS)}") from None


def builder(name: str) -> Callable[..., Any]:
    """The builder called `name`, imported now: `builder("ResNet18")(input_shape, num_outputs)`."""
    return getattr(importlib.import_module(model_facts(name).module), name)


_RESNET = "He et al. 2016, https://arxiv.org/abs/1512.03385"
_TC_RESNET = "Choi et al. 2019, https://arxiv.org/abs/1904.03814"
_KWT = "Berg et al. 2021, https://arxiv.org/abs/2104.00769"
for _facts in (
    ModelFacts(
        name="Conv1DLSTM",
        module="kerasr.models.keyword.conv1d_lstm",
        source="Hochreiter and Schmidhuber 1997, behind a convolution",
        parameters=45_578,
        macs=2_355_328,
        options={"filters": 64, "units": 64, "dropout": 0.5, "implementation": "auto"},
        recurrent=True,
        stream_options={},
    ),
    ModelFacts(
        name="StackedLSTM",
        module="kerasr.models.keyword.stacked_lstm",
        source="Graves et al. 2013, https://arxiv.org/abs/1303.5778",
        parameters=832_010,
        macs=80_259_584,
        options={
            "units": 256,
            "num_layers": 2,
            "cell": "lstm",
            "bidirectional": False,
            "dropout": 0.0,
            "implementation": "auto",
        },
        recurrent=True,
        stream_options={"bidirectional": False},
    ),
    ModelFacts(
        name="ResNet18",
        module="kerasr.models.keyword.resnet",
        source=_RESNET,
        parameters=11_175_370,
        macs=185_170_176,
        options={"width": 1.0, "dropout": 0.0},
    ),
    ModelFacts(
        name="ResNet34",
        module="kerasr.models.keyword.resnet",
        source=_RESNET,
        parameters=21_283_530,
        macs=378_779_904,
        options={"width": 1.0, "dropout": 0.0},
    ),
    ModelFacts(
        name="ResNet50",
        module="kerasr.models.keyword.resnet",
        source=_RESNET,
        parameters=23_522_250,
        macs=421_967_104,
        options={"width": 1.0, "dropout": 0.0},
    ),
    ModelFacts(
        name="ResidualCNN",
        module="kerasr.models.keyword.residual_cnn",
        source=_RESNET,
        parameters=99_690,
        macs=9_697_280,
        options={"width": 1.0, "dropout": 0.2},
    ),
    ModelFacts(
        name="ResNet8",
        module="kerasr.models.keyword.resnet8",
        source=_RESNET,
        parameters=224_042,
        macs=42_570_240,
        options={"width": 1.0, "dropout": 0.3},
    ),
    ModelFacts(
        name="BCResNet",
        module="kerasr.models.keyword.bc_resnet",
        source="Kim et al. 2021, https://arxiv.org/abs/2106.04140",
        parameters=9_166,
        macs=2_442_004,
        options={"tau": 1.0, "dropout": 0.1},
    ),
    ModelFacts(
        name="TCResNet8",
        module="kerasr.models.keyword.tc_resnet",
        source=_TC_RESNET,
        parameters=65_072,
        macs=1_520_544,
        options={"width": 1.0, "dropout": 0.5, "causal": False},
        stream_options={"causal": True},
    ),
    ModelFacts(
        name="TCResNet14",
        module="kerasr.models.keyword.tc_resnet",
        source=_TC_RESNET,
        parameters=135_760,
        macs=3_028_512,
        options={"width": 1.0, "dropout": 0.5, "causal": False},
        stream_options={"causal": True},
    ),
    ModelFacts(
        name="DSCNN",
        module="kerasr.models.keyword.ds_cnn",
        source="Zhang et al. 2017, https://arxiv.org/abs/1711.07128",
        parameters=23_626,
        macs=20_823_680,
        options={"filters": 64, "dropout": 0.4},
    ),
    ModelFacts(
        name="MatchboxNet",
        module="kerasr.models.keyword.matchboxnet",
        source="Majumdar and Ginsburg 2020, https://arxiv.org/abs/2004.08531",
        parameters=71_298,
        macs=6_643_064,
        options={"num_blocks": 3, "num_repeats": 1, "channels": 64, "dropout": 0.0},
    ),
    ModelFacts(
        name="CRNN",
        module="kerasr.models.keyword.crnn",
        source="Arik et al. 2017, https://arxiv.org/abs/1703.05390",
        parameters=205_418,
        macs=2_802_816,
        options={"filters": 32, "units": 32, "dropout": 0.0, "bidirectional": True, "implementation": "auto"},
        stream_options={"bidirectional": False},
    ),
    ModelFacts(
        name="AttRNN",
        module="kerasr.models.keyword.att_rnn",
        source="de Andrade et al. 2018, https://arxiv.org/abs/1808.08929",
        parameters=179_887,
        macs=15_140_320,
        options={"units": 64, "dropout": 0.0, "implementation": "auto"},
        recurrent=True,
    ),
    ModelFacts(
        name="MHAttRNN",
        module="kerasr.models.keyword.att_rnn",
        source="Rybakov et al. 2020, https://arxiv.org/abs/2005.06720",
        parameters=758_319,
        macs=42_038_496,
        options={"units": 128, "dropout": 0.2, "implementation": "auto"},
        recurrent=True,
    ),
    ModelFacts(
        name="KWT1",
        module="kerasr.models.keyword.keyword_transformer",
        source=_KWT,
        parameters=607_114,
        macs=72_803_456,
        options={"width": 1.0, "num_layers": 12, "dropout": 0.0},
    ),
    ModelFacts(
        name="KWT2",
        module="kerasr.models.keyword.keyword_transformer",
        source=_KWT,
        parameters=2_393_866,
        macs=261_212_416,
        options={"width": 1.0, "num_layers": 12, "dropout": 0.0},
    ),
    ModelFacts(
        name="KWT3",
        module="kerasr.models.keyword.keyword_transformer",
        source=_KWT,
        parameters=5_360_266,
        macs=565_226_880,
        options={"width": 1.0, "num_layers": 12, "dropout": 0.0},
    ),
):
    register_model(_facts)
