"""What a developer runs by hand to make files that the project ships."""
