"""A person's photos as features: the gallery file, and how it is built, judged and chosen from."""
