"""What the user sees: sidebar, object properties, menus."""
