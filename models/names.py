"""Names for people, in the three languages of the house."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Language(StrEnum):
    """BCP 47 tags of the languages that people are written to in."""

    EN = "en"
    ZH_HANS = "zh-Hans"
    ZH_HANT = "zh-Hant"


class Name(BaseModel):
    """One thing's name in English, simplified and traditional Chinese."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    en: str
    zh_hans: str
    zh_hant: str

    def in_(self, language: Language) -> str:
        """Return the name in `language`."""
        if language is Language.EN:
            return self.en
        return self.zh_hans if language is Language.ZH_HANS else self.zh_hant
