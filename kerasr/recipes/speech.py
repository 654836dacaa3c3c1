"""Speech of texts, from one's own recordings beside theirs: the default of `--task synthesize`."""

from kerasr.config import FeatureSpec, TaskConfig, TrainConfig
from kerasr.models.registry import model_facts
from kerasr.recipes.optimizer import MUON
from kerasr.recipes.registry import register_recipe

# Windows of 50 ms every 12.5 ms, as Tacotron's: a low voice's harmonics are told apart.
FEATURES = FeatureSpec(
    sample_rate=16000, n_fft=1024, win_length=800, hop_length=200, n_mels=80, fmin=0.0, clip_seconds=None
)


@register_recipe
def speech(model: str | None = None) -> TrainConfig:
    """A voice of your own recordings, each beside its text (--task synthesize).

    Where each character sounds is found on the recordings themselves; then energies and durations are learnt. A voice
    belongs to who has it: make one with that person's consent.
    """
    name = model or "SpeedySpeech"
    # A text is said in many ways. The validation's energies are nearest early, to a blurred mean of these; transcribers
    # understand what the last epoch says better (GRID's validation).
    return TrainConfig().derive(
        task=TaskConfig("synthesize"),
        model=name,
        model_options=dict(model_facts(name).options),
        features=FEATURES,
        optimizer=MUON,
        epochs=60,
        keep="last",
        batch_size=16,
        batch_seconds=64.0,
    )
