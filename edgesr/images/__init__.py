"""Photos and arrays of pixels: which formats are read, how they are decoded and written."""
