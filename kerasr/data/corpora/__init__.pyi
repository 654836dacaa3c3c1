from .download import CorpusUnavailable as CorpusUnavailable
from .load import CORPORA as CORPORA
from .load import load_corpus as load_corpus
