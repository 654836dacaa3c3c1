"""Download the Free Spoken Digit Dataset, verify it, and write its manifest.

3,000 recordings of the digits zero to nine by six speakers, 8 kHz, 22 minutes, CC BY-SA 4.0. Each recording is compared
with its SHA-256. What is there already is not fetched again. Train on it with

    python -m kerasr.train digits                      # finds the copy in the cache by itself
    python -m kerasr.train digits --data FOLDER        # a copy elsewhere
    python -m kerasr.train --data FOLDER/manifest.csv  # what the manifest lists, after you edited it
"""

from _prepare import prepare_known

if __name__ == "__main__":
    prepare_known("fsdd", __doc__)
