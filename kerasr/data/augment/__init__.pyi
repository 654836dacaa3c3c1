from .chain import augment_features as augment_features
from .chain import augment_waveform as augment_waveform
from .chain import changes_bands as changes_bands
from .chain import changes_waveform as changes_waveform
from .chain import feature_changes as feature_changes
from .chain import silence_targets as silence_targets
