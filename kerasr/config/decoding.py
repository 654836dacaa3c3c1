"""Settings of the search for a transcript: a language model, a list of words, and how wide it is."""

from dataclasses import dataclass

from kerasr.config.bounds import NotNegative, Number, Speeds, check_bounds
from kerasr.core.signatures import plain_signature

# In a file's place: what the run's own training texts make.
TRAINING = "training"


@plain_signature
@dataclass(frozen=True)
class DecodingConfig:
    """How a transcript is found: greedily, or by beam search where one of the first four is given."""

    lm: str | None = None
    """A language model: an ARPA file, gzipped or not, or `training` for a trigram of the run's training texts."""
    words: str | None = None
    """The only words that there are: a text file with them, or `training` for those of the run's training texts."""
    hot_words: str | None = None
    """Words of your own that are likelier than the network thinks, with commas between them: kerasr,Anna. They are
    added to --words."""
    beam: Number = 0
    """Beginnings of a text that are kept after each frame; where 0, 32 with any of those above, else greedy."""
    lm_weight: float | None = None
    """Factor on the language model's logarithms. Where not given, what `evaluate --tune-lm` has chosen, else 1."""
    word_bonus: float | None = None
    """What each word adds, in natural logarithms. Where not given, what `evaluate --tune-lm` has chosen, else 1."""
    hot_word_bonus: NotNegative = 5.0
    """What each of the hot words adds, in natural logarithms."""

    tta_speeds: Speeds = (1.0,)
    """Test-time augmentation, as 0.9 1 1.12: hear each recording at these speeds, and take the transcript that is
    likeliest at all of them. Each costs a pass of the network. Not for what is read in windows, or as it comes."""

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest path is taken as it is, at whatever speed."""
        return self.lm is None and self.words is None and self.hot_words is None and not self.beam
