"""A training's folder, read when it is asked for, and the model in it."""

import contextlib
import functools
import math
import os
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, overload

import keras
import numpy as np

from kerasr.audio.features import Features
from kerasr.audio.sound import LOUDEST, why_no_sound
from kerasr.config import DecodingConfig, TrainConfig, read_json
from kerasr.core import atomic
from kerasr.core.cli import command_line
from kerasr.core.imports import check_imported
from kerasr.core.progress import ProgressBar, map_threaded
from kerasr.data import Corpus
from kerasr.data.clips import BATCH_SIZE, read_clip
from kerasr.data.known import KnownRecordings
from kerasr.data.manifest import Utterance, read_manifest
from kerasr.errors import UserError
from kerasr.inference.answers import answer_clips
from kerasr.inference.compiled import CompiledModel, compile_probs, join_outputs
from kerasr.inference.recordings import Clip, Source, find_recordings, is_one, make_clip
from kerasr.presets import CARD, list_presets, preset_folder
from kerasr.presets.recordings import find_clips
from kerasr.runs.decoding import read_calibration, use_decoder
from kerasr.runs.facts import HISTORY, LEARNT_FROM, MANIFEST, METRICS, MODEL, OWN_LOOP, read_run
from kerasr.runs.find import find_run
from kerasr.runs.history import read_history
from kerasr.runs.network import check_network, find_network, load_model, make_task
from kerasr.runs.notebook import show_facts, show_scores
from kerasr.runs.own_network import OwnNetwork
from kerasr.tasks import Answer, Task

S = TypeVar("S", bound=Source)

# Least mean probability of a word in a stream, where none has been chosen.
EVEN_CHANCE = 0.5


