"""A training's folder, read when it is asked for, and the model in it."""

import functools
import math
import os
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar, overload

import keras
import numpy as np

from kerasr.audio.features import Features
from kerasr.audio.sound import LOUDEST, why_no_sound
from kerasr.config import DecodingConfig
from kerasr.core.cli import command_line
from kerasr.core.progress import ProgressBar, map_threaded
from kerasr.data import Corpus
from kerasr.data.clips import BATCH_SIZE, read_clip
from kerasr.errors import UserError
from kerasr.inference.answers import answer_clips
from kerasr.inference.compiled import CompiledModel, compile_probs, join_outputs
from kerasr.inference.recordings import Clip, Source, find_recordings, is_one, make_clip
from kerasr.inference.speech import Speech
from kerasr.inference.speeds import SeveralSpeeds
from kerasr.inference.synthesizer import Synthesizer, make_synthesizer
from kerasr.inference.vocoder import Vocoder, griffin_lim_vocoder, trained_vocoder
from kerasr.presets import list_presets, preset_folder
from kerasr.runs.contents import RunContents
from kerasr.runs.decoding import use_decoder
from kerasr.runs.facts import MODEL
from kerasr.runs.network import check_network, load_model
from kerasr.runs.notebook import show_facts, show_scores
from kerasr.runs.own_network import OwnNetwork
from kerasr.tasks import Answer, Recognition, recognition

S = TypeVar("S", bound=Source)

# Least mean probability of a word in a stream, where none has been chosen.
EVEN_CHANCE = 0.5


class Run(RunContents):
    """A training's folder, read when it is asked for, and the model in it.

    Attributes:
        path: the folder.
        config: the settings it was trained with.
        facts: what `run.json` holds.
        labels: the words, in the order of `probs`.
        task: what the network was trained for.
        in_memory: whether the folder goes with the process (`from_model`).
    """

    # Hears clips in the place of `compiled`, where transcripts are found at several speeds.
    _several_speeds: SeveralSpeeds | None = None

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
        """Raise where `what` (`predict`) cannot be: a voice reads no recordings, and given features are of none."""
        recognition(self.task, f"{self.path}: {what}")
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
        return [self._front_end(speed) for speed in self.config.model.tta_speeds]

    def _front_end(self, speed: float) -> Features:
        # Named by its speed: names that Keras makes up depend on what was built before.
        name = "features" if speed == 1 else f"features_at_{speed:g}"
        return Features(self.config.features, **self.facts["statistics"], speed=speed, name=name)

    @property
    def network(self) -> keras.Model:
        """Features `(batch, time, feature)` to logits."""
        network = self.task.find_network(self.model)
        assert network is not None  # `check_network` has found it.
        return network

    @property
    def recognition(self) -> Recognition:
        """The task, of a run that answers recordings; else a `UserError`."""
        return recognition(self.task, f"{self.path}: answers to recordings")

    @property
    def threshold(self) -> float:
        """Least probability of a word that is answered: chosen on validation clips, or else the task's."""
        return (self.facts.get("rejection") or {}).get("threshold", self.recognition.threshold)

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
        return compile_probs(self.front_ends, self.network, self.recognition)

    @functools.cached_property
    def synthesizer(self) -> Synthesizer:
        """Texts to speech, of a run that is a voice, by Griffin-Lim."""
        return self.synthesizer_with(None)

    def synthesizer_with(self, vocoder: "Run | None") -> Synthesizer:
        """Texts to speech, of a run that is a voice.

        Args:
            vocoder: a run of the task `vocode` that makes the waveforms; Griffin-Lim where None.

        Raises:
            UserError: this run is no voice, the other no vocoder, or one with another front-end.
        """
        make = self.vocoder(vocoder)
        return make_synthesizer(self.network, self.task, self.config, self.facts["statistics"], self.path, make)

    def vocoder(self, run: "Run | None", *, fft: bool = True) -> Vocoder:
        """What makes waveforms of this run's energies: a run of the task `vocode`, or Griffin-Lim where None.

        Args:
            run: of the vocoder.
            fft: as of `kerasr.audio.inverse.griffin_lim`.

        Raises:
            UserError: the run is no vocoder, or one with another front-end.
        """
        spec = self.config.features
        if run is None:
            return griffin_lim_vocoder(spec, fft=fft)
        if run.config.features != spec:
            raise UserError("features-differ", f"{run.path}: its front-end is another than that of {self.path}")
        return trained_vocoder(run.network, run.task, spec, run.facts["statistics"], run.path, fft=fft)

    def synthesize(self, text: str, *, voice: str | None = None, speed: float = 1.0) -> Speech:
        """Say a text.

        Args:
            text: of any length; `synthesizer.say` gives a long one as it is made.
            voice: who speaks, of the run's voices; the first where None.
            speed: 1 as learnt, 2 twice as fast.

        Raises:
            UserError: the run is no voice; there is nothing to say, or what it has not learnt; no such voice or speed.
        """
        return Speech.join(list(self.synthesizer.say(text, voice, speed)))

    def decode_with(self, options: DecodingConfig) -> None:
        """Find transcripts by beam search from now on, with a language model or a list of words; greedily without.

        Those of whole clips, which `probs` takes, also at several speeds.

        Raises:
            UserError: the run gives no transcripts, or a file is missing or damaged.
        """
        use_decoder(self, options)
        self._several_speeds = None
        if options.tta_speeds != DecodingConfig.tta_speeds:
            front_ends = [self._front_end(speed) for speed in {1.0, *options.tta_speeds}]
            models = {one.speed: compile_probs([one], self.network, self.recognition) for one in front_ends}
            self._several_speeds = SeveralSpeeds(models, self.recognition)

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
        """Recognise words or transcribe sentences in recordings.

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
                return make_clip(source, self.config.features, windows=self.task.per_frame)
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

    def probs(self, waveforms: Sequence[np.ndarray], *, own_speed: bool = False) -> np.ndarray:
        """Probabilities `(clips, labels)` of waveforms `(samples,)` at the spec's rate; errors as of `logits`.

        Args:
            waveforms: as `logits` takes them.
            own_speed: hear them once, as parts of a longer sound, though transcripts are found at several speeds.
        """
        return self._outputs(waveforms, own_speed=own_speed)["probs"]

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

    def _outputs(self, waveforms: Sequence[np.ndarray], *, own_speed: bool = False) -> dict[str, np.ndarray]:
        for number, waveform in enumerate(waveforms):
            if why := why_no_sound(waveform, math.inf if self.config.features.is_given else LOUDEST):
                raise UserError("sound-invalid", f"waveform {number}, counted from 0, {why}")
        several = None if own_speed else self._several_speeds
        outputs = (several or self.compiled)(waveforms)
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
    return Run.read(path)


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
