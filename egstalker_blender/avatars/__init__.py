"""How an avatar enters a scene and is found again."""
