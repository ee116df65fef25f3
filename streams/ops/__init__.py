"""Operations: what tells a person that something is wrong, and what it is."""
