"""Voice and video calls on servers, for Trio: a call is a task."""

from trivox._native import __version__ as __version__
