"""Voices that were trained here, judged by recognisers that have never heard them.

    python benchmarks/voice.py                        every voice
    python benchmarks/voice.py --parts grid-voice-0   one of them
    python benchmarks/voice.py --table                print what has been measured

`grid-voice` says the test's sentences, a tenth of GRID's, which it has never heard; beside it stand the recordings, and
what Griffin-Lim makes of their own energies. All three are heard by a transcriber that was trained on GRID's recordings
(`benchmarks/transcription.py`), greedily and with words and a trigram of its training texts, by Whisper tiny.en and by
DNSMOS (`benchmarks/_judges.py`). `digits-voice` says each
digit in each of six voices at five speeds, and `digits-best`, trained on the recordings alone, says which it hears; the
recordings beside it are those of FSDD's official test. `sentences-voice` says 200 sentences of its test, which it has
never heard; the recordings beside it are flite's own, and Whisper and PocketSphinx hear them. Nothing is chosen by any
of them. Results go to benchmarks/results/voice/. Runs stay in runs/voice/, and one that was killed is gone on with.
"""

import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from _judges import DNSMOS, SAMPLE_RATE, WHISPER, load_dnsmos, load_whisper
from _parts import RESULTS, by_way, is_right, markdown_table, measure_ways, print_tables, read_parts, recipe_in
from _pocketsphinx import NAME as POCKETSPHINX
from _pocketsphinx import make_decoder, recognise

from kerasr import audio
from kerasr.audio.features import log_mel
from kerasr.audio.inverse import griffin_lim
from kerasr.config.decoding import TRAINING, DecodingConfig
from kerasr.data.clips import read_clip
from kerasr.data.corpora.fsdd import DIGITS
from kerasr.data.manifest import Utterance
from kerasr.evaluation.decoder_tuning import tune_decoder
from kerasr.evaluation.voice import measure_voice
from kerasr.metrics.transcription import transcription_metrics
from kerasr.runs.run import Run
from kerasr.text import normalise
from kerasr.text.numbers import spell_numbers

GRID, FSDD, FLITE = "grid-voice", "digits-voice", "sentences-voice"
TRANSCRIBER, SEARCHING = "kerasr, grid", "kerasr, grid, words and trigram"
# Of a larger test, as many are said.
MOST = 200
Hear = Callable[[Sequence[np.ndarray]], list[str]]
RECORDINGS, INVERTED, VOICE = "the recordings", "Griffin-Lim of the recordings", "the voice"
# What benchmarks/vocoder.py puts beside them.
BY_VOCODER = "the voice by the vocoder"
# What benchmarks/export_voice.py compares.
THE_RUN, IN_FLOAT, IN_8_BITS = "the run", "LiteRT", "LiteRT, weights in 8 bits"
# At which each digit is said by each voice: one text sounds alike whenever a voice says it.
SPEEDS = (0.8, 0.9, 1.0, 1.1, 1.25)
# What voices are held against, by what `_targets` calls it.
TARGETS = {
    "right": (f"`{FSDD}`: digits heard right", "at least 97%"),
    "least": (f"`{FSDD}`: of the voice heard worst", "at least 92%"),
    "greedily": (f"`{GRID}`: WER, {TRANSCRIBER}", "at most 1%"),
    "searching": (f"`{GRID}`: WER, {SEARCHING}", "at most 1%"),
    "grid": (f"`{GRID}`: WER, {WHISPER}, the recordings' being 1", "at most 1.3"),
    "distortion": (f"`{GRID}`: mel-cepstral distortion", "below 6 dB"),
    "factor": (f"`{GRID}`: real-time factor", "below 0.05"),
    "vocoder": (f"`{GRID}` with a trained vocoder: {DNSMOS}, share of Griffin-Lim's gap closed", "at least half"),
    "vocoder factor": ("with a trained vocoder: real-time factor", "below 0.15"),
    "flite": (f"`{FLITE}`: WER, {WHISPER}, flite's being 1", "at most 1.2"),
    "taught": (f"digits by a recogniser that has heard `{FLITE}` alone", "at least 77.1%, as with espeak-ng"),
    "parameters": ("parameters, the most", "at most 5 M"),
    "size": ("file with weights in 8 bits, the largest", "at most 5 MB"),
    "lost": (f"WER, {WHISPER}, points lost in it, the most", "at most 1"),
    "minutes": ("processor minutes of training, the most", "at most 120"),
}
# What was measured before on the 32 recordings of LJSpeech at hand: word errors by Whisper tiny.en and base, DNSMOS.
PEERS = (
    ("the recordings", "7.8%", "7.8%", "3.28"),
    ("Griffin-Lim of their energies, 80 bands", "7.8%", "7.7%", "2.91"),
    ("[Piper](https://github.com/rhasspy/piper) joe-medium, 16 M parameters", "12.2%", "10.6%", "3.30"),
    ("[flite](http://cmuflite.org) slt", "11.5%", "9.1%", "2.60"),
    ("[espeak-ng](https://github.com/espeak-ng/espeak-ng)", "27.5%", "19.3%", "2.74"),
)
KEPT = ("distortion_db", "pitch_error_cents", "length_ratio", "real_time_factor", "parameters", "num_clips")


