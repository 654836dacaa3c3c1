"""Words that nobody has recorded, spoken by espeak-ng: the default wherever `--words` is given without `--data`."""

import json
from dataclasses import replace
from pathlib import Path

from kerasr.config import TrainConfig
from kerasr.data.corpora.flite import is_english
from kerasr.models.registry import model_facts
from kerasr.recipes.digits_best import AUGMENT as FOR_UNSEEN_SPEAKERS
from kerasr.recipes.optimizer import MUON
from kerasr.recipes.registry import register_recipe

# A synthetic voice is clean and cut close: what it lacks is the silence around a word, noise in it, other levels.
AUGMENT = replace(
    FOR_UNSEEN_SPEAKERS,
    time_shift=0.1,
    silence=0.3,
    gain_db=24.0,
    noise=1.0,
    noise_snr_db=(0.0, 30.0),
)

# Of each word in flite's voices, where they speak beside espeak-ng's.
FLITE_CLIPS = 300
# The share of people's recordings that models of synthetic voices get right, without flite's and with them:
# `python benchmarks/voices.py` writes it.
SCORES = Path(__file__).with_name("scores_people.json")


@register_recipe
def voices(model: str | None = None) -> TrainConfig:
    """Words that nobody has recorded, in synthetic voices: --words "lights on,stop" --language en-gb.

    400 clips of each word in a hundred voices and all accents of the language, 16 kHz. Clips are as long as the longest
    phrase takes, one second at least. The test speaks with voices that training has not met, yet they are synthetic:
    people are understood less well, and the command says what is known of that. For English, --flite-clips 300 adds the
    few voices of another program, which sound more like people and help much.

    `python benchmarks/voices.py --parts all and-flite --epochs 30` measures it on people's recordings.
    """
    name = model or "ResNet8"
    return TrainConfig().derive(
        synthetic_voices=400,
        model=name,
        model_options=dict(model_facts(name).options),
        tta_speeds=(0.8, 1.0, 1.25),
        augment=AUGMENT,
        optimizer=MUON,
        epochs=None,
        batch_size=32,
        label_smoothing=0.1,
        # Which epoch does best on synthetic voices says little of people.
        keep="last",
    )


def expect_of_people(config: TrainConfig) -> str:
    """What a model trained on synthetic voices only does with real ones, and what helps, in a few sentences."""
    scores = json.loads(SCORES.read_text(encoding="utf-8"))
    accuracy = scores["with_flite" if config.data.flite_clips else "without"]
    advice = f"--flite-clips {FLITE_CLIPS} made it {scores['with_flite']:.0%} (the program flite, English); "
    if config.data.flite_clips or not is_english(config.data.language):
        advice = ""
    return (
        "These voices are synthetic. How people fare: a model of the ten English digits that was trained this way got "
        f"{accuracy:.0%} of real recordings (FSDD, 8 kHz); {advice}some recordings of your own beside the voices help "
        "most (--data with --synthetic-voices)."
    )