class Run:
    """A training's folder, read when it is asked for.

    Attributes:
        path: the folder.
        config: the settings it was trained with.
        facts: what `run.json` holds.
        labels: the words, in the order of `probs`.
        task: how logits are read.
        in_memory: whether the folder goes with the process (`from_model`).
    """

    def __init__(self, path: Path, config: TrainConfig, facts: dict[str, Any]):
        self.path = path
        self.config = config
        self.facts = facts
        self.task: Task = make_task(path, config, facts)
        self.task.calibration = read_calibration(facts)
        self.labels = self.task.labels
        self.in_memory = False

    @classmethod
    def from_model(
        cls,
        network: keras.Model,
        corpus: Corpus,
        features: Features,
        *,
        task: str = "auto",
        wanted: str | None = None,
        history: keras.callbacks.History | None = None,
        split_rule: str = "",
        path: str | os.PathLike[str] | None = None,
    ) -> "Run":
        """A run of a network that was fitted in a loop of one's own, for report, comparison, export and stream.

            corpus, split_rule = kerasr.split_corpus(kerasr.load_corpus("my_words"))
            datasets, features = kerasr.make_datasets(corpus, spec, epochs=20)
            history = network.fit(datasets["train"], validation_data=datasets["validation"])
            run = kerasr.Run.from_model(network, corpus, features, history=history, path="runs/mine")

        It has a copy of the network: what that learns afterwards, the run does not know.

        Args:
            network: functional or Sequential, from features `(batch, time, feature)` to logits; built of Keras's
                layers, kerasr's, or registered ones.
            corpus: the recordings, as `split_corpus` returned them.
            features: the front-end, as `make_datasets` returned it.
            task: what the network is for; `auto` is to tell the labels apart, or to detect the word `wanted`.
            wanted: the word of a detector, which has one output.
            history: what `fit` returned, for the report's learning curve: with the loss and the accuracy of a
                validation split.
            split_rule: the sentence of `split_corpus`, for the report.
            path: the run's folder, which is made; in memory alone, until the process ends, where None.

        Returns:
            The run; where its task rejects, with a threshold that was chosen on the validation clips.

        Raises:
            UserError: the network is none from these features to logits of these labels, the recordings have no
                splits, the history lacks a column, or there is something at `path`.
            OSError: the folder cannot be written.
        """
        fitted = OwnNetwork(network, corpus, features, task, wanted, history, split_rule)
        run = cls(*fitted.write(Path(path) if path else None))
        run.in_memory = path is None
        return run

    def __repr__(self) -> str:
        where = "in memory" if self.in_memory else repr(str(self.path))
        return f"Run({where}, model={self.config.model.name!r}, labels={list(self.labels)})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the short form of the report; of a run without one, what there is and what to do."""
        if self.metrics is None:
            return show_facts(self.path, self.config, self.task, self.facts)
        report = "" if self.in_memory or self.is_preset else f"{self.path / 'report.html'}"
        return show_scores(self.path, self.config, self.task, self.metrics, report)

    @property
    def split_rule(self) -> str:
        """How the recordings were divided, in a sentence."""
        return self.facts["split_rule"]

    @functools.cached_property
    def model(self) -> keras.Model:
        """Waveforms `(batch, samples)` at the spec's rate to logits; trailing exact zeros are padding."""
        path = self.path / MODEL
        if not path.exists():
            raise UserError(
                "run-unfinished",
                f"{path}: this run has no model yet: continue it with {command_line('train', '--resume', self.path)}",
            )
        _import_layers()
        model = load_model(path)
        check_network(path, model, self.config.features, self.task)
        return model

    def check_front_end(self, what: str) -> None:
        """Raise `features-given` where features were computed elsewhere, which `what` (`predict`) needs of a sound."""
        if self.config.features.is_given:
            raise UserError(
                "features-given",
                f"{self.path}: this run has learnt from features that were computed elsewhere, and {what} would have "
                f"to compute them: train on recordings (Kaldi's wav.scp), or measure on features with "
                f"{command_line('evaluate', self.path, '--data', 'KALDI_DIRECTORY')}",
            )

    @property
    def features(self) -> Features:
        """The front-end, with the training split's statistics."""
        return Features(self.config.features, **self.facts["statistics"], name="features")

    @property
    def front_ends(self) -> list[Features]:
        """The front-end at each speed at which the run takes a clip."""
        spec, statistics = self.config.features, self.facts["statistics"]
        # Named by their speeds: names that Keras makes up depend on what was built before.
        return [
            Features(spec, **statistics, speed=speed, name="features" if speed == 1 else f"features_at_{speed:g}")
            for speed in self.config.model.tta_speeds
        ]

    @property
    def network(self) -> keras.Model:
        """Features `(batch, time, feature)` to logits."""
        network = find_network(self.model)
        assert network is not None  # `check_network` has found it.
        return network

    @property
    def has_builder(self) -> bool:
        """Whether kerasr can build its network anew: not one that was fitted in a loop of one's own."""
        return self.config.recipe != OWN_LOOP

    @property
    def history(self) -> list[dict[str, float]]:
        """One row an epoch; empty before the first has ended."""
        return read_history(self.path / HISTORY)

    @property
    def metrics(self) -> dict[str, Any] | None:
        """What the last evaluation on the test split measured; None before it."""
        path = self.path / METRICS
        return read_json(path) if path.exists() else None

    @property
    def is_preset(self) -> bool:
        """Whether it came without recordings, in a folder that is not to be written into."""
        return (self.path / CARD).exists()

    def evaluation_folder(self, name: str) -> Path:
        """Where to write an evaluation on anything but the run's own test split; for a preset, on that too."""
        if self.is_preset:
            return Path("runs", "evaluations", self.path.name, name)
        return atomic.without_links(self.path, "evaluations", name)

    def utterances(self, split: str) -> list[Utterance]:
        """The recordings of the `train`, `validation` or `test` split; a preset lists only those of its test.

        Raises:
            UserError: a preset's test clips are not on this machine.
        """
        found = [item for item in read_manifest(self.path / MANIFEST).utterances if item.split == split]
        return find_clips(self.path, found) if self.is_preset and found else found

    @functools.cached_property
    def known(self) -> KnownRecordings:
        """The recordings that its weights were trained on or chosen by, and those of the runs that it comes from."""
        return self.known_before | KnownRecordings([*self.utterances("train"), *self.utterances("validation")])

    @functools.cached_property
    def known_before(self) -> KnownRecordings:
        """The recordings that the runs which it comes from have learnt from; of a preset, its own too."""
        found = KnownRecordings(hashes=self._listed.read_text("utf-8").split() if self._listed.exists() else ())
        for parent in () if self.is_preset else self.config.transfer.runs:
            # What is gone has handed its hashes on; what is of an earlier version has none, but paths.
            with contextlib.suppress(UserError):
                found |= load_run(parent).known
        return found

    @property
    def tells_all_known(self) -> bool:
        """Whether `known` holds all there is to know: a preset of an earlier version, and its heirs, tell little."""
        return self._listed.exists() or not (self.is_preset or self.config.transfer.runs)

    @property
    def known_speakers(self) -> set[str]:
        """Whose recordings it has learnt from, and the runs that it comes from."""
        own = {item.speaker for item in self.utterances("train") if item.speaker}
        return own.union(self.facts.get("train_speakers", ()))

    @property
    def _listed(self) -> Path:
        return self.path / LEARNT_FROM

    @property
    def threshold(self) -> float:
        """Least probability of a word that is answered: chosen on validation clips, or else the task's."""
        return (self.facts.get("rejection") or {}).get("threshold", self.task.threshold)

    @property
    def stream_threshold(self) -> float:
        """Least mean probability of a word in a stream: as `kerasr.evaluate stream` chose it.

        Else that of clips, and an even chance at least: what a clip is cut from is mostly none of the words.
        """
        chosen = (self.facts.get("stream") or {}).get("threshold")
        return chosen or max(EVEN_CHANCE, self.threshold)

    @functools.cached_property
    def compiled(self) -> CompiledModel:
        """Clips `(samples,)` to a dictionary of `logits` `(clips, outputs)` and `probs` `(clips, labels)`."""
        return compile_probs(self.front_ends, self.network, self.task)

    def decode_with(self, options: DecodingConfig) -> None:
        """Find transcripts by beam search from now on, with a language model or a list of words; greedily without.

        Raises:
            UserError: the run gives no transcripts, or a file is missing or damaged.
        """
        use_decoder(self, options)

    # Of lists and tuples alone: a str, too, is a sequence of str.
    @overload
    def predict(self, recordings: list[S] | tuple[S, ...], *, threshold: float | None = None) -> list[Answer]: ...
    @overload
    def predict(
        self, recordings: Source | Sequence[Source], *, threshold: float | None = None
    ) -> Answer | list[Answer]: ...
    def predict(
        self, recordings: Source | Sequence[Source], *, threshold: float | None = None
    ) -> Answer | list[Answer]:
        """Say which word is in recordings.

        Args:
            recordings: a file of any format and rate, its address (`https://...`), or a waveform `(samples,)` in
                [-1, 1] at the spec's rate; a list of these, a folder or a pattern (`*.wav`).
            threshold: least probability of a word that is answered; the run's own where None.

        Returns:
            The answer for one recording or waveform, and a list of answers for a list, a folder or a pattern.

        Raises:
            UserError: one cannot be read or is no sound (`kerasr.audio.sound`), or the weights are damaged.
        """
        single = is_one(recordings)
        sources = [recordings] if single or isinstance(recordings, str | os.PathLike) else recordings
        answers = []
        for found in self.predict_each(sources, threshold=threshold):
            if isinstance(found, Exception):
                raise found
            answers.append(found)
        return answers[0] if single else answers

    def predict_each(
        self, recordings: Iterable[Source], *, threshold: float | None = None
    ) -> Iterator[Answer | Exception]:
        """Answers to many recordings, in order, as they are found; in place of an answer, why there is none.

        Args:
            recordings: files, waveforms, folders and patterns.
            threshold: least probability of a word that is answered; the run's own where None.

        Raises:
            UserError: the weights are damaged.
        """
        self.check_front_end("predict")
        self.model  # noqa: B018 (a damaged model is told before the recordings are read)
        threshold = self.threshold if threshold is None else threshold

        def read(source: Source | Exception) -> Clip | Exception:
            if isinstance(source, Exception):
                return source
            try:
                return make_clip(source, self.config.features, windows=self.task.output.per_frame)
            except (UserError, OSError) as error:
                return error

        clips = map_threaded(read, list(find_recordings(recordings)), "Predicting")
        while batch := list(islice(clips, BATCH_SIZE)):
            yield from answer_clips(self, batch, threshold)

    def logits(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `(clips, outputs)` of waveforms `(samples,)` at the spec's rate, each on its own.

        Args:
            waveforms: at least one, float32 `(samples,)` in [-1, 1], of any length.

        Raises:
            UserError: a waveform is no sound (`kerasr.audio.sound`), or the weights are damaged.
        """
        return self._outputs(waveforms)["logits"]

    def probs(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities `(clips, labels)` of waveforms `(samples,)` at the spec's rate; errors as of `logits`.

        Args:
            waveforms: as `logits` takes them.
        """
        return self._outputs(waveforms)["probs"]

    def predict_files(self, paths: Sequence[str | os.PathLike[str]], progress: ProgressBar | None = None) -> np.ndarray:
        """Probabilities `(files, labels)` of recordings of any format and rate.

        Args:
            paths: the recordings.
            progress: is told of each file that has been read.

        Raises:
            UserError: one cannot be read, which the message names, or the weights are damaged.
        """
        found = []
        clips = (read_clip(os.fspath(path), self.config.features) for path in paths)
        while batch := list(islice(clips, BATCH_SIZE)):
            found.append(self._outputs(batch)["probs"])
            if progress is not None:
                progress.advance(len(batch))
        return join_outputs(found) if found else np.zeros((0, len(self.labels)), np.float32)

    def _outputs(self, waveforms: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        for number, waveform in enumerate(waveforms):
            if why := why_no_sound(waveform, math.inf if self.config.features.is_given else LOUDEST):
                raise UserError("sound-invalid", f"waveform {number}, counted from 0, {why}")
        outputs = self.compiled(waveforms)
        if not np.isfinite(outputs["logits"]).all():
            raise UserError("run-damaged", f"{self.path / MODEL}: gives NaN: its weights are damaged; train again")
        return outputs


def load_run(path: str | os.PathLike[str]) -> Run:
    """The run in a folder, or else the preset of that name.

    Args:
        path: of the run's folder, or the name of a preset.

    Raises:
        UserError: there is none, it is damaged, another version of kerasr made it, or it needs a package that nobody
            has imported (`run-needs-import`): it is not imported on the run's word.
    """
    path = find_run(path)
    config, facts = read_run(path)
    check_imported(config.runtime.imports, path)
    return Run(path, config, facts)


def from_preset(name: str) -> Run:
    """The preset called `name`: a run that needs no training, to recognise recordings with or to start another from.

    Args:
        name: `list_presets` has them all.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    folder = preset_folder(name)
    if folder is None:
        raise UserError(
            "preset-not-found",
            f"no preset is called {reprlib.repr(name)}: choose one of {', '.join(list_presets()) or 'none'}",
        )
    return load_run(folder)


def _import_layers() -> None:
    """Loading a `.keras` file needs the classes of its layers to be registered."""
    import kerasr.layers  # noqa: F401
