"""A picture for each article that has something to see."""
