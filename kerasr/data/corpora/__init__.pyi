from .download import cache_folder as cache_folder
from .load import CORPORA as CORPORA
from .load import fetch_corpus as fetch_corpus
from .load import load_corpus as load_corpus
from .load import register_corpus as register_corpus
