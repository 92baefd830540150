"""Side-by-side measurements of the suite: ratios of interleaved runs, never bare times."""
