"""A pretrained model as a whole transcriber: recordings in, text out, without a run and without training."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kerasr.config import DecodingConfig, FeatureSpec, TaskConfig
from kerasr.config.transfer import HUB
from kerasr.core.progress import ProgressBar
from kerasr.errors import UserError
from kerasr.inference.recordings import Clip, Source, find_recordings, make_clip
from kerasr.metrics.judgement import Judgement
from kerasr.models.hub import Pretrained, read_pretrained
from kerasr.pretrained.decoder import Decoder
from kerasr.pretrained.generation import Generated, generate
from kerasr.pretrained.moonshine import MoonshineDecoder
from kerasr.pretrained.whisper import WhisperDecoder
from kerasr.tasks.transcribe import Transcribe, Transcript

# A recording that is longer than the model reads at once is cut where it is quietest: over so many seconds, in the last
# part of each window.
QUIET_SECONDS, LAST_PART = 0.1, 1 / 6

DECODERS: dict[str, type[Decoder]] = {"Whisper": WhisperDecoder, "Moonshine": MoonshineDecoder}


class Dictation(Transcribe):
    """How transcripts of tokens that have no times are told.

    Recordings of any length are measured: what is longer than the model reads at once is cut.
    """

    has_words = False
    longest = math.inf

    def __init__(self, name: str):
        super().__init__((), TaskConfig(Transcribe.name))
        self._name = name

    def about(self) -> str:
        """That there are no times."""
        return f"write down what is said by {self._name}, which tells no times"

    def judge(self, metrics: Mapping[str, Any]) -> list[Judgement]:
        """Does it say more right than wrong?"""
        if metrics["wer"] < 1:
            return []
        text = f"It makes as many errors as there are words ({metrics['wer']:.1%}), as saying nothing does."
        return [Judgement("worse_than_constant", f"{text} Is this its language, and its way to write numbers?")]


class PretrainedTranscriber:
    """A pretrained model that transcribes.

        whisper = kerasr.pretrained.transcriber.load_transcriber("hub:whisper_tiny_en")
        whisper.predict("talk.wav").text

    Attributes:
        name: with `hub:` before it.
        short_name: the last part of the name, or of the folder's.
        family: `Whisper` or `Moonshine`.
        task: how answers are told, and measured.
        beam: texts that generation keeps; 1 is greedy.
    """

    def __init__(self, model: Pretrained):
        self.name, self.family = model.name, model.family
        self.short_name = os.path.basename(os.path.abspath(model.name.removeprefix(HUB)))
        self.task = Dictation(model.name)
        self.beam = 1
        self._decoder = DECODERS[model.family](model)
        # Of the front-end's settings only the rate plays a part: the model has a front-end of its own.
        self._spec = FeatureSpec(sample_rate=self._decoder.sample_rate, clip_seconds=None)

    @property
    def recognition(self) -> Dictation:
        """The task, as a run of kerasr's names it."""
        return self.task

    def decode_with(self, options: DecodingConfig) -> None:
        """Keep as many texts from now on as `options.beam` says; one where that is 0.

        Raises:
            UserError: there is a language model or words: the model has its own.
        """
        if replace(options, beam=0) != DecodingConfig():
            raise UserError("task-unsupported", f"{self.name} has a language of its own: it takes --beam alone")
        self.beam = options.beam or 1
        self.task.decoding = {"beam": options.beam} if options.beam > 1 else {}

    @property
    def sample_rate(self) -> int:
        """Of the waveforms that it takes, in Hz."""
        return self._decoder.sample_rate

    @property
    def num_parameters(self) -> int:
        """Of its encoder and its decoder."""
        return self._decoder.backbone.count_params()

    def predict(self, recording: Source) -> Transcript:
        """The transcript of a file of any format and rate, its address, or a waveform `(samples,)` at the model's rate.

        Raises:
            UserError: it cannot be read or is no sound.
        """
        return self._answer(make_clip(recording, self._spec, windows=True))

    def predict_each(
        self, recordings: Iterable[Source], *, threshold: float | None = None
    ) -> Iterator[Transcript | Exception]:
        """Transcripts of many recordings, in order, as they are found; in place of one, why there is none.

        Args:
            recordings: files, waveforms, folders and patterns.
            threshold: as `Run.predict_each` has it; it plays no part in transcripts.
        """
        sources = list(find_recordings(recordings))
        # (Reading is nothing beside generation: no thread reads ahead.)
        with ProgressBar("Transcribing", len(sources)) as progress:
            for source in sources:
                yield source if isinstance(source, Exception) else self._try(source)
                progress.advance(1)

    def _try(self, source: Source) -> Transcript | Exception:
        try:
            return self.predict(source)
        except (UserError, OSError) as error:
            return error

    def _answer(self, clip: Clip) -> Transcript:
        rate, most = self._decoder.sample_rate, round(self._decoder.max_seconds * self._decoder.sample_rate)
        parts = cut_windows(clip.blocks(rate, self._decoder.max_seconds), most, rate)
        found = [generate(self._decoder, part, beam=self.beam) for part in parts]
        text = " ".join(filter(None, (self._decoder.text(list(part.token_ids)) for part in found)))
        return Transcript(text=text, confidence=_confidence(found)).placed(
            path=clip.path, seconds=clip.seconds, start=clip.start, end=clip.end
        )


def load_transcriber(name: str | os.PathLike[str]) -> PretrainedTranscriber:
    """The pretrained model of a name.

    Args:
        name: `hub:` and a name that keras-hub knows, or a folder that `save_to_preset` has written.

    Raises:
        UserError: there is none, it cannot be fetched, it is no Whisper and no Moonshine, or keras-hub is not there.
    """
    return PretrainedTranscriber(read_pretrained(os.fspath(name)))


def cut_windows(blocks: Iterable[np.ndarray], most: int, rate: int) -> Iterator[np.ndarray]:
    """A waveform that comes in blocks `(samples,)`, in parts of at most so many samples.

    Each is cut where it is quietest near its end.
    """
    size, first = max(round(QUIET_SECONDS * rate), 1), round(most * (1 - LAST_PART))
    waveform = np.zeros(0, np.float32)
    for block in blocks:
        waveform = np.concatenate([waveform, block])
        while len(waveform) > most:
            power = np.concatenate([[0.0], np.cumsum(np.square(waveform[first:most], dtype=np.float64))])
            end = first + int(np.argmin(power[size:] - power[:-size])) + size // 2
            yield waveform[:end]
            waveform = waveform[end:]
    yield waveform


def _confidence(found: Sequence[Generated]) -> float:
    """The geometric mean of the tokens' probabilities, each text's end among them."""
    total: Any = sum(part.log_prob for part in found)
    return float(np.exp(total / max(sum(part.num_steps for part in found), 1)))
