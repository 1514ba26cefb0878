"""Names and groups of classes: ImageNet's, WordNet's, superclasses, trees."""
