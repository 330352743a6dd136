"""Evolution equations from a name or a text: notation, operators, units, normal form, catalogue."""
