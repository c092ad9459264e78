"""The main job on real input: a voice goes from one program to another, and is judged."""
