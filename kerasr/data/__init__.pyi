from .corpora.download import CorpusUnavailable as CorpusUnavailable
from .corpora.load import load_corpus as load_corpus
from .manifest import Corpus as Corpus
from .manifest import Utterance as Utterance
from .manifest import fingerprint as fingerprint
from .manifest import read_manifest as read_manifest
from .manifest import write_manifest as write_manifest
from .splits import split_corpus as split_corpus
