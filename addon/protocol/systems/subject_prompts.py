"""Prompts about one subject: what class a prompt says it is of, and recipes that make prompts of a class and its token.

Source of the recipes' kinds: Raj et al., DreamBooth3D (arXiv 2303.13508), section 4, applications.
"""

from __future__ import annotations

from dataclasses import dataclass

# Where the words for the subject end: what it does, has on, is made of or where it is comes after its class.
ENDS = frozenset(
    "in on at by of with from under over near beside behind before that which as wearing holding riding sitting "
    "standing lying sleeping running walking jumping flying made painted carved dressed covered".split()
)
FRAMES = ("photo of", "picture of", "image of", "drawing of", "statue of", "render of", "painting of", "model of")
MARKS = ",.;:!?"
ANOTHER = frozenset("a an the its his her their some another one two three four five many".split())  # things begin so


def class_word(prompt: str, token: str, named: str = "") -> str:
    """Return what a prompt says the subject is: the named class, or the last word before what it does, has or where.

    What follows the token counts, wherever that stands. "a red bear sitting on a chair" -> "bear";
    "a photo of a sks teddy bear" with the token "sks" -> "teddy bear".
    """
    if named.strip():
        return named.strip().lower()
    text = prompt.lower()
    bare = [word.strip(MARKS + "\"'") for word in text.split()]
    if has_token := token.lower() in bare[:-1]:
        text = " ".join(text.split()[bare.index(token.lower()) + 1 :])
    elif frame := next((frame for frame in FRAMES if frame in text), ""):
        text = text.partition(frame)[2]
    words: list[str] = []
    said = text.split()
    for place, word in enumerate(said):
        plain = word.strip(MARKS + "\"'")
        if words and (plain in ENDS or (plain == "and" and not _joins_adjectives(said[place + 1 :]))):
            break
        if plain:
            words.append(plain)
        if word[-1] in MARKS and words:
            break
    if has_token:
        return " ".join(words)
    return words[-1] if words else "object"


def _joins_adjectives(after: list[str]) -> bool:
    """Say whether "and" stands between words for one thing: "red and gray robot", but not "bear and a dog"."""
    plain = [word.strip(MARKS + "\"'") for word in after[:2]]
    return len(plain) == 2 and plain[0] not in ANOTHER and plain[1] not in ENDS | {"and"} and after[0][-1] not in MARKS


def says_more(prompt: str, token: str, subject: str) -> bool:
    """Say whether a prompt is about more than the subject as it is: "a photo of a sks bear" is not, "a red bear" is."""
    text = " ".join(word.strip(MARKS + "\"'") for word in prompt.lower().split())
    for known in (subject.lower(), token.lower(), *FRAMES):
        text = f" {text} ".replace(f" {known} ", " ", 1).strip()
    return bool(set(text.split()) - {"a", "an", "the"})


@dataclass(frozen=True)
class Recipe:
    """A kind of prompt for a subject: `template` has {subject}, and {word} where there is something to choose."""

    name: str
    label: str
    tooltip: str
    template: str
    word: str = ""  # to begin with

    def prompt(self, subject: str, token: str, word: str = "") -> str:
        """Return the prompt for a subject of a class, with its token; "bear", "sks" -> "a blue sks bear"."""
        return self.template.format(subject=f"{token} {subject}", word=word.strip() or self.word)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("context", "Another Place", "The subject somewhere else", "a {subject} on {word}", "a wooden table"),
        Recipe("colour", "Another Colour", "The same shape in another colour", "a {word} {subject}", "blue"),
        Recipe("material", "Another Material", "As if made of something else", "a {subject} made of {word}", "wood"),
        Recipe("accessory", "With Something On", "It wears or holds a thing", "a {subject} wearing {word}", "a hat"),
        Recipe("style", "In a Style", "As another craft would make it", "a {subject} in the style of {word}", "a toy"),
        Recipe("pose", "In a Pose", "The subject does something else", "a {subject} {word}", "sitting"),
        Recipe("drawing", "From a Drawing", "Drawings of it become a solid thing", "a 3D model of a {subject}"),
    )
}
