"""From what a network says at each frame to text."""

from kerasr.decoding.greedy import best_path as best_path
from kerasr.decoding.greedy import collapse as collapse
from kerasr.decoding.greedy import shortest_path as shortest_path