def main() -> None:
    print_tables(tables(measure_ways(__doc__, "voice", None, (GRID, FSDD, FLITE), 1, measure)))


def measure(way: str, seed: int, epochs: int | None) -> dict[str, Any]:
    """Train a voice, and have it judged."""
    run, minutes = recipe_in("voice", way, way, seed, epochs)
    found = {"way": way, "seed": seed, "processor_minutes": minutes, "split_rule": run.split_rule}
    return {**found, **(judge_digits(run, seed) if way == FSDD else judge_sentences(run, listeners(way)))}


def listeners(way: str) -> dict[str, Hear]:
    """Those who write down what a voice says, by their names: two, where they are installed."""
    found: dict[str, Hear] = {}
    if way == GRID:
        transcriber, _ = recipe_in("transcription", "grid", "grid")
        searching = DecodingConfig(lm=TRAINING, words=TRAINING)
        if not transcriber.facts.get("decoding"):
            tune_decoder(transcriber, searching)
        for name, decoding in {TRANSCRIBER: DecodingConfig(), SEARCHING: searching}.items():
            found[name] = partial(_transcribe, transcriber, decoding)
    elif importlib.util.find_spec("pocketsphinx"):
        found[POCKETSPHINX] = _hear_by_pocketsphinx
    whisper = load_whisper()
    return found | ({WHISPER: whisper} if whisper else {})


def _transcribe(run: Run, decoding: DecodingConfig, sounds: Sequence[np.ndarray]) -> list[str]:
    run.decode_with(decoding)
    return run.recognition.decide(run.probs(sounds)).tolist()


def _hear_by_pocketsphinx(sounds: Sequence[np.ndarray]) -> list[str]:
    decoder = make_decoder()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"

        def hear(sound: np.ndarray) -> str:
            audio.write(path, sound, SAMPLE_RATE)
            return recognise(decoder, str(path))

        return [hear(sound) for sound in sounds]


def judge_sentences(run: Run, listeners: dict[str, Hear]) -> dict[str, Any]:
    """A voice by the sentences of its test, beside the recordings and what Griffin-Lim makes of their energies."""
    items, spec = run.utterances("test")[:MOST], run.config.features
    metrics, _ = measure_voice(run, items)
    recorded = [read_clip(item.path, spec) for item in items]
    inverted = [np.asarray(griffin_lim(log_mel(one[None], spec), spec))[0] for one in recorded]
    voice_of = (lambda item: item.speaker) if len(run.facts["voices_learnt"]) > 1 else (lambda _: None)
    spoken = [run.synthesize(item.text or "", voice=voice_of(item)).waveform for item in items]
    sounds = {RECORDINGS: recorded, INVERTED: inverted, VOICE: spoken}
    return {**{name: metrics[name] for name in KEPT}, "judges": judge_sounds(sounds, items, listeners)}


