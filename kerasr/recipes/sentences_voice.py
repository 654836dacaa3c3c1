"""Three voices that say any English sentence, learnt from a program's: nobody's own."""

from kerasr.config import TrainConfig
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.speech import speech


@register_recipe
def sentences_voice(model: str | None = None) -> TrainConfig:
    """Voices for any English sentence, by flite reading LJSpeech's texts (apt install flite).

    8,000 of its 13,100 sentences, by three voices in turn, and some of their words alone; a twentieth of the sentences
    is kept for the test. --data flite:my_texts.txt has other texts read, a sentence a line.
    """
    config = speech(model)
    # So that the preset of this recipe is small enough to come with the package.
    narrower = {"channels": 80} if config.model.name == "SpeedySpeech" else {}
    return config.derive(
        data="flite:ljspeech",
        flite_clips=8000,
        # The texts have none, and what is said later may.
        spell_numbers="en",
        epochs=7,
        model_options={**config.model.options, **narrower},
    )
