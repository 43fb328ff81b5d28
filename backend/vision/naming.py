"""Proposes what to call the subject of an image that came without a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from backend.vision.image_encoder import ImageText

COLOURS = tuple("red orange yellow green teal blue purple pink brown black white gray gold silver".split())
# Things that artists model; none needs to be what an encoder was trained with, but it must know the word.
OBJECTS = tuple(
    """
    mug teapot chair table lamp mushroom snowman rocket house tree cactus car bird dog fish robot bottle rabbit bear
    boat plane sofa castle turtle cake clock cat horse cow pig sheep goat lion tiger elephant giraffe zebra monkey fox
    wolf deer mouse frog snake lizard dinosaur dragon duck chicken owl eagle penguin parrot butterfly bee spider crab
    shark whale dolphin octopus snail person man woman child face head hand skull statue doll toy ball backpack bag
    basket bed bench bicycle book boot bowl box bridge broom bucket bus cabinet camera candle cap cart chest computer
    cup desk door drum eyeglasses fan flower fork fountain fridge glass guitar hammer hat helmet jacket jar jug kettle
    keyboard knife ladder laptop leaf microphone mirror motorcycle pan phone piano pillow pineapple apple banana orange
    pear pumpkin strawberry bread burger pizza donut cupcake icecream plant plate pot radio ring scissors shell shield
    ship shirt shoe skateboard sneaker spoon stool stove suitcase sunglasses sword tank teddy television tent tower
    toilet tractor train trophy truck trumpet umbrella vase violin wallet wardrobe watch wheel windmill
    """.split()
)
CONTEXTS = ("a {}", "a photo of a {}", "a model of a {}")


@dataclass(frozen=True)
class Name:
    """A class word, a caption with it, and how sure the encoder is among the words that it was asked about."""

    word: str
    caption: str
    share: float  # in [0, 1]


def propose_names(pair: ImageText, image: torch.Tensor, words: Sequence[str] = OBJECTS, count: int = 3) -> list[Name]:
    """Return the likeliest names of what is in an image [H, W, 3], the likeliest first.

    Of `words` those count that the encoder's vocabulary knows. Raises ValueError where it knows none.
    """
    known = known_words(pair, words)
    if not known:
        raise ValueError(f"the image encoder knows none of the {len(words)} words")
    shares = _shares(pair, image, [[context.format(word) for context in CONTEXTS] for word in known])
    best = shares.argsort(descending=True)[:count].tolist()
    colours = known_words(pair, COLOURS)
    return [Name(known[i], _caption(pair, image, known[i], colours), float(shares[i])) for i in best]


def known_words(pair: ImageText, words: Sequence[str]) -> list[str]:
    """Return the words, each once, that the tokenizer need not cut into pieces."""
    return [word for word in dict.fromkeys(words) if len(pair.tokenizer.tokenize(word)) == 1]


def _caption(pair: ImageText, image: torch.Tensor, word: str, colours: Sequence[str]) -> str:
    captions = [f"a {word}", *(f"a {colour} {word}" for colour in colours)]
    return captions[int(_shares(pair, image, [[caption] for caption in captions]).argmax())]


def _shares(pair: ImageText, image: torch.Tensor, wordings: list[list[str]]) -> torch.Tensor:
    """Return the probability [N] of each meaning, which has several wordings."""
    with torch.no_grad():
        prompts = [prompt for group in wordings for prompt in group]
        cosines = pair.similarity(image[None], prompts)[0].view(len(wordings), -1).mean(dim=-1)  # [N]
        return (pair.scale * cosines).softmax(dim=-1)
