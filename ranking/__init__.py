"""Pure numbers: candidates, signals, features, rankers, training. No Flask, no engine, no clock."""
