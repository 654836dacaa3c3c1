"""Settings of a training."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import tyro

from kerasr.config.augmentation import Augmentation
from kerasr.config.bounds import (
    Count,
    NotNegative,
    Number,
    Positive,
    Seed,
    Share,
    ShareBelowOne,
    Speeds,
    check_bounds,
)
from kerasr.config.features import FeatureSpec
from kerasr.config.optimizer import OptimizerConfig

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]


@dataclass(frozen=True)
class TrainConfig:
    """One training, in full: with the recordings, enough to repeat the run."""

    recipe: Annotated[str, tyro.conf.Suppress] = "words"
    """The recipe these settings started from."""
    data: str | None = None
    """A folder with one sub-folder a word, a CSV or JSONL manifest, or fsdd, speech_commands:12, synthetic:yes,no."""
    words: str | None = None
    """What synthetic voices say (extra `voices`): yes,no; by phonemes, stop=[[st'0p]]; in two ways, stop=stop|halt."""
    language: str = "en"
    """The language of the synthetic voices, by its code; all its accents speak."""
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
    """With wanted: an earlier run; what it takes for the word in the training part is drawn more often in this one."""
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
    tta_speeds: Speeds = (1.0,)
    """Test-time augmentation: run each clip at these speeds and average the logits; a voice of another pitch is nearer
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
    """What is minimised; the focal loss weighs a clip by how unsure the network is of it; it smooths no label."""
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
