"""The client: accounts, calls, and the SIP messages between them and the far ends."""
