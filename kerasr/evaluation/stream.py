"""How well words are found in a stream: misses against false alarms an hour, and how late they are reported.

The stream is made of clips that the model has not learnt from, placed in noise at a known ratio, with pauses between
them. A report is right where it names the word that is being said, in time; every other report is a false alarm, and a
word without a right report is missed. The threshold is chosen on validation clips, and reported on test clips.
"""

import dataclasses
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasr import audio
from kerasr.config import ListenOptions
from kerasr.core import atomic
from kerasr.core.progress import ProgressBar, console, map_threaded
from kerasr.core.timing import format_seconds
from kerasr.data.clips import read_clip
from kerasr.data.manifest import Utterance
from kerasr.errors import UserError
from kerasr.evaluation.judgement import judge_stream
from kerasr.metrics.intervals import mean_interval
from kerasr.report import draw_detection
from kerasr.runs.folder import update_facts
from kerasr.runs.run import Run
from kerasr.streaming.listener import DetectionRule, Listener, StreamModel, stream_model_of
from kerasr.tasks.false_alarms import alarm_rate
from kerasr.tasks.words import word_task

SNRS_DB = (20.0, 10.0, 0.0)
FALSE_ALARMS_PER_HOUR = 10.0

# Seconds of noise alone between two clips, drawn between these.
PAUSE_SECONDS = (1.5, 3.0)
# The noise's level, as a share of full scale: -40 dB.
NOISE_LEVEL = 0.01
# Loudness of a clip is taken where it sounds: in frames of this many seconds, within so many dB of its loudest.
FRAME_SECONDS, RANGE_DB = 0.02, 20.0
THRESHOLDS = np.round(np.linspace(0.3, 0.99, 70), 4)
CHUNK_SECONDS = 1.0
# Chunks whose time tells how long all take, after those in which the first window fills and the model is compiled.
TIMED_CHUNKS = 4


@dataclass(frozen=True)
class Scene:
    """A stream and what is said in it.

    Attributes:
        waveform: float32 `(samples,)`.
        words: start and end in seconds, and the word; None for a clip of something else.
        speakers: who speaks in each of `words`; None where that is not known.
    """

    waveform: np.ndarray
    words: tuple[tuple[float, float, str | None], ...]
    speakers: tuple[str | None, ...]


# The end and the smoothed answer of each window of a stream, of `Listener.answer`; and the stream.
SceneAnswers = tuple[list[tuple[float, np.ndarray]], Scene]


def make_scene(
    clips: Sequence[np.ndarray],
    words: Sequence[str | None],
    sample_rate: int,
    *,
    snr_db: float,
    speakers: Sequence[str | None] | None = None,
    noise: np.ndarray | None = None,
    seed: int = 0,
) -> Scene:
    """Clips in a drawn order in noise, each made as much louder than it as `snr_db` says.

    Args:
        clips: waveforms `(samples,)`.
        words: what each says; None where it is nothing to report.
        sample_rate: in Hz.
        snr_db: power of a clip where it sounds over that of the noise, in dB.
        speakers: who speaks in each clip, where that is known.
        noise: a recording to repeat; made between white and pink where None.
        seed: draws order, pauses and noise.
    """
    draw = np.random.default_rng(seed)
    pieces, said, position = [], [], 0
    order = draw.permutation(len(clips))
    for number in order:
        pause = round(draw.uniform(*PAUSE_SECONDS) * sample_rate)
        clip = clips[number] * NOISE_LEVEL * 10 ** (snr_db / 20) / max(_loudness(clips[number], sample_rate), 1e-6)
        start, end = position + pause, position + pause + len(clip)
        pieces += [np.zeros(pause, np.float32), clip]
        said.append((start / sample_rate, end / sample_rate, words[number]))
        position = end
    speech = np.concatenate([*pieces, np.zeros(round(PAUSE_SECONDS[1] * sample_rate), np.float32)])
    sound = _noise(len(speech), draw) if noise is None else np.resize(noise, len(speech))
    sound = sound * NOISE_LEVEL / max(np.sqrt(np.mean(sound**2)), 1e-9)
    who = tuple(speakers[number] if speakers else None for number in order)
    return Scene((speech + sound).astype("float32"), tuple(said), who)