def judge_sounds(
    sounds: dict[str, list[np.ndarray]], items: Sequence[Utterance], listeners: dict[str, Hear]
) -> dict[str, Any]:
    """What each judge says of each set of waveforms, one of each sentence."""
    truth, score, judged = [normalise(item.text or "") for item in items], load_dnsmos(), {}
    for name, waveforms in sounds.items():
        judged[name] = {judge: count_errors(hear(waveforms), truth) for judge, hear in listeners.items()}
        judged[name] |= {DNSMOS: score(waveforms)} if score else {}
    return judged


def count_errors(found: Sequence[str], truth: Sequence[str]) -> dict[str, Any]:
    """Word errors; who writes 9 has heard nine."""
    found = [normalise(spell_numbers(text, "en")) for text in found]
    metrics = transcription_metrics(found, truth, [None] * len(truth))
    return {name: metrics[name] for name in ("wer", "wer_interval", "cer", "num_words")}


def judge_digits(run: Run, seed: int) -> dict[str, Any]:
    """Six voices by the digits that a network of words hears."""
    judge, _ = recipe_in("voice", "digits-best", "digits_best", seed)
    metrics, _ = measure_voice(run, run.utterances("test"))
    rate, heard = judge.config.features.sample_rate, {}
    for voice in run.facts["voices_learnt"]:
        said = [(digit, next(run.synthesizer.say(digit, voice, speed))) for digit in DIGITS for speed in SPEEDS]
        sounds = [soxr.resample(speech.waveform, speech.sample_rate, rate) for _, speech in said]
        answers = [judge.labels[place] for place in judge.probs(sounds).argmax(1)]
        heard[voice] = float(np.mean([answer == digit for answer, (digit, _) in zip(answers, said, strict=True)]))
    return {**{name: metrics[name] for name in KEPT}, "voices": heard, "recordings": float(is_right(judge)[1].mean())}


def tables(folder: Path = RESULTS / "voice") -> dict[str, str]:
    """What the judges hear of voices of sentences and of what stands beside them; of each voice of the digits."""
    measured = by_way(folder, (GRID, FSDD, FLITE))
    made = {}
    for way, name, tested, judges in (
        (GRID, "grid", "GRID's test", (TRANSCRIBER, SEARCHING, WHISPER)),
        (FLITE, "flite", "read by flite", (POCKETSPHINX, WHISPER)),
    ):
        if way in measured:
            headings = (tested, *(f"WER, {judge}" for judge in judges), f"{DNSMOS}, overall")
            rows = [row_of(sound, judged, judges) for sound, judged in measured[way][0]["judges"].items()]
            made[name] = markdown_table(headings, rows)
    if FSDD in measured:
        result = measured[FSDD][0]
        cells = [f"{share:.1%}" for share in (*result["voices"].values(), np.mean([*result["voices"].values()]))]
        headings = ("digits that are heard right", *result["voices"], "mean", "the recordings")
        made["digits"] = markdown_table(headings, [("by digits-best", *cells, f"{result['recordings']:.1%}")])
    costs = ("voice", "parameters", "mel-cepstral distortion", "real-time factor", "processor minutes of training")
    if measured:
        made["costs"] = markdown_table(costs, [_costs(way, results[0]) for way, results in measured.items()])
    made["peers"] = markdown_table(("LJSpeech", f"WER, {WHISPER}", "WER, Whisper base", f"{DNSMOS}, overall"), PEERS)
    rows = _targets({way: results[0] for way, results in measured.items()})
    made["targets"] = markdown_table(("what", "target", "measured"), rows)
    return made


