"""The nouns of the program: frozen records and the rules that they carry."""
