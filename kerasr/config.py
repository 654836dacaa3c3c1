"""Every setting of a training, and when a listener reports a word, as frozen dataclasses known to no framework.

The field docstrings are the command line's help, so they say what a value means and in what unit. A config turns into
JSON and back (`to_json`, `from_json`), which is how a run directory remembers it. JSON may come from strangers:
`read_json`, `parse_json`, `fault_of_json` and `fault_of_type` let nothing through that no version of kerasr has
written.
"""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints, is_typeddict

import tyro
from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

from kerasr.bounds import (
    Bands,
    Bounds,
    ClipSeconds,
    Count,
    Factors,
    NotNegative,
    Number,
    Positive,
    Range,
    SampleRate,
    Samples,
    Seed,
    Share,
    ShareBelowOne,
    Speeds,
    check_bounds,
)
from kerasr.errors import UserError

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
T = TypeVar("T")


@dataclass(frozen=True)
class FeatureSpec:
    """What the front-end computes from a waveform. Sizes are in samples and named as in librosa."""

    kind: Literal["log_mel", "mfcc"] = "log_mel"
    """Log-mel energies in dB, or the cepstral coefficients made from them."""
    sample_rate: SampleRate = 16000
    """Rate of the waveform in Hz; recordings at another rate are resampled to it."""
    n_fft: Samples = 512
    """Length of the FFT, in samples."""
    win_length: Samples = 400
    """Length of the Hann window, in samples, centred in the FFT."""
    hop_length: Samples = 160
    """Samples from one frame to the next."""
    n_mels: Bands = 40
    """Mel bands."""
    n_mfcc: Bands = 13
    """Cepstral coefficients kept (`kind="mfcc"` only)."""
    fmin: float = 20.0
    """Lower edge of the lowest mel band, in Hz."""
    fmax: float | None = None
    """Upper edge of the highest mel band, in Hz; half the sample rate where None."""
    mel_scale: Literal["slaney", "htk"] = "slaney"
    """Formula of the mel scale."""
    num_deltas: Literal[0, 1, 2] = 0
    """Append this many orders of differences over time (1: deltas, 2: and their deltas)."""
    center: bool = False
    """Centre frames on their time, as librosa does by default. Centred frames look ahead: they cannot stream."""
    clip_seconds: ClipSeconds | None = 1.0
    """Crop or pad every clip to this long, in seconds; None keeps each clip's own length."""

    def __post_init__(self) -> None:
        check_bounds(self, "features.")
        if self.win_length > self.n_fft:
            raise UserError(
                "settings-conflict",
                f"features.win_length {self.win_length} does not fit into features.n_fft {self.n_fft}: "
                "make n_fft at least as long",
            )
        if self.kind == "mfcc" and self.n_mfcc > self.n_mels:
            raise UserError(
                "settings-conflict",
                f"features.n_mfcc {self.n_mfcc} needs at least as many mel bands, and features.n_mels is {self.n_mels}",
            )
        if not 0 <= self.fmin < self.fmax_hz <= self.sample_rate / 2:
            raise UserError(
                "settings-conflict",
                f"features.fmin {self.fmin:g} and fmax {self.fmax_hz:g} Hz must lie in order "
                f"between 0 and half the sample rate, {self.sample_rate / 2:g} Hz",
            )
        if self.clip_seconds is not None and self.clip_samples < self.n_fft:
            raise UserError(
                "settings-conflict",
                f"features.clip_seconds {self.clip_seconds:g} is shorter than one frame "
                f"({self.n_fft} samples at {self.sample_rate} Hz)",
            )

    @property
    def fmax_hz(self) -> float:
        """Upper edge of the highest mel band, in Hz."""
        return self.sample_rate / 2 if self.fmax is None else self.fmax

    @property
    def clip_samples(self) -> int:
        """Samples in a clip of `clip_seconds`; raises where the spec keeps each clip's own length."""
        if self.clip_seconds is None:
            raise ValueError("clip_seconds is None: this spec keeps each clip's own length")
        return round(self.clip_seconds * self.sample_rate)

    def num_frames(self, num_samples: int) -> int:
        """Frames that librosa computes from `num_samples`; at least one, for which a shorter clip is zero-padded."""
        padded = num_samples + 2 * (self.n_fft // 2) if self.center else num_samples
        return 1 + max(0, padded - self.n_fft) // self.hop_length

    @property
    def num_features(self) -> int:
        """Width of one frame, differences included."""
        return (self.n_mels if self.kind == "log_mel" else self.n_mfcc) * (1 + self.num_deltas)

    @property
    def shape(self) -> tuple[int | None, int]:
        """`(time, feature)` of one clip; time is None where `clip_seconds` is."""
        frames = None if self.clip_seconds is None else self.num_frames(self.clip_samples)
        return frames, self.num_features


@dataclass(frozen=True)
class Augmentation:
    """Changes made to training clips, drawn anew for each clip and each epoch. The defaults change nothing."""

    time_shift: NotNegative = 0.0
    """Shift the clip by up to this many seconds either way."""
    silence: NotNegative = 0.0
    """Put up to this many seconds of silence before the clip and after it, in half of the cases each: a recording made
    to stand in for one that is not cut close around its word."""
    gain_db: NotNegative = 0.0
    """Turn the clip louder or softer by up to this many dB."""
    speed: Factors = (1.0, 1.0)
    """Play the clip at a rate drawn between these two; pitch moves along, as with another vocal tract."""
    tempo: Factors = (1.0, 1.0)
    """Say it faster (above 1) or slower by a factor drawn between these two; pitch stays. With `speed` it frees one of
    the other: a voice of another pitch may speak at any pace."""
    vtlp: Factors = (1.0, 1.0)
    """Warp the mel axis by a factor drawn between these two: a longer or shorter vocal tract (log-mel only)."""
    tilt_db: NotNegative = 0.0
    """Tilt the spectrum by up to this many dB from lowest to highest band: another microphone (log-mel only)."""
    eq_db: NotNegative = 0.0
    """Bend the spectrum by a smooth curve of about this many dB over the bands: another room (log-mel only)."""
    reverb: Share = 0.0
    """Share of clips that sound in a made room: a drawn echo that dies away."""
    reverb_seconds: Factors = (0.1, 0.6)
    """Time in which the echo falls by 60 dB, in seconds, drawn between these two."""
    codec: Share = 0.0
    """Share of clips that pass a telephone: band limits drawn around 300 to 3,400 Hz, 8 bits of mu-law."""
    noise: Share = 0.0
    """Share of clips that get noise: the corpus's background recordings, else white to pink noise."""
    noise_snr_db: Range = (5.0, 30.0)
    """Signal-to-noise ratio, in dB, drawn between these two."""
    time_masks: Number = 0
    """SpecAugment: stretches of time blanked in each clip."""
    time_mask_seconds: NotNegative = 0.1
    """SpecAugment: longest stretch, in seconds."""
    frequency_masks: Number = 0
    """SpecAugment: groups of feature columns blanked in each clip."""
    frequency_mask_width: Number = 6
    """SpecAugment: widest group, in columns."""
    mixup: NotNegative = 0.0
    """Mix pairs of clips with a weight from Beta(mixup, mixup); 0 mixes none."""
    cutmix: Share = 0.0
    """Share of clips in which a stretch of time comes from another clip, and as much of the target."""

    def __post_init__(self) -> None:
        check_bounds(self, "augment.")


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights move. The learning rate warms up linearly, then follows the schedule."""

    name: Literal["adamw", "adam", "sgd", "muon"] = "adamw"
    """The update rule; sgd has Nesterov momentum 0.9, muon makes kernels' steps orthogonal (fewer epochs)."""
    learning_rate: Positive = 1e-3
    """Highest learning rate."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """What the learning rate does after the warm-up; cosine ends at 0 with the last step."""
    warmup_epochs: NotNegative = 1.0
    """Epochs over which the learning rate rises."""
    weight_decay: NotNegative = 1e-4
    """Decoupled weight decay (adamw and muon only)."""
    clip_norm: Positive | None = 1.0
    """Gradients of a larger global norm are scaled down to it; None leaves them."""
    ema: ShareBelowOne = 0.0
    """Judge and keep an exponential moving average of the weights, not the last ones: its momentum a step, as 0.995,
    to which it rises over the first steps."""

    def __post_init__(self) -> None:
        check_bounds(self, "optimizer.")


@dataclass(frozen=True)
class TrainConfig:
    """One training, in full: from it and the recordings, a run can be told again."""

    recipe: Annotated[str, tyro.conf.Suppress] = "words"
    """The recipe these settings started from."""
    data: str | None = None
    """A folder with one sub-folder a word, a CSV or JSONL manifest, or fsdd, speech_commands:12, synthetic:yes,no."""
    words: str | None = None
    """What synthetic voices say (extra `voices`): yes,no; by phonemes, stop=[[st'0p]]; in two ways, stop=stop|halt."""
    language: str = "en"
    """The language of the synthetic voices, by its code; all its accents are heard."""
    synthetic_voices: Number = 0
    """Synthetic clips of each word (of --words, else of all): training clips beside recordings, or the corpus."""
    flite_clips: Number = 0
    """Further training clips of each word by flite (apt install flite): English voices that sound more like people."""
    split: Literal["auto", "official", "speaker", "file"] = "auto"
    """How recordings are divided; auto takes the corpus's official split (folders train, val, test are one too), else
    speakers, else a hash of the path."""
    leave_out: str | None = None
    """Test on this speaker alone (or on these, as a,b), and train on the others but for those that validate."""
    speaker_pattern: str | None = None
    """Who speaks, where names of files or folders say it in their own way: a regular expression, searched in each path
    beneath the folder, whose first group is the speaker; '^([^/]+)/' finds anna in anna/yes/1.wav."""
    validate_on: Literal["speaker", "clips"] = "speaker"
    """With --leave-out, validate on the next speaker, or on a tenth of the others' clips: then all of them train."""
    wanted: str | None = None
    """Train a detector with one output: is it this word? Every other word is a counter-example."""
    negatives: str | None = None
    """With wanted: a folder of long recordings without the word, to train against and to count false alarms on."""
    hard_negatives: str | None = None
    """With wanted: an earlier run; what it takes for the word in the training part is heard more often in this one."""
    max_bad: Number = 10
    """Unreadable recordings that are listed and skipped; one more stops the run."""
    cache: bool = False
    """Keep decoded recordings (or features, where no augmentation needs the sound) in one file while training."""
    model: str = "ResidualCNN"
    """The architecture; `python -m kerasr.models` lists them."""
    model_options: Annotated[dict[str, Any], tyro.conf.arg(name="model")] = field(default_factory=dict)
    """The architecture's own options."""
    features: FeatureSpec = field(default_factory=FeatureSpec)
    """The front-end."""
    hear_at: Speeds = (1.0,)
    """Test-time augmentation: hear each clip at these speeds and average the logits; a voice of another pitch is nearer
    to those of the training at one of them. Each costs a pass of the network."""
    augment: Augmentation = field(default_factory=Augmentation)
    """Changes made to training clips."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """How weights move."""
    epochs: Count | None = 30
    """Stretches of training, judged by the validation split after each; None is 30, or more where a few recordings
    make less than 1,500 steps so."""
    passes: Count = 1
    """Passes over the training split in an epoch; epochs=None makes as many as fit into 50 steps."""
    batch_size: Count = 64
    """Clips a step."""
    label_smoothing: ShareBelowOne = 0.0
    """Share of each target spread over all words."""
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    """What is minimised; focal counts a clip the less, the surer it is got right already (and smooths no label)."""
    class_weights: bool = False
    """Weigh rare words up, in inverse proportion to their count (sampling=natural only: balanced has done so)."""
    sampling: Literal["natural", "balanced"] = "natural"
    """Which clips an epoch draws: each once, or as many of each word, rare ones again and again."""
    balance_groups: str | None = None
    """Group DRO: train for the group that does worst, by speaker, accent or another column of the manifest."""
    init_from: str | None = None
    """Transfer learning: begin with the encoder of this run or preset, its front-end, its architecture and all its
    weights but the last."""
    head_share: Share = 0.25
    """With init_from: share of the epochs in which only the new last layer learns; then everything does."""
    finetune_rate: Positive = 0.1
    """With init_from: factor on the learning rate once everything learns."""
    teacher: str | None = None
    """Knowledge distillation: learn from what this run or preset says of the same clips, beside the labels."""
    teacher_weight: Share = 0.5
    """With a teacher: its share of the loss; the labels have the rest."""
    temperature: Positive = 2.0
    """With a teacher: its logits and the network's are divided by this before they are compared."""
    pseudo_labels: str | None = None
    """A folder of unlabelled recordings: those that the teacher (or else init_from's run) is sure of join the training.
    Their speakers are not known: keep test speakers out of it."""
    pseudo_threshold: Share = 0.95
    """With pseudo_labels: the least probability that makes a label."""
    keep: Literal["best", "last"] = "best"
    """Weights that the run keeps: of the epoch with the best validation score, or of the last epoch."""
    patience: Count | None = None
    """Stop after this many epochs without a better validation score; None never does."""
    precision: Precision = "auto"
    """Arithmetic of the network; auto is mixed_bfloat16 on a GPU that has it, else float32."""
    xla: Literal["auto", "on", "off"] = "auto"
    """Compile the training step with XLA; auto does on a GPU."""
    seed: Seed = 0
    """Fixes weights, order and augmentation."""
    split_seed: Seed = 0
    """Fixes which speakers or recordings are tested, apart from `seed`: trainings of several seeds have one test, and
    can be compared. It also draws the voices of a synthetic corpus, and the stream of `evaluate --stream`."""
    out: str = "runs"
    """Folder that receives the run's own folder."""
    checkpoint_seconds: NotNegative = 30.0
    """Write a checkpoint to resume from this often inside an epoch (and after each epoch)."""
    tensorboard: bool = False
    """Write TensorBoard logs into the run."""
    wandb: bool = False
    """Log to Weights & Biases."""

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class ListenOptions:
    """When a word counts as heard."""

    hop_seconds: Annotated[float, Bounds("a time from 0.01 to 1", lambda seconds: 0.01 <= seconds <= 1)] = 0.1
    """Time between two windows, in seconds; a model that carries its state has steps of its own."""
    smooth_seconds: NotNegative = 0.3
    """Time over which a word's probability is averaged, in seconds."""
    threshold: Share | None = None
    """Least mean probability of a word that is reported. Where not given, the model's own: `evaluate --stream`
    chooses it; else that of clips, and 0.5 at least."""
    refractory_seconds: NotNegative = 1.0
    """Silence after a report, in seconds: the same sound stays in the window for a while."""

    def __post_init__(self) -> None:
        check_bounds(self)


def to_json(config: Any) -> dict[str, Any]:
    """The config as plain JSON types, nested configs as nested objects."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def from_json(kind: type[T], values: Any) -> T:
    """The config of class `kind` from what `to_json` made; absent fields take their defaults.

    Raises:
        UserError: a field that this version does not know, or a value that a field cannot have.
    """
    if not isinstance(values, dict):
        raise UserError("setting-invalid", f"{kind.__name__} is {shorten(values)}: settings by name are expected")
    types = get_type_hints(kind)
    unknown = sorted(set(values) - set(types))
    if unknown:
        raise UserError(
            "setting-not-found",
            f"unknown setting {unknown[0]!r} for {kind.__name__}: it comes from another version of kerasr",
        )
    return kind(**{name: _restore(types[name], value) for name, value in values.items()})


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON object in a file, whoever wrote it.

    Raises:
        UserError: it is damaged, or holds no object.
        OSError: it cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            values = parse_json(file.read())
    except ValueError as error:
        raise UserError(
            "file-damaged", f"{os.fspath(path)}: is damaged ({shorten(error)}); restore it, or train anew"
        ) from error
    if not isinstance(values, dict):
        raise UserError(
            "file-damaged", f"{os.fspath(path)}: is damaged (it holds no JSON object); restore it, or train anew"
        )
    return values


def parse_json(text: str) -> Any:
    """The value that a JSON text, whoever wrote it, stands for.

    Raises:
        ValueError: it is not JSON, or such as no file of kerasr holds: whole numbers of more than 64 bits, texts that
            are no Unicode, lists in lists in lists without end.
    """
    try:
        value = json.loads(text, parse_int=_parse_whole)
    except RecursionError:
        raise ValueError("lists in lists without end") from None
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # Half of a surrogate pair is no text that can be written.
    return value


def fault_of_json(values: Any, kind: Any) -> str | None:
    """What is missing, or of another type than the typed dictionary `kind` says; None where all is well.

    Keys that it does not know may be there: a newer version may have written more.
    """
    if not isinstance(values, dict):
        return f"{shorten(values)} is no JSON object"
    for name, annotation in get_type_hints(kind).items():
        if name not in values:
            fault = "is missing" if name in kind.__required_keys__ else None
        elif is_typeddict(annotation):
            fault = fault_of_json(values[name], annotation)
        else:
            fault = fault_of_type(values[name], annotation)
        if fault is not None:
            return f"{name}: {fault}"
    return None


def fault_of_type(value: Any, annotation: Any) -> str | None:
    """Why a value is not of the type that an annotation says, to its last item; None where it is."""
    try:
        check_type(value, annotation, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError as error:
        return str(error)
    return None


def shorten(value: Any) -> str:
    """A value or an error in at most 160 characters of one line, for a message."""
    lines = str(value).strip().splitlines() or [type(value).__name__]
    return lines[0][:160]


def _parse_whole(digits: str) -> int:
    # (Python itself refuses to read a few thousand digits.)
    if len(digits) > len(str(-(2**63))) or abs(int(digits)) >= 2**63:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)


def _restore(annotation: Any, value: Any) -> Any:
    """`value` as the type that JSON could not keep: a nested config or a tuple."""
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return from_json(annotation, value)
    if get_origin(annotation) is tuple and isinstance(value, list):
        return tuple(_restore(get_args(annotation)[0], item) for item in value)
    return value
