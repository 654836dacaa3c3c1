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
from _parts import RESULTS, RUNS, by_way, is_right, markdown_table, measure_ways, print_tables, train_in
from _pocketsphinx import NAME as POCKETSPHINX
from _pocketsphinx import make_decoder, recognise

import kerasr
from kerasr import audio
from kerasr.audio.features import log_mel
from kerasr.audio.inverse import griffin_lim
from kerasr.config.decoding import TRAINING, DecodingConfig
from kerasr.data.clips import read_clip
from kerasr.data.corpora.fsdd import DIGITS
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
# At which each digit is said by each voice: one text sounds alike whenever a voice says it.
SPEEDS = (0.8, 0.9, 1.0, 1.1, 1.25)
KEPT = ("distortion_db", "pitch_error_cents", "length_ratio", "real_time_factor", "parameters", "num_clips")


def main() -> None:
    print_tables(tables(measure_ways(__doc__, "voice", None, (GRID, FSDD, FLITE), 1, measure)))


def measure(way: str, seed: int, epochs: int | None) -> dict[str, Any]:
    """Train a voice, and have it judged."""
    config = kerasr.get_recipe(way)
    run, minutes = train_in(
        RUNS / "voice" / f"{way}-{seed}", config.replace(epochs=epochs or config.fit.epochs, seed=seed)
    )
    found = {"way": way, "seed": seed, "processor_minutes": minutes, "split_rule": run.split_rule}
    return {**found, **(judge_digits(run, seed) if way == FSDD else judge_sentences(run, listeners(way)))}


def listeners(way: str) -> dict[str, Hear]:
    """Those who write down what a voice says, by their names: two, where they are installed."""
    found: dict[str, Hear] = {}
    if way == GRID:
        config = kerasr.get_recipe("grid")
        transcriber, _ = train_in(RUNS / "transcription" / "grid-0", config.replace(epochs=config.fit.epochs, seed=0))
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
    truth, score = [normalise(item.text or "") for item in items], load_dnsmos()
    judged = {}
    for name, waveforms in {RECORDINGS: recorded, INVERTED: inverted, VOICE: spoken}.items():
        judged[name] = {judge: _errors(hear(waveforms), truth) for judge, hear in listeners.items()}
        judged[name] |= {DNSMOS: score(waveforms)} if score else {}
    return {**{name: metrics[name] for name in KEPT}, "judges": judged}


def _errors(found: Sequence[str], truth: Sequence[str]) -> dict[str, Any]:
    """Word errors; who writes 9 has heard nine."""
    found = [normalise(spell_numbers(text, "en")) for text in found]
    metrics = transcription_metrics(found, truth, [None] * len(truth))
    return {name: metrics[name] for name in ("wer", "wer_interval", "cer", "num_words")}


def judge_digits(run: Run, seed: int) -> dict[str, Any]:
    """Six voices by the digits that a network of words hears."""
    config = kerasr.get_recipe("digits_best")
    judge, _ = train_in(RUNS / "voice" / f"digits-best-{seed}", config.replace(epochs=config.fit.epochs, seed=seed))
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
            rows = [_row(sound, judged, judges) for sound, judged in measured[way][0]["judges"].items()]
            made[name] = markdown_table(headings, rows)
    if FSDD in measured:
        result = measured[FSDD][0]
        cells = [f"{share:.1%}" for share in (*result["voices"].values(), np.mean([*result["voices"].values()]))]
        headings = ("digits that are heard right", *result["voices"], "mean", "the recordings")
        made["digits"] = markdown_table(headings, [("by digits-best", *cells, f"{result['recordings']:.1%}")])
    costs = ("voice", "parameters", "mel-cepstral distortion", "real-time factor", "processor minutes of training")
    if measured:
        made["costs"] = markdown_table(costs, [_costs(way, results[0]) for way, results in measured.items()])
    return made


def figures(folder: Path = RESULTS / "voice") -> dict[str, str]:
    """Of the digits the share that is heard right, in all voices and in the worst; of sentences, Whisper's errors."""
    measured, found = by_way(folder, (FSDD, FLITE)), {}
    if FSDD in measured:
        shares = [*measured[FSDD][0]["voices"].values()]
        found |= {f"{FSDD} right": f"{np.mean(shares):.1%}", f"{FSDD} least": f"{min(shares):.1%}"}
    if FLITE in measured:
        judged = measured[FLITE][0]["judges"]
        for name, sound in {"wer": VOICE, "wer of recordings": RECORDINGS}.items():
            found[f"{FLITE} {name}"] = f"{judged[sound][WHISPER]['wer']:.1%}"
    return found


def _row(name: str, judged: dict[str, Any], judges: Sequence[str]) -> tuple[str, ...]:
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
