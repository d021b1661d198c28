"""Ways of exploring one slot, compared in a made-up month whose truth is known."""
