"""Rankers map feature rows to scores; the files of one model, and how it is loaded and checked."""
