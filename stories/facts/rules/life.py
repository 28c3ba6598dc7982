"""Frames of what somebody likes, has and plans, and of what the companion is to do."""

from __future__ import annotations

from typing import Final

from stories.facts.rules import values
from stories.facts.rules.framing import (
    ANY,
    BARE,
    DID,
    ENDED,
    HELD,
    HOLDS,
    I_AM,
    I_DO,
    I_NOW_HAVE,
    MEETING,
    MOVED,
    SURELY,
    THING,
    Frame,
    frame,
)
from stories.facts.rules.words import CAR_MAKES, INSTRUMENTS, SPORTS

# fmt: off
LIFE: Final[tuple[Frame, ...]] = (
    # what they like and can
    frame("i", rf"(?:{I_DO} (?:love|like|enjoy|adore)|{I_AM} (?:obsessed with|crazy about|fond of|into|an? (?:big "
          rf"|huge )?fan " r"of)) ", ("likes", HOLDS, values.liked)),
    frame("i", rf"(?:{I_DO} (?:hate|dislike|detest|loathe)|I (?:really |absolutely )?+(?:can't|cannot) (?:stand|"
          rf"bear)|"
          r"I (?:really )?+(?:don't|do not)(?: really)?+ (?:like|enjoy)) (?!to\b)",
          ("dislikes", HOLDS, values.disliked)),
    frame("i", rf"{I_AM} an? (?:big |huge |lifelong |massive )?(?P<value>[^\W\d_][\w' -]{{1,25}}?) (?:fan|"
          rf"supporter)(?=[,.!]|$| and\b)",
          ("likes", HOLDS, "value")),
    frame("o", rf"{BARE}(?:totally |completely )?obsessed with ", ("likes", HOLDS, values.liked)),
    frame("c", rf"{BARE}(?:really |absolutely )?(?:can't|cannot) (?:stand|bear) ",
          ("dislikes", HOLDS, values.disliked)),
    frame("m", r"my (?:all[- ]time )?fav(?:ou?rite)? (?P<of>[\w-]{2,20}(?: [\w-]{2,20})?)(?: is|'s| has always "
          r"been) ",
          ("favorite", HOLDS, values.favourite)),
    frame("i", rf"{I_DO} go (?P<value>[a-z-]{{3,15}}ing)(?= (?:every|on|with|twice|once|a lot|each|most|"
          rf"regularly)\b)",
          ("hobby", HOLDS, "value")),
    frame("i", rf"{I_DO} (?:do|practi[cs]e) (?P<value>yoga|karate|judo|pilates|tai chi|aikido|taekwondo|boxing|"
          rf"crossfit|" r"pottery|calligraphy|martial arts|gymnastics|ballet|meditation)\b",
          ("hobby", HOLDS, "value")),
    frame("ij", r"(?:I(?:'ve| have)?+(?: just)?+ )?+joined (?:an? |the )(?=(?:[\w-]{1,20} ){0,2}(?:choir|band|"
          r"club|team|gym|group|society|class|" r"orchestra|league)\b)", ("hobby", HOLDS, values.phrase)),
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
    frame("i", rf"{I_DO} play (?P<value>bridge|poker|backgammon|scrabble|go|mahjong|dominoes|bingo|video games)"
          r"(?= ?(?:[.,!]|$| on\b| every\b| with\b| at\b| most\b))", ("hobby", HOLDS, "value")),
    frame("i", rf"{I_DO} sing (?:[a-z]{{3,10}} )?in (?:an? |the |our |my )", ("hobby", HOLDS, values.phrase)),
    frame("i", r"(?:I've|I have) been (?P<value>[a-z-]{3,15}ing)(?= (?:every|for (?:\w+ )?(?:years|months)|on "
          r"\w+days?|twice|since)\b)",
          ("hobby", HOLDS, "value")),
    frame("i", rf"{I_DO} play ", ("sport", HOLDS, values.one_of(SPORTS))),
    frame("i", r"I used to play (?:the )?", ("instrument", HELD, values.one_of(INSTRUMENTS)),
          ("sport", HELD, values.one_of(SPORTS))),
    frame("isqg", r"(?:I )?(?:(?:'ve|have) )?(?:just |finally )?+(?:stopped|quit|gave up|given up|dropped|don't do) "
          r"(?:playing |doing |going |learning |practi[cs]ing )?(?:the |my |to )?(?!job\b|smoking\b|"
          r"taking\b|out\b)", ("other", ENDED, values.phrase)),
    frame("i", r"I've (?:stopped|quit|given up|dropped) (?:playing |doing |going |learning )?(?:the |my |to )?"
          r"(?!job\b|smoking\b|taking\b|out\b)", ("other", ENDED, values.phrase)),
    frame("i", r"I (?:no longer|don't|do not) (?:like|love|follow|play|do|drive|have|go to|go|read|watch|support|"
          r"eat) (?:the |my )?",
          ("other", ENDED, values.if_no_more(values.phrase))),
    frame("m", r"(?<=no )more ", ("other", ENDED, values.for_me)),
    frame("i", r"(?:I've|I have|I) (?:given|gave) (?:the |my )?(?P<value>[\w -]{2,25}?) up(?=[,.!]|$| for\b| "
          r"because\b)",
          ("other", ENDED, "value")),
    frame(ANY, rf"{BARE}(?:the |my |our )?(?P<value>[^\W\d_][\w'-]{{1,20}}(?: [\w'-]{{2,20}})??)"
          r"(?:(?: thing| trip| holiday| flight)? (?:is|are|was|has been|got) (?:now )?(?:history|over for me|sold|"
          r"scrapped|called off|cancell?ed)|(?: thing| trip| holiday| flight) is off)(?=[,.!]|$| to\b)",
          ("other", ENDED, "value")),
    # what they have
    frame("tsfgpd", rf"{BARE}(?:traded|swapped|part-exchanged) (?:in )?(?:the|my|our) (?P<value>[\w' "
          rf"-]{{2,25}}?) (?:in )?for ",
          ("other", ENDED, "value")),
    frame("t", rf"{BARE}(?:traded|swapped|part-exchanged) (?:in )?(?:the|my|our) [\w' -]{{2,25}}? (?:in )?for "
          rf"(?:an? |my )",
          ("car", HOLDS, values.among(CAR_MAKES))),
    frame("fpd", rf"{BARE}(?:flogged|donated|packed in|pawned) (?:the|my|our) ", ("other", ENDED, values.thing)),
    frame("iw", r"(?:I|we) own (?:an? |my own |our own )", ("possession", HOLDS, values.things)),
    frame("iw", rf"(?:(?:I|we){SURELY}{{0,2}}+ (?:have|got)|(?:I've|we've)(?: got)?+) (?:an? |my own |our own "
          rf")(?=[\w ]{{0,20}}?\b(?:workshop|fish tank|aquarium|greenhouse|cabin|cottage|boat|allotment|sauna|"
          rf"piano)\b)",
          ("possession", HOLDS, THING)),
    frame("i", rf"{I_DO} ride (?:an? |my )(?=[A-Z])", ("bike", HOLDS, values.phrase)),
    frame("iwbg", rf"{DID}(?:bought|got)(?: (?:myself|ourselves))? (?:an? )?(?:new |old |used |second[- ]hand "
          rf")*(?:motorbike|moped|scooter|bike), an? ", ("bike", HOLDS, values.phrase)),
    frame("iwbg", rf"(?:{I_DO} drive|(?:{DID}(?:bought|got)(?: (?:myself|ourselves))?|{I_NOW_HAVE})) (?:an? |my )",
          ("car", HOLDS, values.among(CAR_MAKES))),
    frame("m", r"my (?:new )?(?:car|cab|taxi|van|truck)(?: is|'s) (?:an? )", ("car", HOLDS, values.phrase)),
    frame("m", r"my (?:new )?(?:bike|bicycle)(?: is|'s) (?:an? )", ("bike", HOLDS, values.phrase)),
    frame("iwb", rf"{DID}bought (?:an? |my first )",
          ("possession", HOLDS, THING)),
    frame("iwsg", rf"{DID}(?:sold|gave away|given away|got rid of|crashed|totalled|scrapped) (?:the|my|our) "
          rf"(?!(?:car|bike)\b)", ("other", ENDED, values.thing)),
    frame("iwsg", rf"{DID}(?:sold|gave away|got rid of|crashed|totalled|scrapped) (?:the|my|our) car\b",
          ("car", ENDED, "")),
    frame("iwsg", rf"{DID}(?:sold|gave away|got rid of) (?:the|my|our) bike\b", ("bike", ENDED, "")),
    frame("s", r"some(?:one|body) (?:has |just )?+stole my (?=bike|bicycle)", ("bike", ENDED, "")),
    frame("mt", r"(?:my|the) (?:bike|bicycle|moped|motorbike|scooter) (?:was|got|has been|is) (?:just "
          r")?+(?:stolen|gone|sold)\b", ("bike", ENDED, "")),
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
    frame("mt", r"(?:my|the) appointment (?:is|'s) (?:(?:on|at) (?=[^.!?]{1,40}\bnow\b)|now (?:on|at) )",
          ("appointment", MOVED, ""), dated=True),
    frame("th", r"(?:they|he|she)(?: have|'ve| has)? (?:moved|put|pushed) (?:me|it) (?:back |forward )?(?:to|"
          r"till|until) ",
          ("appointment", MOVED, ""), dated=True),
    frame("mo", rf"(?:my|our) (?P<value>{MEETING}) (?:is|'s) (?:now )?(?:on|at) ",
          ("appointment", HOLDS, "value"), dated=True),
    frame("tm", rf"the (?P<value>{MEETING}) (?:is|'s) (?:on|at) ", ("appointment", HOLDS, "value"), dated=True),
    frame(ANY, rf"{BARE}(?P<value>{MEETING}|physio|dentist|optician|therapy|vet)(?: "
          rf"(?:for|at|with) [\w' ]{{2,30}}?)? (?=on\b|\d|tomorrow\b)",
          ("appointment", HOLDS, "value"), dated=True),
    frame("i", r"(?:I'm|I am) due (?:at|to see) (?:the |my )(?P<value>[\w'-]{2,20}) ",
          ("appointment", HOLDS, "value"), dated=True),
    frame(ANY, rf"{BARE}(?!the |my |our |they |I |we |he |she )(?P<value>[^\W\d_][\w' -]{{2,25}}?)s? (?:(?:got|"
          rf"was|were|"
          r"has been|is) (?:moved|put off|pushed)|(?:(?:got|was|were|has been|is) )?(?:pushed back|postponed|"
          r"rescheduled))(?: (?:by )?(?:a|one|two) weeks?)?,? (?:to|till|until|now) ",
          ("other", MOVED, "value"), dated=True),
    frame("c", rf"{BARE}cancell?ed (?:the|my) ", ("appointment", ENDED, values.phrase)),
    frame("mt", r"(?:my|the|our) (?P<value>[\w' -]{2,40}?)(?: (?:appointment|exam))? (?:has been|was|is|got|has) "
          r"(?:now )?(?:moved|"
          r"postponed|put off|pushed back|pushed|rescheduled|brought forward|delayed) (?:back )?(?:to|until|till) ",
          ("appointment", MOVED, "value"), dated=True),
    frame("tiw", r"(?:they|I|we|he|she)(?: had to| have|'ve| just)?+ (?:moved|move|postponed|put|pushed|"
          r"rescheduled) (?:my|the|our) "
          r"(?P<value>[\w' -]{2,40}?)(?: appointment)?(?: off| back)? (?:to|until|till) ",
          ("appointment", MOVED, "value"), dated=True),
    frame("mt", r"(?:my|the|our) (?P<value>[\w' -]{2,40}?)(?: appointment)? (?:has been|was|is|got) (?:now "
          r")?(?:cancelled|canceled|" r"called off)", ("appointment", ENDED, "value")),
    frame("t", r"the (?P<value>[\w'-]{2,20}) (?:has )?cancell?ed on me\b", ("appointment", ENDED, "value")),
    frame("i", r"I(?:'ve| have| had to)?+ cancell?(?:ed)? (?:my|the) (?P<value>[\w' -]{2,40}?)(?: "
          r"appointment)?(?= ?(?:[.,!]|$))", ("appointment", ENDED, "value")),
    frame(ANY, rf"(?:{BARE}|[A-Z][^\W\d_]{{1,15}} and I are )(?:flying|travell?ing|off) to ",
          ("trip", HOLDS, values.place), dated=True),
    frame("chwrt", rf"{BARE}(?:conference|holiday|wedding|retreat|trip|weekend|workshop) (?:in|to) ",
          ("trip", HOLDS, values.place), dated=True),
    frame("iw", r"(?:I|we) (?=move to [^\W\d_][^.!?]{2,30} (?:on|in|next)\b)", ("plan", HOLDS, values.plan)),
    frame("iw", rf"(?:{I_AM}|we're|we are) (?:flying|travell?ing|going|driving|off) to ",
          ("trip", HOLDS, values.place), dated=True),
    frame("mo",
          r"(?:my|our) (?:flight|train|trip|holiday|vacation) to (?P<value>[^\W\d_][\w' -]{1,30}?) is (?:on|in) ",
          ("trip", HOLDS, "value"), dated=True),
    frame("iw", rf"(?:{I_AM}|we're|we are) (?=moving to [^\W\d_])", ("plan", HOLDS, values.plan)),
    frame("mi", rf"(?:my (?:big |main )?(?:goal|dream)(?: for [a-z ]{{3,15}})?(?: is to| is|:(?: to)?)|{I_AM} "
          rf"(?:training for|saving (?:up )?for)) ",
          ("goal", HOLDS, values.clause)),
    # what the companion is to do
    frame("pdns", r"(?:please,? |(?<!and )(?<!but )(?<!, ))(?=(?:don'?t|do not|never|stop) (?:ever )?(?:mention|"
          r"mentioning|bring up|"
          r"bringing up|bring [\w' ]{2,20} up\b|talk to me about|call me|calling me|talk about|talking about|"
          r"remind me (?:of|"
          r"about)|" r"ask me about|asking me about|use|using|suggest|recommend|send me|tell me (?:about|that))\b)"
          r"(?!(?:don't|do not|never) call me (?:back|now|later|today|tomorrow|before|after|at)\b)",
          ("instruction", HOLDS, values.rest)),
    frame("p", r"please (?=be (?:brief|concise|short|gentle|honest|blunt|direct|kind|formal|informal|polite|"
          r"quiet)\b)",
          ("instruction", HOLDS, values.rest)),
    frame("k", r"(?=keep your (?:answers|replies|messages) (?:short|brief|snappy|simple|light|concise)\b)",
          ("instruction", HOLDS, values.rest)),
    frame(ANY, r"(?<!so no )(?<=no )(?P<value>[\w ]{3,25}?),? please\b",
          ("instruction", HOLDS, "no {value}")),
    frame("fpa", r"(?:from now on,? (?:please )?|please (?=(?:always )?(?:answer|reply|respond|speak|talk|"
          r"write)(?: to me)? (?:in|with) "
          r"(?!this|the)|always )|(?<!and )(?<!but )(?<!, )(?=always (?:answer|reply|call me)\b))",
          ("instruction", HOLDS, values.rest)),
)
# fmt: on
