"""What waveform has these log-mel energies?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from kerasr.audio.inverse import InverseSTFT
from kerasr.config import FeatureSpec, FitConfig, TaskConfig
from kerasr.data.manifest import Corpus, Utterance
from kerasr.data.targets import Targets
from kerasr.models.registry import VOCODER
from kerasr.tasks.adversarial_loss import adversarial_loss
from kerasr.tasks.auxiliary_loss import AuxiliaryLoss
from kerasr.tasks.registry import register_task
from kerasr.tasks.speech import SpeechTask
from kerasr.tasks.speech_losses import MultiResolutionSpectrumLoss


@register_task
class Vocode(SpeechTask):
    """Waveforms of energies, learnt from recordings alone: neither texts nor labels are needed."""

    name = "vocode"
    from_waveforms = True
    kind = VOCODER

    @classmethod
    def labels_of(cls, corpus: Corpus, config: TaskConfig) -> tuple[str, ...]:
        """None: nothing is told apart."""
        del corpus, config
        return ()

    def build_network(self, build: Callable[..., keras.Model], spec: FeatureSpec, options: Mapping[str, Any]) -> Any:
        """From energies to spectra."""
        return build(spec.n_mels, spec.n_fft, **options)

    def find_network(self, model: Any) -> keras.Model | None:
        """All that is saved."""
        return model if isinstance(model, keras.Model) and len(model.outputs) == 1 else None

    def why_not_network(self, model: Any, network: keras.Model, spec: FeatureSpec) -> str | None:
        """Energies, or spectra, of another front-end."""
        sizes = network.input_shape[-1], network.output_shape[-1]
        if sizes != (spec.n_mels, spec.n_fft + 2):
            return f"these weights make {sizes[1]} numbers of {sizes[0]} energies, for another front-end"
        return None

    def learnt(self, outputs: Any, spec: FeatureSpec) -> Any:
        """The waveform of the spectra."""
        return InverseSTFT(spec, name="inverse_stft")(outputs)

    def encode(self, utterances: Sequence[Utterance]) -> Targets:
        """Nothing: the waveforms themselves are what is wanted."""
        return Targets.ragged([[0]] * len(utterances))

    def arrange(self, features: Any, targets: Any) -> tuple[Any, Any]:
        """Waveforms, and the same again."""
        return features, features["waveform"]

    def loss(self, config: FitConfig) -> keras.losses.Loss:
        """Of spectra at several resolutions."""
        return MultiResolutionSpectrumLoss()

    def auxiliary_loss(self, network: keras.Model, config: FitConfig) -> AuxiliaryLoss | None:
        """A discriminator's, where it is given a share of the loss."""
        return adversarial_loss(config) if config.adversarial_weight else None

    def check_utterances(self, utterances: Sequence[Utterance], source: str) -> None:
        """Any recordings will do."""

    def about(self) -> str:
        """What it makes."""
        return "make waveforms of energies"

    def summary(self, metrics: Mapping[str, Any]) -> list[str]:
        """How far it is from the recordings, beside Griffin-Lim."""
        return [f"{self.headline(metrics)} from {metrics['num_clips']:,} recordings; {_beside(metrics)}"]

    def rows(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """The same, and what it costs."""
        return {
            "from the recordings": f"{self.headline(metrics)} ({metrics['measured_on']}); {_beside(metrics)}",
            "real-time factor": f"{metrics['real_time_factor']:.3f} of a processor",
        }

    def tiles(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """Griffin-Lim's distortion, and what it costs."""
        tiles = {"Griffin-Lim": f"{metrics['griffin_lim_db']:.1f} dB"}
        return {**tiles, "real-time factor": f"{metrics['real_time_factor']:.3f}"}


def _beside(metrics: Mapping[str, Any]) -> str:
    return f"Griffin-Lim {metrics['griffin_lim_db']:.1f} dB"
