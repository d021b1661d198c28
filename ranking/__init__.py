"""Pure computation: arrays and Arrow tables in and out; no network, no web framework, no clock."""
