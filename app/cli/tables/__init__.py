"""Tables that commands print: 80 columns wide, or as wide as their contents."""
