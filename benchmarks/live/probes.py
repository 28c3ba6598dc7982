"""Statements to plant, each with a question that says it in other words: forty templates times twenty names or towns.

No word of five letters and more is in both but the name or town: it is found by its meaning and by that one word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

NAMES = (
    "Odalys", "Torben", "Ximena", "Bartholomew", "Ignatius", "Saoirse", "Wendeline", "Kasimir", "Philippa", "Leocadia",
    "Anselm", "Yevgenia", "Dagmar", "Hortensia", "Rufus", "Ottilie", "Benedikt", "Zuleika", "Florian", "Mireille",
)  # fmt: skip
TOWNS = (
    "Trieste", "Ghent", "Tromso", "Coimbra", "Girona", "Aarhus", "Szeged", "Bamberg", "Turku", "Perugia",
    "Nantes", "Utrecht", "Dundee", "Galway", "Malmo", "Zadar", "Graz", "Ostrava", "Bergamo", "Cadiz",
)  # fmt: skip
TEMPLATES = (
    ("My neighbour {name} plays the cello in a string quartet.", "Which instrument is {name} from next door good at?"),
    ("I found a flat with a balcony in {town} and signed the lease.", "Where do I rent an apartment, is it {town}?"),
    ("{name} is allergic to walnuts, so no carrot cake for the party.", "Which food makes {name} ill?"),
    ("The train to {town} was cancelled and I slept at the station.", "How did the railway strand me before {town}?"),
    ("I lent {name} my blue bicycle for the summer.", "Who has borrowed the bike, {name}?"),
    ("{name} proposed to her boyfriend on a ferry.", "How did {name} get engaged?"),
    ("We buried a time capsule behind the school in {town}.", "What did we hide underground at {town}?"),
    ("My dentist {name} says two wisdom teeth must come out.", "What will {name} do with the inside of the mouth?"),
    ("I won second prize in the baking contest of {town}.", "Which competition for cakes went well, {town}?"),
    ("{name} keeps three hives of bees on the roof.", "Who makes honey at home, {name}?"),
    ("Grandfather was born on a farm outside {town}.", "Where did mother's father come into the world, near {town}?"),
    ("The vet said our cat {name} needs a diet of fish.", "What should the kitten {name} be fed?"),
    ("My suitcase went to {town} without me.", "What happened with the luggage and {town}?"),
    ("{name} quit her work at the bank to become a carpenter.", "What change of career did {name} make?"),
    ("I dropped my phone into the harbour at {town}.", "How was the mobile lost near {town}?"),
    ("I promised {name} to repair the leaking kitchen tap.", "What fix in the house does {name} expect?"),
    ("{name} taught me to say good morning in Finnish.", "Who gave a lesson of a foreign language, {name}?"),
    ("The wedding will be in a lighthouse near {town}.", "At which unusual place do they marry, by {town}?"),
    ("My boss {name} denied the pay rise again.", "How did {name} answer the wish for more salary?"),
    ("I ran my first marathon in {town} with a swollen ankle.", "At which long race did a foot hurt, {town}?"),
    ("{name} broke her collarbone while skiing.", "What injury did {name} get on the snow?"),
    ("We adopted a greyhound from a shelter in {town}.", "Where does our dog come from, {town}?"),
    ("{name} gave me the name of his first teacher as a hint for the password.", "What is the clue to log in, {name}?"),
    ("I planted a fig tree for mother in the garden in {town}.", "What grows for mum behind the house at {town}?"),
    ("{name} cannot stand the smell of lavender.", "Which scent does {name} dislike?"),
    ("Our tent was flooded on the campsite at {town}.", "How did rain ruin the holiday outdoors by {town}?"),
    ("I owe {name} forty euros for the concert tickets.", "How much money must be given back to {name}?"),
    ("{name} is writing a thesis about volcanoes.", "What does {name} study at university?"),
    ("The museum in {town} bought two of my watercolours.", "Who paid for the paintings, at {town}?"),
    ("{name} and I argued about who should wash the dishes.", "What was the quarrel with {name} over?"),
    ("I learned to surf on a beach close to {town}.", "Where did riding waves begin, {town}?"),
    ("My godchild {name} lost her first tooth yesterday.", "What fell out of the mouth of little {name}?"),
    ("Somebody stole the wheels of my car in {town}.", "Which crime was done to the vehicle at {town}?"),
    ("{name} gave me a recipe for pumpkin soup with ginger.", "What dish can be cooked thanks to {name}?"),
    ("Aunt {name} moved into a home for the elderly.", "Where does old relative {name} live now?"),
    (
        "I booked a cabin in the mountains above {town} for New Year.",
        "Where does December end for us, {town}?",
    ),
    ("{name} found a Roman coin while digging a well.", "What ancient thing turned up in the ground for {name}?"),
    ("The choir sings in the cathedral of {town} at Easter.", "When do we perform in the church at {town}?"),
    ("My nephew {name} is afraid of escalators.", "Which moving stairs scare {name}?"),
    ("I left my umbrella in a taxi in {town}.", "What was forgotten in a cab, {town}?"),
)
SYLLABLES = ("zor", "bel", "qua", "mik", "tru", "vex", "lon", "dap", "shi", "gur", "pym", "fos", "kel", "wab", "nix")


@dataclass(frozen=True, slots=True)
class Probe:
    """What is said, and how it is asked for."""

    statement: str
    question: str


def probes() -> Iterator[Probe]:
    """All there are, 800, no two alike; templates and names change from one to the next."""
    for turn in range(len(NAMES)):
        for number, (statement, question) in enumerate(TEMPLATES):
            at = (turn + 7 * number) % len(NAMES)
            named = {"name": NAMES[at], "town": TOWNS[at]}
            yield Probe(statement.format(**named), question.format(**named))


def made_up_words() -> Iterator[Probe]:
    """Statements with a word that nobody knows, asked for by that word alone."""
    chance, seen = Random(5), set()
    while True:
        word = "".join(chance.choices(SYLLABLES, k=4))
        if word not in seen:
            seen.add(word)
            yield Probe(f"The boat that we saw there is called {word.capitalize()}.", word)
