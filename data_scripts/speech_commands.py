"""Download Speech Commands version 0.02, verify it, and write its manifest.

105,829 clips of 35 words by 2,618 speakers, 16 kHz, CC BY 4.0, with the official split and six background noises. The
archive is 2.4 GB and takes about 3.8 GB more when unpacked; it is removed after that. What is there already is not
fetched again. Train on it with

    python -m kerasr.train commands                           # twelve words; finds the copy in the cache by itself
    python -m kerasr.train commands --data FOLDER:12          # a copy elsewhere
    python -m kerasr.train words --data FOLDER/manifest.csv   # what the manifest lists, after you edited it
"""

from _prepare import prepare_known

if __name__ == "__main__":
    prepare_known("speech_commands", __doc__)
