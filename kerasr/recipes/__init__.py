"""Recipes: complete settings that are known to work, with the score and the time to expect. Plain data.

A recipe is a function from the name of an architecture (None: the recipe's own choice) to a `TrainConfig`.
"""

from collections.abc import Callable

from kerasr.config import TrainConfig
from kerasr.errors import UserError
from kerasr.recipes.commands import commands
from kerasr.recipes.digits import digits
from kerasr.recipes.digits_best import digits_best
from kerasr.recipes.tags import tags
from kerasr.recipes.voices import voices
from kerasr.recipes.wakeword import wakeword
from kerasr.recipes.words import words

_RECIPES: dict[str, Callable[[str | None], TrainConfig]] = {
    recipe.__name__.replace("_", "-"): recipe
    for recipe in (digits, digits_best, commands, words, tags, voices, wakeword)
}


def list_recipes() -> dict[str, str]:
    """Each recipe's name and the first line of what it says of itself."""
    return {name: (recipe.__doc__ or "").splitlines()[0] for name, recipe in _RECIPES.items()}


def get_recipe(name: str, model: str | None = None) -> TrainConfig:
    """The settings of the recipe called `name`, for an architecture of your choice.

    Raises:
        UserError: there is no such recipe, or no such architecture.
    """
    if name not in _RECIPES:
        raise UserError("recipe-not-found", f"no recipe is called {name!r}: choose one of {', '.join(_RECIPES)}")
    return _RECIPES[name](model)


def recipe_notes(name: str) -> str:
    """What a recipe says of itself: what it is for, the score and the time to expect."""
    return _RECIPES[name].__doc__ or ""
