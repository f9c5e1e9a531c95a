"""SPEAKS: what people read, in their language, and how it reaches them; the only room that imports Apprise."""
