"""OSN (ICML 2024): all the 3D scenes that explain one video."""
