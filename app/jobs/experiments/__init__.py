"""Reports, plans and previews of experiments, from the lake alone."""
