"""Commands of experiments: define, start, stop, plan and report them."""
