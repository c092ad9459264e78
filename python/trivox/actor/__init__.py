"""Building blocks on Trio that know nothing of SIP or media: watchables, events, tasks."""
