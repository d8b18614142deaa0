"""Which network to take: objectives, the search, its ledger and its certificate."""
