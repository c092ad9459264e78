"""Sockets of SIP: flows, the resolver and the endpoint that drains them."""
