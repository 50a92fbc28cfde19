"""How good an avatar is: numbers and pictures."""
