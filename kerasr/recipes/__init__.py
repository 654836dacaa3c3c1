"""Recipes: complete settings that are known to work, with the score and the time to expect. Plain data.

A file a recipe; importing this registers those of kerasr.
"""

from kerasr.recipes.an4 import an4
from kerasr.recipes.commands import commands
from kerasr.recipes.common_voice import common_voice
from kerasr.recipes.connected_digits import connected_digits
from kerasr.recipes.digits import digits
from kerasr.recipes.digits_best import digits_best
from kerasr.recipes.digits_voice import digits_voice
from kerasr.recipes.grid import grid
from kerasr.recipes.grid_voice import grid_voice
from kerasr.recipes.librispeech import librispeech
from kerasr.recipes.ljspeech import ljspeech
from kerasr.recipes.registry import get_recipe, list_recipes, recipe_notes, register_recipe
from kerasr.recipes.sentences import sentences
from kerasr.recipes.sentences_voice import sentences_voice
from kerasr.recipes.speech import speech
from kerasr.recipes.tags import tags
from kerasr.recipes.vocoder import vocoder
from kerasr.recipes.voices import voices
from kerasr.recipes.wakeword import wakeword
from kerasr.recipes.words import words

__all__ = [
    "an4",
    "commands",
    "common_voice",
    "connected_digits",
    "digits",
    "digits_best",
    "digits_voice",
    "get_recipe",
    "grid",
    "grid_voice",
    "librispeech",
    "list_recipes",
    "ljspeech",
    "recipe_notes",
    "register_recipe",
    "sentences",
    "sentences_voice",
    "speech",
    "tags",
    "vocoder",
    "voices",
    "wakeword",
    "words",
]
