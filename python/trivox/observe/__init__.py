"""Looking at calls after the fact: from records to pictures for people."""
