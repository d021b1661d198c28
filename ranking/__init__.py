"""Pure numbers: candidates, signals, features, rankers, training, measurement. No Flask, no engine, no clock."""
