from .load import CORPORA as CORPORA
from .load import cache_folder as cache_folder
from .load import fetch_corpus as fetch_corpus
from .load import load_corpus as load_corpus