def _targets(measured: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    """What voices are held against, and what was measured; a dash where nothing was."""
    found = {}
    if FSDD in measured:
        found |= _shares(measured[FSDD])
    if GRID in measured:
        grid = measured[GRID]
        found |= {"greedily": _wer(grid, TRANSCRIBER), "searching": _wer(grid, SEARCHING), "grid": _times(grid)}
        found |= {"distortion": f"{grid['distortion_db']:.1f} dB", "factor": f"{grid['real_time_factor']:.3f}"}
    if FLITE in measured:
        found["flite"] = _times(measured[FLITE])
    if measured:
        found["parameters"] = f"{max(one['parameters'] for one in measured.values()):,}"
        found["minutes"] = f"{max(one['processor_minutes'] or 0 for one in measured.values()):.0f}"
    if files := [one["formats"] for one in read_parts(RESULTS / "export_voice")]:
        found |= {"size": _largest(files), "lost": _most_lost(files)}
    for part in read_parts(RESULTS / "vocoder", "vocoder-adversarial-0.json"):
        found |= {"vocoder": f"{_share_closed(part):.0%}", "vocoder factor": f"{part['real_time_factor']:.3f}"}
    for part in read_parts(RESULTS / "voices", "by-sentences-voice-30-epochs.json"):
        found["taught"] = f"{part['accuracy']:.1%}"
    return [(*row, found.get(name, "-")) for name, row in TARGETS.items()]


def _shares(result: dict[str, Any]) -> dict[str, str]:
    """Of the digits the share that is heard right, in all voices and in the worst."""
    shares = [*result["voices"].values()]
    return {"right": f"{np.mean(shares):.1%}", "least": f"{min(shares):.1%}"}


def _wer(result: dict[str, Any], judge: str) -> str:
    return f"{result['judges'][VOICE][judge]['wer']:.1%}"


def _times(result: dict[str, Any]) -> str:
    """Whisper's errors of a voice beside those of the recordings."""
    voice, recordings = (result["judges"][sound][WHISPER]["wer"] for sound in (VOICE, RECORDINGS))
    return f"{voice / recordings:.2f}"


def _share_closed(result: dict[str, Any]) -> float:
    """Of what a voice lacks by DNSMOS with Griffin-Lim, beside the recordings, the share that it has by a vocoder."""
    least, most, found = (result["judges"][sound][DNSMOS] for sound in (VOICE, RECORDINGS, BY_VOCODER))
    return (found - least) / (most - least)


def _largest(files: list[dict[str, Any]]) -> str:
    return f"{max(one[IN_8_BITS]['size'] for one in files) / 1e6:.1f} MB"


def _most_lost(files: list[dict[str, Any]]) -> str:
    """Points of word errors by Whisper that the weights in 8 bits add to the run's."""
    return f"{100 * max(one[IN_8_BITS]['wer'] - one[THE_RUN]['wer'] for one in files):+.1f}"


def figures(folder: Path = RESULTS / "voice") -> dict[str, str]:
    """Of the digits the share that is heard right, in all voices and in the worst; of sentences, Whisper's errors."""
    measured, found = by_way(folder, (FSDD, FLITE)), {}
    if FSDD in measured:
        found |= {f"{FSDD} {name}": share for name, share in _shares(measured[FSDD][0]).items()}
    if FLITE in measured:
        judged = measured[FLITE][0]["judges"]
        for name, sound in {"wer": VOICE, "wer of recordings": RECORDINGS}.items():
            found[f"{FLITE} {name}"] = f"{judged[sound][WHISPER]['wer']:.1%}"
    return found


def row_of(name: str, judged: dict[str, Any], judges: Sequence[str]) -> tuple[str, ...]:
    errors = [f"{judged[judge]['wer']:.1%}" if judge in judged else "" for judge in judges]
    return (name, *errors, f"{judged[DNSMOS]:.2f}" if DNSMOS in judged else "")


def _costs(way: str, result: dict[str, Any]) -> tuple[str, ...]:
    minutes = result["processor_minutes"]
    return (
        f"`{way}`",
        f"{result['parameters']:,}",
        f"{result['distortion_db']:.1f} dB",
        f"{result['real_time_factor']:.3f}",
        "" if minutes is None else f"{minutes:.0f}",
    )


if __name__ == "__main__":
    main()
