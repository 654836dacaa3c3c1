"""Settings of the recordings: which, who speaks in them, how they are divided and drawn."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from kerasr.config.bounds import Number, NumberOrRun, Seed, check_bounds
from kerasr.core.first_help import ESSENTIAL
from kerasr.core.signatures import plain_signature


@plain_signature
@dataclass(frozen=True)
class DataConfig:
    """Recordings, or the voices that stand in for them, and which of them train, validate and test."""

    path: Annotated[str | None, tyro.conf.arg(name="data"), ESSENTIAL] = None
    """A folder with one sub-folder a word, a CSV or JSONL manifest, or fsdd, speech_commands:12, synthetic:yes,no."""
    words: Annotated[str | None, ESSENTIAL] = None
    """What synthetic voices say: yes,no; stop=[[st'0p]], by phonemes; stop=stop|halt, either."""
    language: str = "en"
    """The language of the synthetic voices, by its code; all its accents speak."""
    synthetic_voices: NumberOrRun = 0
    """Synthetic clips of each word (of --words, else of all): training clips beside recordings, or the corpus. By
    espeak-ng, so many; or by a run that is a voice: runs/RUN:100."""
    flite_clips: Number = 0
    """Further training clips of each word by flite (apt install flite): English voices that sound more like people.
    With --data flite:TEXTS, how many of the sentences it reads; all where 0."""
    split: Literal["auto", "official", "speaker", "file"] = "auto"
    """How recordings are divided; auto takes the corpus's official split (folders train, val, test are one too), else
    speakers, else a hash of the path."""
    leave_out: Annotated[str | None, ESSENTIAL] = None
    """Test on this speaker alone (or on these: a,b); the others train and validate."""
    validate_on: Literal["speaker", "clips"] = "speaker"
    """With --leave-out, validate on the next speaker, or on a tenth of the others' clips: then all of them train."""
    speaker_pattern: str | None = None
    """Who speaks, where names of files or folders say it in their own way: a regular expression, searched in each path
    beneath the folder, whose first group is the speaker; '^([^/]+)/' finds anna in anna/yes/1.wav, '^[^/]+/([^/]+)/' in
    yes/anna/1.wav, whose word then is yes."""
    split_seed: Seed = 0
    """Fixes which speakers or recordings are tested, apart from `seed`: trainings of several seeds have one test, and
    can be compared. It also draws the voices of a synthetic corpus, and the stream of `evaluate stream`."""
    connected: Number = 0
    """Connected words, for --task transcribe: join one speaker's recordings to random strings of 1 to so many, with
    pauses of 0.05 to 0.4 s; those to train on are drawn anew in each pass. 0 takes recordings as they are."""
    spell_numbers: str | None = None
    """Numbers in texts, for --task transcribe and synthesize: write them as they are said in this language (en, de, ...
    of num2words; extra `numbers`). Where not given they stay digits."""
    phonemes: str | None = None
    """For --task synthesize: learn how texts are said in this language (en-us, de, ... of espeak-ng; extra `voices`) in
    place of their letters."""
    sampling: Literal["natural", "balanced"] = "natural"
    """Which clips an epoch draws: each once, or as many of each word, rare ones again and again."""
    balance_groups: str | None = None
    """Group DRO: train for the group that does worst, by speaker, accent or another column of the manifest."""
    max_bad: Number = 10
    """Bad recordings that are listed and skipped; one more stops the run."""
    cache: bool = False
    """Keep decoded recordings (or features, where no augmentation needs the sound) in one file while training."""

    def __post_init__(self) -> None:
        check_bounds(self, names={"path": "data"})
