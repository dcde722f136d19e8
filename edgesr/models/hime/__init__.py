"""HIME: headshot super-resolution with multiple exemplars (HIME paper), as it is trained and as it is deployed."""
