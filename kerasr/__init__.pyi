from . import models as models
from .config import Augmentation as Augmentation
from .config import FeatureSpec as FeatureSpec
from .config import OptimizerConfig as OptimizerConfig
from .config import TrainConfig as TrainConfig
from .data import Corpus as Corpus
from .data import Utterance as Utterance
from .data import load_corpus as load_corpus
from .data import make_datasets as make_datasets
from .data import split_corpus as split_corpus
from .errors import UserError as UserError
from .features import Features as Features
from .recipes import get_recipe as get_recipe
from .recipes import list_recipes as list_recipes
from .registry import ModelFacts as ModelFacts
from .registry import builder as builder
from .registry import list_models as list_models
from .registry import model_facts as model_facts
from .registry import register_model as register_model
from .report import evaluate_run as evaluate_run
from .run_directory import Run as Run
from .run_directory import list_runs as list_runs
from .run_directory import load_run as load_run
from .training import resume_run as resume_run
from .training import train_recipe as train_recipe

__version__: str
