"""The frames in which people say what is true of them, each with what follows from it.

A frame is matched where a clause begins, and its value is read behind it. None matches a negation, a question or a
condition by itself; `sentences` leaves those out before.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from stories.facts.rules import values
from stories.facts.rules.words import (
    CAR_MAKES,
    CONDITIONS,
    INSTRUMENTS,
    MEDICATIONS,
    NATIONALITIES,
    OCCUPATIONS,
    POSSESSIONS,
    SPORTS,
)
from stories.facts.statements import Kind

HOLDS, HELD, ENDED, MOVED = Kind.HOLDS, Kind.HELD, Kind.ENDED, Kind.MOVED


class Said(NamedTuple):
    """What follows: an attribute, and its value: what a reader finds, a group of the match, or the text itself."""

    attribute: str
    kind: Kind
    value: values.Reader | str


class Frame(NamedTuple):
    """`opens` are the letters that it can begin with. `dated` frames need a day that is to come."""

    opens: str
    pattern: re.Pattern[str]
    says: tuple[Said, ...]
    dated: bool = False


ADVERB: Final = (
    r"(?: (?:now|currently|still|actually|also|really|just|finally|officially|recently|already|even|both|always|never|"
    r"absolutely|totally|truly|kind of|sort of|quite|very|so|well|do|basically|only|ever|mostly|usually|proudly|"
    r"originally|only just|no longer|mildly|severely|deathly|terribly|highly|pretty|in fact))"
)
SURELY: Final = ADVERB.replace("|never", "").replace("|no longer", "").replace("|ever", "").replace("|well", "")
I_AM: Final = rf"(?:I'm|I am|im){SURELY}{{0,3}}+"
I_DO: Final = rf"I{SURELY}{{0,3}}+"
I_HAVE: Final = rf"(?:I've|I have|ive){SURELY}{{0,2}}+"
I_NOW_HAVE: Final = rf"(?:(?:I|we){SURELY}{{0,2}}+ (?:have|got|own)|(?:I've|we've|I have|we have)(?: got)?+)"
DID: Final = r"(?:(?:I|we)(?: have|'ve)?+(?: (?:just|finally|recently|already|also|have))?+ )?+"
NO_MORE: Final = r"(?:I'm|I am|im) (?:not|no longer)"
PEOPLE: Final = (
    r"husband|wife|missus|boyfriend|girlfriend|partner|spouse|fianc[eé]e?|mother|mom|mum|mama|father|dad|papa|grandmother|"
    r"grandma|granny|nana|oma|abuela|grandfather|grandpa|granddad|opa|abuelo|sisters?|brothers?|sons?|daughters?|"
    r"child|kids?|children|aunt|uncle|cousin|niece|nephew|ex(?:-wife|-husband)?|friends?|twins|supervisor|colleague|coworker|co-worker|boss|manager|"
    r"neighbou?r|roommate|roomie|flatmate|housemate"
)
PETS: Final = (
    r"dogs?|puppy|cats?|kitten|rabbits?|bunny|hamster|parrots?|horse|pony|turtle|tortoise|budgie|goldfish|snake|lizard|"
    r"gecko|ferret|hen|goat|donkey|guinea pig|hedgehog|kittens?"
)
SOME: Final = (
    r"(?:older|younger|little|big|elder|eldest|youngest|oldest|twin|best|close|good|old|new|other|two|three|four|a|an)"
)
TENS: Final = "(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
NAMED: Final = r"(?:'s name is|s' names are| is called| is named| are called| are named|,? called|,? named|,|:)?+ "


def frame(opens: str, pattern: str, *says: tuple[str, Kind, values.Reader | str], dated: bool = False) -> Frame:
    """Return a frame; case does not count in its pattern."""
    return Frame(opens, re.compile(pattern, re.IGNORECASE), tuple(Said(*each) for each in says), dated)


TRADE: Final = values.among(OCCUPATIONS, last=True, before=re.compile(r" (?:at|in|for|with|from|by|on|of|living)\b"))
THING: Final = values.among(POSSESSIONS, last=True, before=re.compile(r" (?:on|in|from|for|with|at)\b"))
DATE: Final = (
    r"(?P<value>(?:the )?\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6} \d{1,2}(?!\d)(?:st|nd|rd|th)?)"
)

# fmt: off
FRAMES: Final = (
    # who they are
    frame("mtni",
          rf"(?:hi,? )?(?:my (?:full |real |first )?name(?: is|'s)|(?:the )?name's|{I_HAVE} changed my name to) ",
          ("name", HOLDS, values.called)),
    frame("i", rf"{I_AM} (?=[^\W\d_])", ("name", HOLDS, values.introduced)),
    frame("yjcepf",
          r"(?:(?:you can |just |please )?+call me|(?:every(?:one|body)|people|friends|my friends) calls? me) ",
          ("nickname", HOLDS, values.name)),
    frame("i", rf"{I_DO} go by ", ("nickname", HOLDS, values.name)),
    frame("i", rf"{I_AM} (?P<value>\d{{2}})(?= ?(?:years? old|y/?o\b|[,.!]|$| and\b| now\b| already\b| btw\b|"
          r" years? young))",
          ("age", HOLDS, "value")),
    frame("i", rf"(?:{I_AM}|I(?: just|'ve just| have just)?+ turned) (?P<value>{TENS}(?:-\w{{3,5}})?)"
          r"(?= ?(?:years? (?:old|young)|[,.!]|$| now\b| today\b| yesterday\b))", ("age", HOLDS, "value")),
    frame("i", r"I(?: just|'ve just| have just)?+ turned (?P<value>\d{2})\b", ("age", HOLDS, "value")),
    frame("m", rf"my (?:birthday|bday|b-day)(?: is|'s)(?: on)?+ {DATE}", ("birthday", HOLDS, "value")),
    frame("i", rf"I was born (?:in [^\W\d_][\w ]{{1,30}} )?on {DATE}", ("birthday", HOLDS, "value")),
    frame("m", r"my pronouns are (?P<value>\w{2,5}/\w{2,5})", ("pronouns", HOLDS, "value")),
    frame("i", rf"{I_AM} (?:a |an )?(?P<value>woman|man|trans (?:wo)?man|non-?binary)(?= ?(?:[,.!]|$| and\b))",
          ("gender", HOLDS, "value")),
    frame("i", rf"{I_AM} (?:half )?(?P<value>{'|'.join(sorted(NATIONALITIES))})(?= ?(?:[,.!]|$| and\b| but\b| by\b))",
          ("nationality", HOLDS, "value")),
    frame("i",
          rf"{I_AM} (?:an? )?(?:practi[cs]ing |devout )?(?P<value>catholic|muslim|jewish|christian|hindu|buddhist|"
          r"atheist|agnostic|sikh|protestant|orthodox|mormon|quaker)(?= ?(?:[,.!]|$| and\b))",
          ("religion", HOLDS, "value")),
    frame("i", rf"{I_AM} an? (?P<value>aries|taurus|gemini|cancer|leo|virgo|libra|scorpio|sagittarius|capricorn|"
          r"aquarius|pisces)(?= ?(?:[,.!]|$| and\b))", ("zodiac", HOLDS, "value")),
    frame("i", rf"{I_AM} (?P<value>\d[\d.,']{{0,4}} ?(?:m|cm|ft|feet|\")?) tall", ("height", HOLDS, "value")),
    frame("i", r"I weigh (?:about |around )?+(?P<value>\d{2,3} ?(?:kg|kilos?|lbs?|pounds|stone))",
          ("weight", HOLDS, "value")),
    frame("m", r"my blood type is (?P<value>(?:ab|a|b|o)[ -]?(?:\+|-|positive|negative)?+)",
          ("blood_type", HOLDS, "value")),
    # where they are
    frame("iw", rf"(?:I|we){SURELY}{{0,3}}+ live(?: with [^,.;!?]{{1,30}}?)?(?: (?:together|alone))?+ in ",
          ("home", HOLDS, values.place)),
    frame("iw", rf"(?:{I_AM}|we're|we are) (?:living|based) in ", ("home", HOLDS, values.place)),
    frame("i", r"(?:I'm|I am) [^.;!?]{1,60}?, (?:living|based) in ", ("home", HOLDS, values.place)),
    frame("iw", r"(?:I've|we've|I have|we have)(?: just)?+ (?:lived in|been living in) ",
          ("home", HOLDS, values.place)),
    frame("iwmfj", rf"{DID}(?:just )?+moved (?:back |over |down |up |out )?+to ", ("home", HOLDS, values.place)),
    frame("iwmf", rf"{DID}moved (?:in (?:together|with [^.,;!?]{{1,30}}?),? in|into (?:an?|the|our|my) (?:new )?"
          r"(?:flat|house|home|place|apartment) in) ", ("home", HOLDS, values.place)),
    frame("mo", r"(?:my|our) new (?:flat|house|home|place|apartment) is in ", ("home", HOLDS, values.place)),
    frame("h", r"home is ", ("home", HOLDS, values.place)),
    frame("iw", r"(?:I|we) used to live in ", ("home", HELD, values.place)),
    frame("iw", r"(?:I|we) (?:no longer live|don't live|do not live) in ",
          ("home", HELD, values.if_no_more(values.place))),
    frame("iw", r"(?:I|we) lived in (?=[^.,;!?]{1,40} (?:for|from|until|till|when|back|as a|before)\b)",
          ("home", HELD, values.place)),
    frame("iw", rf"(?:{I_DO} grew up in|{I_AM} from|{I_DO} come from|I was born (?:and raised )?in|"
          r"I was raised in) ", ("hometown", HOLDS, values.place)),
    frame("m", r"my (?:new |home )?address(?: is|'s)(?: now)?+ ", ("address", HOLDS, values.phrase)),
    frame("m", r"my (?:new |current )?(?:phone |mobile |cell ?|telephone )?(?:number|phone|mobile)"
          r"(?: is|'s| changed,? it's)(?: now)?+ ",
          ("phone", HOLDS, values.digits)),
    frame("i", r"I(?: have|'ve)?+ changed my (?:phone |mobile |cell )?number,? (?:now )?(?:it is|it's)(?: now)?+ ",
          ("phone", HOLDS, values.digits)),
    frame("imn", r"(?:I have a |I've got a |I've a |my )?+new (?:phone |mobile |cell )?number(?: is|'s|:|,)?+ "
          r"(?:it is |it's )?",
          ("phone", HOLDS, values.digits)),
    frame("m", r"my (?:new |work |private )?e-?mail(?: address)?(?: is|'s)(?: now)?+ ",
          ("email", HOLDS, values.address)),
    # what they do
    frame("i", rf"(?:{I_DO} work|{I_AM} working|I freelance|{I_AM} freelancing|I got hired|"
          r"I(?: was|'ve been| have been) hired) as (?:an? |the )?", ("occupation", HOLDS, TRADE)),
    frame("i", rf"(?:{I_AM}|I became|I've become) (?:an? |the )(?!single )", ("occupation", HOLDS, TRADE)),
    frame("i", rf"{I_AM} (?P<value>retired|unemployed|self-employed)\b", ("occupation", HOLDS, "value"),
          ("employer", ENDED, "")),
    frame("i", r"I (?:was|used to be|used to work as) (?:an? |the )(?=[^.,;!?]{1,50} (?:for|until|till|back|"
          r"before|once|in " r"(?:my|a) (?:past|former)))", ("occupation", HELD, TRADE)),
    frame("i", r"I used to (?:be|work as) (?:an? |the )", ("occupation", HELD, TRADE)),
    frame("i", rf"{NO_MORE} (?:an? |the )?", ("occupation", HELD, values.if_no_more(TRADE)),
          ("studies", ENDED, values.if_no_more(values.student))),
    frame("n", r"no longer (?:an? |the )?(?=student)", ("studies", ENDED, ""), ("school", ENDED, "")),
    frame("iw", rf"(?:{I_DO} work|{I_AM} working) (?:(?:part|full)[ -]time )?(?:for|at) ",
          ("employer", HOLDS, values.organisation)),
    frame("i", rf"(?:{I_DO} work|{I_AM}|{I_AM} working|I freelance)(?: as)? (?:an? |the )[^.,;!?]{{2,50}}? "
          r"(?:at|with) ",
          ("employer", HOLDS, values.employer_behind_trade)),
    frame("i", r"I(?: just|'ve just| have just)?+ (?:started|begun|began)(?: (?:a new job|a job|my new job|"
          r"working|work))?" r" (?:at|with|for) ", ("employer", HOLDS, values.organisation)),
    frame("i", r"I(?:'ve| have)?+(?: just| finally)?+ (?:got|landed|have) (?:a|the|my)(?: new)? job (?:at|with) ",
          ("employer", HOLDS, values.organisation)),
    frame("i", r"I(?: just|'ve just| have just)?+ joined (?=[^.,;!?]{2,40} as\b)",
          ("employer", HOLDS, values.organisation)),
    frame("i", r"I(?: just|'ve just| have just)?+ joined [^.,;!?]{2,40}? as (?:an? |the )?",
          ("occupation", HOLDS, TRADE)),
    frame("i", r"I (?:got|was|have been) hired by ", ("employer", HOLDS, values.organisation)),
    frame("i", r"I (?:got|was|have been) hired by [^.,;!?]{2,40}?,? as (?:an? |the )?", ("occupation", HOLDS, TRADE)),
    frame("i", r"I (?:run|own) an? [\w -]{2,30}? (?:called|named) ", ("employer", HOLDS, values.name)),
    frame("iqlf", rf"{DID}(?:quit|left|lost|resigned from|gave up) my (?:old )?job\b", ("employer", ENDED, "")),
    frame("ig", r"(?:I )?(?:just )?+(?:got|was|have been) (?:fired|laid off|made redundant|sacked)\b",
          ("employer", ENDED, "")),
    frame("i", r"I (?:no longer work|don't work|do not work) (?:at|for) ",
          ("employer", HELD, values.if_no_more(values.organisation)),
          ("employer", ENDED, values.if_no_more(values.phrase))),
    frame("i", rf"(?:{I_DO} study|{I_AM} studying|{I_AM} majoring in|I major in) ",
          ("studies", HOLDS, values.subject)),
    frame("im", r"(?:I(?:'ve| have)?+ (?:switched|changed) my major to|majoring in|(?:I'm|I am) (?:doing|in|starting) "
          r"[^.,;!?]{0,25}?\b(?:ph\.?d|master'?s?|bachelor'?s?|degree|doctorate)(?: degree)? in) ",
          ("studies", HOLDS, values.subject)),
    frame("i", rf"(?:{I_DO} study|{I_AM} studying|{I_AM} a (?:student|freshman|junior|sophomore|senior)) "
          r"(?:[^.,;!?]{2,40}? )?at ", ("school", HOLDS, values.organisation)),
    frame("ig", rf"{DID}graduated\b", ("studies", ENDED, ""), ("school", ENDED, "")),
    frame("id", rf"{DID}dropped out of ", ("studies", ENDED, values.phrase)),
    # with whom they live
    frame("i", rf"{I_AM} (?P<value>single|married|divorced|engaged|widowed|separated)(?= ?(?:[,.!]|$| and\b| "
          rf"now\b| again\b" r"| to\b| with\b| since\b| for\b))", ("relationship", HOLDS, "value")),
    frame("i", rf"{I_AM} [^.;!?]{{1,30}}?, (?P<value>single|married|divorced|engaged|widowed|separated)(?= "
          rf"?(?:[,.!]|$))", ("relationship", HOLDS, "value")),
    frame("i", rf"{I_AM} (?:single|divorced|widowed)(?= ?(?:[,.!]|$| and\b| now\b| again\b| since\b))",
          ("partner", ENDED, "")),
    frame("iwm", r"(?:we|(?:my \w+ and I|I)) (?:just |finally |have |both )?+(?:got|'ve gotten|gotten) "
          r"(?P<value>engaged|married|divorced)\b", ("relationship", HOLDS, "value")),
    frame("is", rf"(?:{I_AM} (?:dating|seeing|going out with|married to|engaged to|in a relationship with|together "
          rf"with)|" r"(?:I )?started (?:dating|seeing)) ", ("partner", HOLDS, values.name)),
    frame("i", rf"{I_AM} (?:dating|seeing) (?:a|an|this|some) [\w ]{{1,25}}? (?:called|named) ",
          ("partner", HOLDS, values.name)),
    frame("iw", r"(?:I|we) live with my (?:partner|boyfriend|girlfriend|husband|wife) ",
          ("partner", HOLDS, values.name)),
    frame("w", r"we (?:just |finally |have |'ve )?+(?:broke up|split up|separated|broken up)\b",
          ("partner", ENDED, "")),
    frame("i", r"I (?:just |finally )?+broke up with ", ("partner", HELD, values.name)),
    frame("i", r"(?:I've|I have) been (?:seeing|dating) (?:a|an|this|some) [\w ]{1,25}? (?:called|named) ",
          ("partner", HOLDS, values.name)),
    frame("iw", r"(?:we're|we are|I'm|I am) (?:not|no longer) together(?: any ?more)?\b", ("partner", ENDED, "")),
    frame("m", r"my (?:husband|wife|boyfriend|girlfriend|partner) (?:and I (?:just )?+(?:broke up|split up|"
          r"separated)|left me|" r"dumped me|broke up with me)", ("partner", ENDED, "")),
    # how they are
    frame("i", rf"{I_AM} allergic to ", ("allergy", HOLDS, values.several)),
    frame("i", rf"{I_NOW_HAVE} an? (?:severe |bad |mild )?+(?P<value>[^\W\d_]{{3,20}}) allergy\b",
          ("allergy", HOLDS, "value")),
    frame("i", rf"{NO_MORE} allergic to ", ("allergy", HELD, values.if_no_more(values.phrase))),
    frame("i", rf"(?:I suffer from|I{SURELY}{{0,2}}+ was diagnosed with|{I_HAVE} been diagnosed with) ",
          ("condition", HOLDS, values.phrase)),
    frame("i", rf"(?:{I_NOW_HAVE}) ",
          ("condition", HOLDS, values.among(CONDITIONS, last=True, before=re.compile(r" (?:in|on|from|with)\b")))),
    frame("i", rf"{I_AM} (?P<value>diabetic|asthmatic|autistic|epileptic|dyslexic|colou?r-?blind|deaf|pregnant|"
          rf"bipolar)\b", ("condition", HOLDS, "value")),
    frame("i", rf"(?:{I_DO} take|{I_AM} taking|{I_AM} on|I was prescribed|{I_HAVE} been prescribed) ",
          ("medication", HOLDS, values.among(MEDICATIONS, before=re.compile(r" (?:for|against|\d|in|daily|with)")))),
    frame("i", r"I (?:don't|do not|no longer) take ",
          ("medication", HELD, values.among(MEDICATIONS, before=re.compile(r" (?:for|against|\d|in)")))),
    frame("ist", r"(?:I )?(?:just )?+(?:stopped taking|came off|quit|have stopped taking|'ve stopped taking) ",
          ("medication", HELD, values.among(MEDICATIONS))),
    frame("td", r"(?:the|my) doctor (?:took|has taken) me off ", ("medication", ENDED, values.phrase)),
    frame("tmd", r"(?:(?:the|my) doctor|they)(?: has| have)?+ (?:put me on|switched me to|gave me|prescribed me) ",
          ("medication", HOLDS, values.among(MEDICATIONS, before=re.compile(r" (?:for|against|instead|\d|in)\b")))),
    frame("i", r"(?:I've|I have) come off (?:the |my )?", ("medication", HELD, values.among(MEDICATIONS))),
    frame("iw",
          rf"(?:{I_AM}|we're|we are|I've gone|I went|I've been|I have been|I turned|I became) (?:an? |strictly )?+"
          r"(?P<value>vegetarian|vegan|pescatarian|gluten[- ]free|lactose[- ]intolerant|coeliac|celiac|keto|"
          r"halal|kosher|" r"dairy[- ]free)\b", ("diet", HOLDS, "value")),
    frame("i", r"I(?: only)? eat (?:only )?(?P<value>halal|kosher|vegan|vegetarian|gluten[- ]free)\b",
          ("diet", HOLDS, "value")),
    frame("i", r"I (?:don't|do not|never) eat (?P<value>meat|pork|beef|fish|dairy|eggs|gluten|seafood)(?= "
          r"?(?:[,.!]|$| and\b|" r" because\b| at all\b))", ("diet", HOLDS, "no {value}")),
    frame("in", rf"(?:{NO_MORE}|not|no longer|I stopped being) (?:an? )?(?P<value>vegetarian|vegan|pescatarian|keto|"
          r"gluten[- ]free)\b(?= any ?more| any longer)", ("diet", HELD, "value")),
    frame("in", r"(?:(?:I'm|I am|im) no longer|no longer|I stopped being) (?:an? )?(?P<value>vegetarian|vegan|"
          r"pescatarian|keto|" r"gluten[- ]free)\b", ("diet", HELD, "value")),
    frame("i", r"I (?:eat|'m eating|am eating|'ve started eating|started eating) (?:meat|fish|bread|gluten|"
          r"dairy) again\b", ("diet", ENDED, "")),
    frame("i", r"I (?:don't|do not|no longer|never) smoke(?= ?(?:[,.!]|$| any ?more| and\b))",
          ("smoking", HOLDS, "no")),
    frame("ists", r"(?:I )?(?:have |'ve )?+(?:just |finally )?+(?:quit|stopped|gave up|given up) smoking\b",
          ("smoking", HOLDS, "no")),
    frame("is", r"(?:I(?:'ve| have)? )?started smoking\b", ("smoking", HOLDS, "yes")),
    frame("i", rf"{I_AM} a (?:non-?|ex-?)smoker\b", ("smoking", HOLDS, "no")),
    frame("i", rf"(?:{I_AM} a (?:heavy )?smoker|I smoke (?:a pack|cigarettes|\d))\b", ("smoking", HOLDS, "yes")),
    frame("i", rf"(?:I (?:don't|do not|no longer|never) drink(?: alcohol)?(?= ?(?:[,.!]|$| any ?more| at all))|{I_AM} "
          r"(?:sober|teetotal))", ("alcohol", HOLDS, "no")),
    # what they like and can
    frame("i", rf"(?:{I_DO} (?:love|like|enjoy|adore)|{I_AM} (?:obsessed with|crazy about|fond of|into|an? (?:big "
          rf"|huge )?fan " r"of)) ", ("likes", HOLDS, values.liked)),
    frame("i", rf"(?:{I_DO} (?:hate|dislike|detest|loathe)|I (?:really |absolutely )?+(?:can't|cannot) (?:stand|bear)|"
          r"I (?:really )?+(?:don't|do not)(?: really)?+ (?:like|enjoy)) (?!to\b)",
          ("dislikes", HOLDS, values.disliked)),
    frame("m", r"my (?:all[- ]time )?fav(?:ou?rite)? (?P<of>[\w-]{2,20}(?: [\w-]{2,20})?)(?: is|'s| has always been) ",
          ("favorite", HOLDS, values.favourite)),
    frame("i", rf"{I_DO} go (?P<value>[a-z-]{{3,15}}ing)(?= (?:every|on|with|twice|once|a lot|each|most|regularly)\b)",
          ("hobby", HOLDS, "value")),
    frame("i", rf"{I_DO} (?:do|practi[cs]e) (?P<value>yoga|karate|judo|pilates|tai chi|aikido|taekwondo|boxing|"
          rf"crossfit|" r"pottery|calligraphy|martial arts|gymnastics|ballet|meditation)\b",
          ("hobby", HOLDS, "value")),
    frame("ij", r"(?:I(?:'ve| have)?+(?: just)?+ )?+joined (?:an? |the )(?=(?:[\w-]{1,20} ){0,2}(?:choir|band|"
          r"club|team|gym|" r"orchestra|league)\b)", ("hobby", HOLDS, values.phrase)),
    frame("i", r"(?:I've|I have) taken up ", ("hobby", HOLDS, values.phrase)),
    frame("m", r"my (?:main |only |favou?rite )?hobb(?:y is|ies are) ", ("hobby", HOLDS, values.several)),
    frame("i", rf"{I_DO} (?P<value>knit|crochet|paint|draw|sew|bake|garden|dance|surf|ski|climb|hike|sing|swim|"
          rf"run|fence|" r"embroider)(?= ?(?:[.,!]|$| every\b| a lot\b| for fun\b| \d+ ?k\b| on \w+days\b| most\b))",
          ("hobby", HOLDS, "value")),
    frame("i", r"I can (?P<value>juggle|code|ski|swim|sew|whistle|yodel|skate|knit|surf|type|weld|solder|sail|"
          r"ride a horse|" r"read music|do magic)\b", ("skill", HOLDS, "value")),
    frame("i", rf"(?:I know how to|{I_AM} good at) ", ("skill", HOLDS, values.phrase)),
    frame("i", rf"(?:{I_DO} speak|{I_AM} fluent in|{I_AM} (?:learning|studying)|I(?:'ve| have) been learning) "
          r"(?:fluent |some |a bit of |a little )?+", ("language", HOLDS, values.languages)),
    frame("i", rf"(?:{I_DO} play|{I_AM} (?:learning|playing)|(?:I've|I have) (?:been )?(?:playing|learning|played)|"
          r"I(?:'m| am) learning to play) (?:the )?", ("instrument", HOLDS, values.one_of(INSTRUMENTS))),
    frame("i", rf"{I_DO} play ", ("sport", HOLDS, values.one_of(SPORTS))),
    frame("i", r"I used to play (?:the )?", ("instrument", HELD, values.one_of(INSTRUMENTS)),
          ("sport", HELD, values.one_of(SPORTS))),
    frame("isqg", r"(?:I )?(?:(?:'ve|have) )?(?:just |finally )?+(?:stopped|quit|gave up|given up|dropped|don't do) "
          r"(?:playing |doing |going |learning |practi[cs]ing )?(?:the |my |to )?(?!job\b|smoking\b|"
          r"taking\b|out\b)", ("other", ENDED, values.phrase)),
    frame("i", r"I've (?:stopped|quit|given up|dropped) (?:playing |doing |going |learning )?(?:the |my |to )?"
          r"(?!job\b|smoking\b|taking\b|out\b)", ("other", ENDED, values.phrase)),
    # what they have
    frame("iwbg", rf"(?:{I_DO} drive|(?:{DID}(?:bought|got)|{I_NOW_HAVE})) (?:an? |my )",
          ("car", HOLDS, values.among(CAR_MAKES))),
    frame("m", r"my (?:new )?car(?: is|'s) (?:an? )", ("car", HOLDS, values.phrase)),
    frame("m", r"my (?:new )?(?:bike|bicycle)(?: is|'s) (?:an? )", ("bike", HOLDS, values.phrase)),
    frame("iwb", rf"{DID}bought (?:an? |my first )",
          ("possession", HOLDS, THING)),
    frame("iwsg", rf"{DID}(?:sold|gave away|given away|got rid of|crashed|totalled|scrapped) (?:the|my|our) "
          rf"(?!(?:car|bike)\b)", ("other", ENDED, values.phrase)),
    frame("iwsg", rf"{DID}(?:sold|gave away|got rid of|crashed|totalled|scrapped) (?:the|my|our) car\b",
          ("car", ENDED, "")),
    frame("iwsg", rf"{DID}(?:sold|gave away|got rid of) (?:the|my|our) bike\b", ("bike", ENDED, "")),
    frame("s", r"some(?:one|body) (?:has |just )?+stole my (?=bike|bicycle)", ("bike", ENDED, "")),
    frame("m", r"my (?:bike|bicycle) (?:was|got|has been|is) (?:just )?+(?:stolen|gone)\b", ("bike", ENDED, "")),
    frame("m", r"my car (?:was|got|has been|is) (?:just )?+(?:stolen|totalled|gone|scrapped)\b", ("car", ENDED, "")),
    # what is to come
    frame("iwg", rf"(?:{I_NOW_HAVE}|I've|got) an? (?P<value>(?:[\w'-]{{2,20}} ){{1,2}}?)(?:appointment|check-?up)\b",
          ("appointment", HOLDS, "value"), dated=True),
    frame("iwg", rf"(?:{I_NOW_HAVE}|I've|got) an appointment (?:with|at) (?:the |my |a )?(?P<value>(?:Dr\.? "
          rf")?[\w'-]{{2,20}})", ("appointment", HOLDS, "value"), dated=True),
    frame("iwg", rf"(?:{I_NOW_HAVE}|I've|got) an? (?P<value>(?:[\w'-]{{2,20}} ){{0,2}}?(?:meeting|interview|exam|"
          rf"surgery|operation|" r"hearing|viewing)(?: with (?:the |my |a )?[\w'-]{2,20})?+)",
          ("appointment", HOLDS, "value"), dated=True),
    frame("mo", r"(?:my|our) (?P<value>[\w'-]{2,20}) (?:appointment|exam|interview|surgery) (?:is|'s) (?:now "
          r")?(?:on|at) ", ("appointment", HOLDS, "value"), dated=True),
    frame("mt", r"(?:my|the) appointment (?:is|'s) (?:now )?(?:on|at) (?=[^.!?]{1,40}\bnow\b)",
          ("appointment", MOVED, ""), dated=True),
    frame("mt", r"(?:my|the|our) (?P<value>[\w' -]{2,40}?)(?: (?:appointment|exam))? (?:has been|was|is|got|has) "
          r"(?:now )?(?:moved|"
          r"postponed|put off|pushed back|pushed|rescheduled|brought forward|delayed) (?:back )?(?:to|until|till) ",
          ("appointment", MOVED, "value"), dated=True),
    frame("tiw", r"(?:they|I|we|he|she)(?: had to| have|'ve| just)?+ (?:moved|move|postponed|put|pushed|"
          r"rescheduled) (?:my|the|our) "
          r"(?P<value>[\w'-]{2,20}(?: with the [\w'-]{2,20})?)(?: appointment)?(?: off| back)? (?:to|until|till) ",
          ("appointment", MOVED, "value"), dated=True),
    frame("mt", r"(?:my|the|our) (?P<value>[\w' -]{2,40}?)(?: appointment)? (?:has been|was|is|got) (?:now "
          r")?(?:cancelled|canceled|" r"called off)", ("appointment", ENDED, "value")),
    frame("t", r"the (?P<value>[\w'-]{2,20}) (?:has )?cancell?ed on me\b", ("appointment", ENDED, "value")),
    frame("i", r"I(?:'ve| have| had to)?+ cancell?(?:ed)? (?:my|the) (?P<value>[\w' -]{2,40}?)(?: "
          r"appointment)?(?= ?(?:[.,!]|$))", ("appointment", ENDED, "value")),
    frame("iw", rf"(?:{I_AM}|we're|we are) (?:flying|travell?ing|going|driving|off) to ",
          ("trip", HOLDS, values.place), dated=True),
    frame("mo",
          r"(?:my|our) (?:flight|train|trip|holiday|vacation) to (?P<value>[^\W\d_][\w' -]{1,30}?) is (?:on|in) ",
          ("trip", HOLDS, "value"), dated=True),
    frame("iw", rf"(?:{I_AM}|we're|we are) (?=moving to [^\W\d_])", ("plan", HOLDS, values.plan)),
    frame("mi", rf"(?:my (?:big |main )?(?:goal|dream) is to|{I_AM} (?:training for|saving (?:up )?for)) ",
          ("goal", HOLDS, values.clause)),
    # what the companion is to do
    frame("pdns", r"(?:please,? |(?<!and )(?<!but )(?<!, ))(?=(?:don't|do not|never|stop) (?:ever )?(?:mention|"
          r"mentioning|bring up|"
          r"bringing up|bring [\w' ]{2,20} up\b|call me|calling me|talk about|talking about|remind me (?:of|"
          r"about)|" r"ask me about|asking me about|use|using|suggest|recommend|send me|tell me (?:about|that))\b)"
          r"(?!(?:don't|do not|never) call me (?:back|now|later|today|tomorrow|before|after|at)\b)",
          ("instruction", HOLDS, values.rest)),
    frame("fpa", r"(?:from now on,? (?:please )?|please (?=(?:always )?(?:answer|reply|respond|speak|talk|"
          r"write)(?: to me)? (?:in|with) "
          r"(?!this|the)|always )|(?<!and )(?<!but )(?<!, )(?=always (?:answer|reply|call me)\b))",
          ("instruction", HOLDS, values.rest)),
)
# fmt: on
# These presuppose what they say: they count wherever they stand, in a question too.
KIN: Final = re.compile(
    rf"\b(?<!late )(?:my|our) (?:{SOME} )*+(?P<of>{PEOPLE}|{PETS}){NAMED}(?=\w)(?!(?:late|ex)\b)", re.IGNORECASE
)
HAVE_KIN: Final = re.compile(
    rf"(?:{I_NOW_HAVE}|(?:I|we) (?:just )?+(?:adopted|bought)) (?:{SOME} )*+(?:[\w-]{{3,15}} )?(?P<of>{PEOPLE}|{PETS})"
    r"(?:,? called|,? named|,|:) (?=\w)",
    re.IGNORECASE,
)
ITS_NAME: Final = re.compile(
    r"(?:his|her|its|their) names? (?:is|are) |(?:I've|I have|we) called (?:her|him|it) ", re.IGNORECASE
)
A_PET: Final = re.compile(
    rf"(?:{I_NOW_HAVE}|(?:I|we)(?: have|'ve)? (?:just )?+(?:adopted|bought)) an? (?:[\w-]{{3,15}} )?(?:{PETS})\b",
    re.IGNORECASE,
)
A_PARTNER: Final = re.compile(
    rf"{I_AM} (?:seeing|dating) some(?:one|body)(?: new)?,? (?:his|her|their) name(?:'s| is) ", re.IGNORECASE
)
DIED: Final = re.compile(
    r"(?:^|(?<=, ))(?P<value>[^\W\d_][\w'-]{1,20}) (?:has )?(?:died|passed away|flew away|ran away|was put "
    r"down|is gone)\b"
)
TOGETHER: Final = re.compile(
    r"(?:^|(?<=, ))(?P<value>[^\W\d_][\w'-]{1,20}) and I (?P<did>are together|are dating|are a couple|got "
    r"(?:engaged|married)|broke up|split up|separated|got divorced)\b"
)
