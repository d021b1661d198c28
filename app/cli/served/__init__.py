"""Commands and tables about logged pages: skew, and measures beside baselines."""
