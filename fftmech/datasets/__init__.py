"""Datasets: thousands of bodies, made and solved, each from its seed alone."""

from fftmech.datasets.composites import CompositesRecipe
from fftmech.datasets.images import ImagesRecipe
from fftmech.datasets.imported import ImportedRecipe
from fftmech.datasets.polycrystal import PolycrystalRecipe
from fftmech.datasets.pores import PoresRecipe
from fftmech.datasets.recipe import GeneratedBody, Recipe, body_seed

RECIPES: dict[str, type[Recipe]] = {
    recipe.kind: recipe
    for recipe in (
        PolycrystalRecipe,
        PoresRecipe,
        ImagesRecipe,
        CompositesRecipe,
        ImportedRecipe,
    )
}
"""Recipes by the kind that a card names."""

__all__ = ["RECIPES", "GeneratedBody", "Recipe", "body_seed"]