def _loudness(clip: np.ndarray, sample_rate: int) -> float:
    """Root mean square of the frames within `RANGE_DB` of the loudest."""
    size = round(FRAME_SECONDS * sample_rate)
    frames = clip[: max(1, len(clip) // size) * size]
    power = (np.resize(frames, (max(1, len(frames) // size), size)) ** 2).mean(1)
    return float(np.sqrt(power[power >= power.max() * 10 ** (-RANGE_DB / 10)].mean()))


def _noise(size: int, draw: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with the square root of the frequency."""
    spectrum = np.fft.rfft(draw.standard_normal(size))
    return np.fft.irfft(spectrum * np.arange(1, len(spectrum) + 1) ** -0.25, size)


def score(
    answers: Sequence[tuple[float, np.ndarray]],
    scene: Scene,
    stream_model: StreamModel,
    threshold: float,
    refractory_seconds: float,
) -> dict[str, Any]:
    """Misses, false alarms and delays at a threshold.

    Args:
        answers: end and smoothed answer of each window, of `Listener.answer`.
        scene: what is said.
        stream_model: the model.
        threshold: least mean probability.
        refractory_seconds: silence after a report.

    Returns:
        `threshold`, `num_words`, `num_missed`, `miss_rate`, what `alarm_rate` says, and `delay`
        (median seconds from a word's end to its report; None without any).
    """
    delays, num_alarms = match_reports(answers, scene, stream_model, threshold, refractory_seconds)
    found = [delay for delay in delays if delay is not None]
    num_missed = len(delays) - len(found)
    return {
        "threshold": float(threshold),
        "num_words": len(delays),
        "num_missed": num_missed,
        "miss_rate": num_missed / len(delays),
        **alarm_rate(num_alarms, len(scene.waveform) / stream_model.sample_rate / 3600),
        "delay": float(np.median(found)) if found else None,
    }


def match_reports(
    answers: Sequence[tuple[float, np.ndarray]],
    scene: Scene,
    stream_model: StreamModel,
    threshold: float,
    refractory_seconds: float,
) -> tuple[list[float | None], int]:
    """Which words of a scene are reported; takes what `score` takes.

    Returns:
        For each word to report that is said, seconds from its end to its report, None where it is missed; and the
        number of false alarms.
    """
    rule = DetectionRule(stream_model.labels, stream_model.words, threshold, refractory_seconds)
    answers_of_scene = [found for seconds, mean in answers if (found := rule.decide(seconds, mean))]
    # A report counts for a word while its window still holds some of it.
    late = stream_model.window / stream_model.sample_rate
    said = [item for item in scene.words if item[2] is not None]
    delays: list[float | None] = [None] * len(said)
    for report in answers_of_scene:
        for place, (start, end, word) in enumerate(said):
            if delays[place] is None and start < report.seconds <= end + late and word == report.word:
                delays[place] = report.seconds - end
                break
    return delays, len(answers_of_scene) - sum(delay is not None for delay in delays)


def evaluate_stream(
    run: Run,
    *,
    snrs_db: Sequence[float] = SNRS_DB,
    false_alarms_per_hour: float = FALSE_ALARMS_PER_HOUR,
    carry_state: bool = False,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Choose a run's threshold for streams on its validation clips, and measure it on its test clips.

    Writes `stream.json` and `detection.png`, and the threshold into the run's facts, from which `kerasr.listen` and
    `kerasr.export` take it.

    Args:
        run: a finished run.
        snrs_db: speech over noise, in dB; a stream for each.
        false_alarms_per_hour: most of them, over all validation streams, at the threshold to choose.
        carry_state: listen with the network's state carried on, as of `kerasr.streaming.listener.open_stream_model`.
        folder: where to write; the run's `evaluations/stream` where None.

    Returns:
        What `stream.json` holds.

    Raises:
        UserError: it is a preset, has no validation clips, cannot listen so, or no threshold keeps the rate.
    """
    if run.is_preset:
        raise UserError(
            "split-not-found", f"{run.path.name}: a preset brings no validation clips to choose a threshold on"
        )
    stream_model, options = stream_model_of(run, carry_state=carry_state), ListenOptions()
    scenes = {split: _scenes(run, stream_model, split, snrs_db) for split in ("validation", "test")}
    answers_of_scene, curves = {}, {}
    with _progress([scene for part in scenes.values() for scene in part], stream_model, options) as progress:
        for split, part in scenes.items():
            answers_of_scene[split] = [_listen(scene, stream_model, options, progress) for scene in part]
            curves[split] = [
                _curve(one, stream_model, options, snr_db)
                for one, snr_db in zip(answers_of_scene[split], snrs_db, strict=True)
            ]
    threshold = alarm_threshold(curves["validation"], false_alarms_per_hour)
    place = int(np.argmin(np.abs(THRESHOLDS - threshold)))
    result = {
        "threshold": threshold,
        "false_alarms_per_hour_wanted": false_alarms_per_hour,
        "test": [
            {"snr_db": curve["snr_db"], **curve["rows"][place], **_miss_interval(one, stream_model, options, threshold)}
            for one, curve in zip(answers_of_scene["test"], curves["test"], strict=True)
        ],
        "curves": curves,
    }
    result["judgements"] = [
        dataclasses.asdict(judgement) for judgement in judge_stream(result, _clips_right(run, stream_model))
    ]
    folder = folder or run.evaluation_folder("stream")
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(folder / "stream.json", (json.dumps(result, indent=1) + "\n").encode())
    atomic.write_bytes(folder / "detection.png", draw_detection(result).png())
    kept = ("threshold", "false_alarms_per_hour_wanted", "test", "judgements")
    update_facts(run, stream={key: result[key] for key in kept})
    return result


def _clips_right(run: Run, stream_model: StreamModel) -> float:
    """Share of the reported words' single clips that the run recognises, by its last evaluation; 0 before one."""
    words = [word for word in (run.metrics or {"words": []})["words"] if word["word"] in stream_model.words]
    said = sum(word["num_clips"] for word in words)
    return sum(word["num_clips"] * (word["recall"] or 0.0) for word in words) / max(said, 1)


def _scenes(run: Run, stream_model: StreamModel, split: str, snrs_db: Sequence[float]) -> list[Scene]:
    """A split's recordings placed in noise, a stream for each ratio."""
    items = [item for item in run.utterances(split) if item.label]
    if not any(_word(run, stream_model, item) for item in items):
        raise UserError(
            "split-not-found", f"{run.path}: its {split} split has no recording of a word to place in a stream"
        )
    paths = [item.path for item in items]
    clips = list(map_threaded(lambda path: read_clip(path, run.config.features), paths, f"Reading {split} recordings"))
    noise = run.facts["corpus"]["noise"]
    recorded = audio.read(noise[split == "test" and len(noise) > 1], stream_model.sample_rate)[0] if noise else None
    words = [_word(run, stream_model, item) for item in items]
    speakers = [item.speaker for item in items]
    seed = run.config.data.split_seed
    return [
        make_scene(clips, words, stream_model.sample_rate, snr_db=snr_db, speakers=speakers, noise=recorded, seed=seed)
        for snr_db in snrs_db
    ]


def _progress(scenes: Sequence[Scene], stream_model: StreamModel, options: ListenOptions) -> ProgressBar:
    """A bar over the chunks of all streams; how long they take is said beforehand."""
    num_chunks = sum(len(_chunks(scene, stream_model)) for scene in scenes)
    listener = Listener(stream_model, options)
    num_first = 1 + math.ceil(stream_model.window / stream_model.sample_rate / CHUNK_SECONDS)
    chunks = _chunks(scenes[0], stream_model)
    timed = chunks[num_first : num_first + TIMED_CHUNKS]
    for chunk in chunks[:num_first]:
        list(listener.answer(chunk))
    start = time.perf_counter()
    for chunk in timed:
        list(listener.answer(chunk))
    seconds = (time.perf_counter() - start) / max(len(timed), 1) * num_chunks
    sound = format_seconds(num_chunks * CHUNK_SECONDS)
    console().print(f"{len(scenes)} streams, {sound} of sound in all: about {format_seconds(seconds)}")
    return ProgressBar(f"Running on {len(scenes)} streams", num_chunks)


def _chunks(scene: Scene, stream_model: StreamModel) -> list[np.ndarray]:
    """The stream as it comes from a microphone."""
    size = round(CHUNK_SECONDS * stream_model.sample_rate)
    return [scene.waveform[start : start + size] for start in range(0, len(scene.waveform), size)]


def _listen(scene: Scene, stream_model: StreamModel, options: ListenOptions, progress: ProgressBar) -> SceneAnswers:
    """Run the model on a stream."""
    listener, answers = Listener(stream_model, options), []
    for chunk in _chunks(scene, stream_model):
        answers += listener.answer(chunk)
        progress.advance(1)
    return answers, scene


def _curve(
    answers_of_scene: SceneAnswers, stream_model: StreamModel, options: ListenOptions, snr_db: float
) -> dict[str, Any]:
    """The scores at all thresholds of one stream."""
    rows = [score(*answers_of_scene, stream_model, threshold, options.refractory_seconds) for threshold in THRESHOLDS]
    return {"snr_db": snr_db, "hours": rows[0]["hours"], "rows": rows}


def _miss_interval(
    answers_of_scene: SceneAnswers, stream_model: StreamModel, options: ListenOptions, threshold: float
) -> dict[str, Any]:
    """The 95% interval of the share of words that are missed, over their speakers."""
    _, scene = answers_of_scene
    delays, _ = match_reports(*answers_of_scene, stream_model, threshold, options.refractory_seconds)
    speakers = [who for (_, _, word), who in zip(scene.words, scene.speakers, strict=True) if word is not None]
    interval, method = mean_interval(np.array([delay is None for delay in delays]), speakers)
    return {"miss_interval": interval, "miss_interval_method": method}


def _word(run: Run, stream_model: StreamModel, item: Utterance) -> str | None:
    """What a recording should be reported as; None for what is no word, or not the detector's."""
    label = run.labels[int(word_task(run.task, "evaluate stream").label_index([item.label or ""])[0])]
    return label if label in stream_model.words else None


def alarm_threshold(curves: Sequence[dict[str, Any]], false_alarms_per_hour: float) -> float:
    """The lowest threshold from which on all streams together keep the rate of false alarms."""
    hours = sum(curve["hours"] for curve in curves)
    rates = [sum(curve["rows"][place]["false_alarms"] for curve in curves) / hours for place in range(len(THRESHOLDS))]
    kept = np.array(rates) <= false_alarms_per_hour
    if not kept[-1]:
        raise UserError(
            "threshold-not-found",
            f"even at a threshold of {THRESHOLDS[-1]:g} there are {rates[-1]:.0f} false alarms an hour, and "
            f"{false_alarms_per_hour:g} are wanted: train with --augment.silence 0.3 --augment.noise 0.8, "
            "or raise --false-alarms-per-hour",
        )
    # Above the last threshold that does not keep it.
    return float(THRESHOLDS[len(kept) - int(np.argmin(kept[::-1])) if not kept.all() else 0])
