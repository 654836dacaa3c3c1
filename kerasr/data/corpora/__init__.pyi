from .load import CORPORA as CORPORA
from .load import fetch_corpus as fetch_corpus
from .load import load_corpus as load_corpus
from .load import register_corpus as register_corpus
from .user_cache import cache_folder as cache_folder
from .user_cache import made_folder as made_folder
from .user_cache import mark_used as mark_used
