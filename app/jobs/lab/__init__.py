"""The lab: ways of training compared on the data at hand; nothing it trains is promoted."""
