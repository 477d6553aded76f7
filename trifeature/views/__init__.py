"""Augmentations of each kind of modality: draw the parameters, then apply them."""
