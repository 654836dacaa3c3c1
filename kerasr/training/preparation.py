"""What comes before the first step: settings completed, recordings read and divided, the run's folder made."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from rich.console import Console
from rich.text import Text

from kerasr.config import DataConfig, TrainConfig
from kerasr.config.bounds import check_option
from kerasr.data import Corpus, load_corpus, split_corpus
from kerasr.data.augment import changes_bands
from kerasr.data.augment.registry import extra_changes
from kerasr.data.connected import connect_corpus, with_text
from kerasr.data.corpora.flite import check_flite
from kerasr.data.corpora.load import speak_training_clips
from kerasr.data.corpora.read_aloud import is_read_aloud
from kerasr.data.corpora.synthetic import CLIPS_PER_WORD, PREFIX
from kerasr.data.hashes import content_hashes, with_hashes
from kerasr.data.known import count_copies
from kerasr.data.pipeline import measure_front_end
from kerasr.data.sampling import find_groups
from kerasr.errors import UserError
from kerasr.models.registry import SPEAKER, VOCODER, model_facts
from kerasr.recipes import get_recipe
from kerasr.runs.facts import corpus_facts
from kerasr.runs.folder import new_run
from kerasr.runs.run import Run, load_run
from kerasr.tasks import Task, find_task
from kerasr.training.given_features import use_given_features
from kerasr.training.pretrained import use_waveform
from kerasr.training.spoken_by_run import speak_by_run
from kerasr.training.transfer import (
    add_pseudo_labels,
    earlier_runs,
    inherit,
    inherited_features,
    known_test_clips,
    known_to,
)

# Where the config leaves the epochs open: how many a large corpus gets, and how many steps a small one needs.
EPOCHS, LEAST_STEPS = 30, 1500
# An epoch of few steps takes longer to judge and to save than to train: these fill it with several passes.
STEPS_AN_EPOCH = LEAST_STEPS // EPOCHS

DIGITS = "synthetic:zero,one,two,three,four,five,six,seven,eight,nine"


def prepare_run(config: TrainConfig, console: Console) -> Run:
    """The run that a config and its recordings make, with its first files written and nothing trained yet.

    Args:
        config: the settings.
        console: where to say what was decided.

    Raises:
        UserError: the recordings or the settings have a fault that the message explains.
    """
    kind = find_task(config.task)
    kind.check(config)
    if config.data.phonemes and kind.kind != SPEAKER:
        raise UserError(
            "settings-conflict",
            f"--phonemes {config.data.phonemes} is of voices, and {kind.name} makes none: leave it out",
        )
    config = inherit(config)
    _check_voices(config.data)
    config, corpus = _load(config, console, kind.min_labels)
    config = use_waveform(use_given_features(config, corpus, console), console)
    config = _fit_clip(config, corpus)
    if config.data.connected:
        corpus = replace(corpus, utterances=tuple(map(with_text, corpus.utterances)))
    corpus = kind.usable(corpus, config.data.max_bad)
    corpus, split_rule = split_corpus(
        corpus, config.data.split, config.data.leave_out, config.data.split_seed, config.data.validate_on
    )
    if config.data.connected:
        corpus = connect_corpus(corpus, config.data.connected, config.data.split_seed)
        split_rule += f"; of each split, strings of up to {config.data.connected} recordings of one speaker"
    task, words = kind.of_corpus(corpus, config.task), corpus.labels
    corpus = replace(corpus, labels=task.labels)
    check_model(config, task)
    extra_changes(config.augment)
    if config.data.balance_groups:
        find_groups([item for item in corpus.utterances if item.split == "train"], config.data.balance_groups)
    inherited = inherited_features(config, task)
    voices = _speak(config, replace(corpus, labels=words), task)
    corpus = add_pseudo_labels(corpus, config, task)
    corpus, measured = measure_front_end(corpus, config.features, config.data.max_bad)
    features = inherited or measured
    corpus, segments, found = task.add_training_clips(config, corpus, features, load_run)
    contents = content_hashes(corpus.utterances)
    voice_contents = content_hashes(voices.utterances) if voices else []
    utterances = (
        *with_hashes(corpus.utterances, contents),
        *with_hashes(voices.utterances if voices else (), voice_contents),
        *with_hashes(segments),
    )
    config = decide_epochs(config, len(task.repeat([item for item in utterances if item.split == "train"])))
    earlier = earlier_runs(config)
    facts = {
        "split_rule": split_rule,
        "corpus": corpus_facts(corpus, contents),
        "test_copies": count_copies(corpus, contents),
        "statistics": {"mean": features.mean, "std": features.std},
        "status": "training",
        **known_test_clips(earlier, utterances),
        **task.facts(),
        **found,
    }
    if voices:
        facts["voices"] = {
            **corpus_facts(voices, voice_contents),
            "clips": len(voices.utterances),
            "language": config.data.language,
        }
    return new_run(config, facts=facts, utterances=utterances, learnt_from=known_to(earlier).hashes)


def _load(config: TrainConfig, console: Console, min_labels: int) -> tuple[TrainConfig, Corpus]:
    """The recordings; spoken digits made here where FSDD cannot be had."""
    try:
        return config, load_corpus(
            _data_of(config),
            default=get_recipe(config.recipe).data.path,
            max_bad=config.data.max_bad,
            min_labels=min_labels,
            speaker_pattern=config.data.speaker_pattern,
            seed=config.data.split_seed,
            language=config.data.language,
            clips_per_word=_espeak_clips(config.data) or CLIPS_PER_WORD,
            numbers=config.data.spell_numbers,
            phonemes=config.data.phonemes,
            flite_clips=config.data.flite_clips,
            speak=_speaker(config.data, config.data.split_seed),
        )
    except UserError as error:
        if error.code != "corpus-unavailable" or config.recipe != "digits" or config.is_given("data.path"):
            raise
        console.print(Text(f"{error}: training on digits spoken by espeak-ng instead", "yellow"), soft_wrap=True)
        config = config.derive(data=DIGITS)
        return config, load_corpus(DIGITS, max_bad=config.data.max_bad, seed=config.data.split_seed)


def _data_of(config: TrainConfig) -> str | None:
    """What to train on: words alone are a synthetic corpus."""
    data = config.data
    return f"{PREFIX}{data.words}" if data.path is None and data.words is not None else data.path


def _espeak_clips(data: DataConfig) -> int:
    """How many clips espeak-ng says of each word."""
    return data.synthetic_voices if isinstance(data.synthetic_voices, int) else 0


def _speaker(data: DataConfig, seed: int) -> Callable[[Mapping[str, str]], Corpus] | None:
    """The run that speaks in its place."""
    run = data.synthetic_voices
    return partial(speak_by_run, run, seed=seed) if isinstance(run, str) else None


def _check_voices(data: DataConfig) -> None:
    """Say what the synthetic voices cannot do before any of them speaks."""
    if data.flite_clips and not is_read_aloud(data.path):
        check_flite(data.language, data.flite_clips)
    if data.words is not None and data.path is not None and not (data.synthetic_voices or data.flite_clips):
        raise UserError(
            "setting-missing",
            f"--words {data.words}: beside recordings ({data.path}) it is what synthetic voices say: add "
            "--synthetic-voices 100, or train words alone with the recipe voices",
        )


def _fit_clip(config: TrainConfig, corpus: Corpus) -> TrainConfig:
    """The config with clips as long as the longest phrase, in tenths of a second, where voices were given phrases.

    Where an earlier run gives the front-end, or the user that length, it stays as it is.
    """
    spec, data = config.features, _data_of(config) or ""
    # (Digits are short, and their recipe's second is enough.)
    if not data.startswith(PREFIX) or data == DIGITS or spec.clip_seconds is None:
        return config
    if config.transfer.init_from or config.is_given("features.clip_seconds"):
        return config
    longest = math.ceil(10 * max(item.duration or 0 for item in corpus.utterances)) / 10
    return config.derive(features=replace(spec, clip_seconds=max(spec.clip_seconds, longest)))


def _speak(config: TrainConfig, corpus: Corpus, task: Task) -> Corpus | None:
    """Training clips in synthetic voices, where they are asked for beside the corpus, with its own labels.

    The front-end's statistics are those of the corpus. Of a task of texts, what a voice says is the text.
    """
    data = _data_of(config) or ""
    is_spoken = data.startswith(PREFIX)
    espeak_clips = 0 if is_spoken else _espeak_clips(config.data)
    speak = None if is_spoken else _speaker(config.data, config.runtime.seed)
    flite_clips = 0 if is_read_aloud(data) else config.data.flite_clips
    if not (espeak_clips or speak or flite_clips):
        return None
    if task.keeps_order and not corpus.labels:
        raise UserError(
            "settings-conflict",
            f"--synthetic-voices and --flite-clips say single words, and {corpus.name} has texts: leave them out",
        )
    voices = speak_training_clips(
        corpus,
        data if is_spoken else config.data.words,
        language=config.data.language,
        espeak_clips=espeak_clips,
        flite_clips=flite_clips,
        speak=speak,
        seed=config.runtime.seed,
    )
    return replace(voices, utterances=tuple(map(with_text, voices.utterances))) if task.keeps_order else voices


def decide_epochs(config: TrainConfig, num_clips: int) -> TrainConfig:
    """The config with a number of epochs, and of passes in each."""
    if config.fit.epochs is not None:
        return config
    steps = max(num_clips // config.fit.batch_size, 1)
    passes = max(STEPS_AN_EPOCH // steps, config.fit.passes)
    return config.derive(epochs=max(EPOCHS, -(-LEAST_STEPS // (passes * steps))), passes=passes)


def check_model(config: TrainConfig, task: Task) -> None:
    """Raise where an architecture is not for a task, has no such options, or cannot take such features."""
    facts = model_facts(config.model.name)
    if facts.kind != task.kind:
        raise UserError(
            "task-unsupported",
            f"--model {config.model.name} is a {facts.kind}, and the task {task.name} wants a {task.kind}",
        )
    if task.per_frame != facts.per_frame:
        raise UserError(
            "task-unsupported",
            f"--model {config.model.name} gives an output for each {'clip' if task.per_frame else 'frame'}, and "
            f"the task {task.name} wants the other",
        )
    if facts.reads_waveform != config.features.is_waveform:
        wanted = "give --features.kind waveform" if facts.reads_waveform else "leave --features.kind out"
        raise UserError(
            "settings-conflict",
            f"--features.kind {config.features.kind}: --model {config.model.name} reads "
            f"{'the waveform' if facts.reads_waveform else 'features that are computed from it'}: {wanted}",
        )
    unknown = sorted(set(config.model.options) - set(facts.options))
    if unknown:
        raise UserError(
            "setting-not-found",
            f"--model.{unknown[0]}: {config.model.name} has no such option; it has "
            f"{', '.join(facts.options) or 'none'}",
        )
    for name, value in config.model.options.items():
        check_option(name, value, facts.options[name])
    if (frozen := config.model.options.get("frozen_layers")) and config.transfer.init_from is None:
        raise UserError(
            "settings-conflict",
            f"--model.frozen-layers {frozen}: these would stay as they are drawn, for nothing is begun from: give "
            "--model hub:NAME or --init-from RUN, or leave it out",
        )
    if (config.augment.mixup or config.augment.cutmix) and not task.blends:
        raise UserError(
            "settings-conflict",
            f"--augment.mixup and --augment.cutmix blend clips, and what the task {task.name} asks of two cannot be "
            "blended: leave them out",
        )
    if config.fit.ctc_weight < 1 and not task.per_frame:
        raise UserError(
            "settings-conflict",
            f"--ctc-weight {config.fit.ctc_weight:g} is of transcripts, and {task.name} gives none: leave it out",
        )
    if config.fit.adversarial_weight and task.kind != VOCODER:
        raise UserError(
            "settings-conflict",
            f"--adversarial-weight {config.fit.adversarial_weight:g} is of waveforms, and {task.name} makes none: "
            "leave it out",
        )
    if task.keeps_order and config.features.clip_seconds is not None:
        raise UserError(
            "settings-conflict",
            f"--features.clip-seconds {config.features.clip_seconds:g} cuts recordings to their middle, and the task "
            f"{task.name} wants all of them: give --features.clip-seconds None",
        )
    if config.augment.noise_only and not task.keeps_order:
        raise UserError(
            "settings-conflict",
            f"--augment.noise-only {config.augment.noise_only:g} leaves no text of a clip, and the task {task.name} "
            "asks for none: leave it out, or take --task transcribe",
        )
    if config.most_joined:
        _check_joined(config, task)
    if config.task.vocabulary != "characters" and not task.per_frame:
        raise UserError(
            "settings-conflict",
            f"--vocabulary {config.task.vocabulary} is of transcripts, and {task.name} gives none: leave it out",
        )
    if config.is_given("task.vocabulary_size") and config.task.vocabulary != "pieces":
        raise UserError(
            "settings-conflict",
            f"--vocabulary-size {config.task.vocabulary_size} is how many pieces there may be: add --vocabulary pieces",
        )
    if task.keeps_order and config.augment.time_shift:
        raise UserError(
            "settings-conflict",
            f"--augment.time-shift cuts off a clip's ends, and {task.name} wants all of it: leave it out, or take "
            "--augment.silence",
        )
    if config.fit.batch_seconds is not None and (config.data.sampling == "balanced" or config.data.balance_groups):
        raise UserError(
            "settings-conflict",
            "--batch-seconds takes each clip once, by its length: leave out --sampling balanced and --balance-groups",
        )
    if changes_bands(config.augment) and config.features != replace(config.features, kind="log_mel", num_deltas=0):
        raise UserError(
            "settings-conflict",
            "--augment.vtlp, --augment.tilt-db and --augment.eq-db work on log-mel bands: leave them alone with "
            "--features.kind mfcc or --features.num-deltas",
        )


def _check_joined(config: TrainConfig, task: Task) -> None:
    """Raise where recordings cannot be joined."""
    if config.data.connected and config.augment.concatenate:
        raise UserError("settings-conflict", "--augment.concatenate: --connected joins recordings, too: leave one out")
    flag = f"--connected {config.data.connected}" if config.data.connected else "--augment.concatenate"
    if not task.keeps_order:
        raise UserError(
            "settings-conflict",
            f"{flag} joins recordings to longer ones, and the task {task.name} asks what a single one is: leave it "
            "out, or take --task transcribe",
        )
    if config.data.cache:
        raise UserError("settings-conflict", f"--cache keeps what each pass has, and what {flag} joins is new in each")
