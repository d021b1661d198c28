"""What a search says about its words: which hits match them, what was highlighted and what else to type."""
