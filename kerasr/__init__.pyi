from .config import Augmentation as Augmentation
from .config import FeatureSpec as FeatureSpec
from .config import OptimizerConfig as OptimizerConfig
from .config import TrainConfig as TrainConfig
from .errors import UserError as UserError
from .features import Features as Features
from .registry import ModelFacts as ModelFacts
from .registry import builder as builder
from .registry import list_models as list_models
from .registry import model_facts as model_facts
from .registry import register_model as register_model

__version__: str
