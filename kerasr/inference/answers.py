"""Answers to the recordings that a model is given: short ones in a batch, long ones in windows."""

from collections.abc import Iterator, Sequence

from kerasr.core.progress import ProgressBar
from kerasr.errors import UserError
from kerasr.inference.recordings import Clip
from kerasr.inference.transcriber import Transcriber, Transcribing
from kerasr.tasks import Answer

# Seconds of a long recording that are read at a time.
BLOCK_SECONDS = 30.0


def answer_clips(
    run: Transcribing, clips: Sequence[Clip | Exception], threshold: float
) -> Iterator[Answer | Exception]:
    """The answer to each clip, in order; in place of one, why there is none.

    Args:
        run: the model's.
        clips: as `kerasr.inference.recordings.make_clip` gives them, or why there is none.
        threshold: least probability of what is answered.
    """
    batch = [clip.waveform for clip in clips if isinstance(clip, Clip) and not clip.in_windows]
    probs = iter(run.probs([waveform for waveform in batch if waveform is not None]) if batch else ())
    for clip in clips:
        if isinstance(clip, Exception):
            yield clip
        elif clip.in_windows:
            yield _answer_in_windows(run, clip)
        else:
            yield _place(run.recognition.decode(next(probs), threshold), clip)


def _answer_in_windows(run: Transcribing, clip: Clip) -> Answer | Exception:
    """The answer to a long recording, of which a part may turn out not to be readable."""
    transcriber, answers = Transcriber(run), []
    try:
        with ProgressBar(f"Reading {clip.path or 'a waveform'}", clip.seconds) as progress:
            for block in clip.blocks(transcriber.sample_rate, BLOCK_SECONDS):
                answers += transcriber.process(block)
                progress.advance(len(block) / transcriber.sample_rate)
    except (UserError, OSError) as error:
        return error
    return _place(transcriber.join([*answers, *transcriber.finish()]), clip)


def _place(answer: Answer, clip: Clip) -> Answer:
    return answer.placed(path=clip.path, seconds=clip.seconds, start=clip.start, end=clip.end)
