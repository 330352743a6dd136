"""Many measured films: the table that lists them, the fit of each, their summary and the means of their groups."""
