"""Datasets: thousands of bodies, made and solved, each from its seed alone."""

from fftmech.datasets.recipe import Draw, Recipe, body_seed

RECIPES: dict[str, type[Recipe]] = {}
"""Recipes by the kind that a card names."""

__all__ = ["RECIPES", "Draw", "Recipe", "body_seed"]
