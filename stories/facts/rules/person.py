"""Frames of who somebody is, where they live, what they work at, with whom they live, and how they are."""

from __future__ import annotations

import re
from typing import Final

from stories.facts.rules import values
from stories.facts.rules.framing import (
    ANY,
    BARE,
    DATE,
    DID,
    ENDED,
    HELD,
    HOLDS,
    I_AM,
    I_DO,
    I_HAVE,
    I_NOW_HAVE,
    NO_MORE,
    PETS,
    SOMEBODY,
    SURELY,
    TENS,
    TRADE,
    Frame,
    frame,
)
from stories.facts.rules.words import CONDITIONS, MEDICATIONS, NATIONALITIES

# fmt: off
PERSON: Final[tuple[Frame, ...]] = (
    # who they are
    frame("mtni",
          rf"(?:hi,? )?(?:my (?:full |real |first )?name(?: is|'s)|(?:the )?name's|{I_HAVE} changed my name to) ",
          ("name", HOLDS, values.called)),
    frame("i", rf"{I_AM} (?=[^\W\d_])", ("name", HOLDS, values.introduced)),
    frame(ANY, r"(?<!and )(?<!with )(?<!see )(?P<value>[^\W\d_]{2,15}) here(?=[.,!]|$)",
          ("name", HOLDS, values.named)),
    frame("i", r"(?:I'm|I am) (?P<value>(?-i:[A-Z])[^\W\d_]{1,20}(?: (?-i:[A-Z])[^\W\d_]{1,20})?), \d{2}(?=[,.!]|"
          r"$| years?\b| and\b)",
          ("name", HOLDS, "value")),
    frame("sht", r"(?P<value>(?:she|he|they)/(?:her|him|them|they|she|he))\b", ("pronouns", HOLDS, "value")),
    frame("i", rf"{I_AM} [^\W\d_][^.,;!?]{{1,30}}, (?P<value>\d{{2}}|{TENS}(?:-\w{{3,5}})?)(?=[,.!]|$| years?\b| "
          rf"and\b)",
          ("age", HOLDS, "value")),
    frame("0123456789", rf"{BARE}(?P<value>\d{{2}}) today(?=[.,!]|$)", ("age", HOLDS, "value")),
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
    frame("i", rf"I(?:'ll| will)? (?:turn|be) \d{{1,2}} on {DATE}", ("birthday", HOLDS, "value")),
    frame("i", rf"I was born (?:in [^\W\d_][\w ]{{1,30}} )?on {DATE}", ("birthday", HOLDS, "value")),
    frame("m", r"my pronouns are (?P<value>\w{2,5}/\w{2,5})", ("pronouns", HOLDS, "value")),
    frame("i", rf"{I_AM} (?:a |an )?(?P<value>woman|man|trans (?:wo)?man|non-?binary)(?= ?(?:[,.!]|$| and\b))",
          ("gender", HOLDS, "value")),
    frame("i", rf"{I_AM} (?:half )?(?P<value>{'|'.join(sorted(NATIONALITIES))})(?= ?(?:[,.!]|$| and\b| but\b| by\b))",
          ("nationality", HOLDS, "value")),
    frame("i",
          rf"{I_AM} (?:an? )?(?:practi[cs]ing |devout )?(?P<value>catholic|muslim|jewish|christian|hindu|buddhist|"
          r"atheist|agnostic|sikh|protestant|orthodox|mormon|quaker|methodist|lutheran|baptist)(?= ?(?:[,.!]|$| "
          r"and\b))",
          ("religion", HOLDS, "value")),
    frame("i", rf"{I_AM} an? (?P<value>aries|taurus|gemini|cancer|leo|virgo|libra|scorpio|sagittarius|capricorn|"
          r"aquarius|pisces)(?= ?(?:[,.!]|$| and\b| if\b))", ("zodiac", HOLDS, "value")),
    frame("i", rf"{I_AM} (?P<value>\d[\d.,']{{0,4}} ?(?:m|cm|ft|feet|\")?) tall", ("height", HOLDS, "value")),
    frame("i", r"I weigh (?:about |around )?+(?P<value>\d{2,3} ?(?:kg|kilos?|lbs?|pounds|stone))",
          ("weight", HOLDS, "value")),
    frame("m", r"my blood (?:type|group) is (?P<value>(?:ab|a|b|o|0)[ -]?(?:\+|-|positive|negative)?+)",
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
    frame("i", r"(?:I'm|I am) [^\W\d_][^.;!?]{1,40}?, from ", ("hometown", HOLDS, values.place)),
    frame("iwm", rf"{BARE}{DID}moved out of ", ("home", HELD, values.place)),
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
    frame("yhicre", r"(?:you can |hit me up |I can be )?(?:reach(?:ed)?|e-?mail|write to|contact|hit)?(?: "
          r"me)?(?: up)? ?at (?=[\w.+-]{1,64}@)",
          ("email", HOLDS, values.address)),
    # what they do
    frame("i", rf"{I_DO} (?P<value>teach [a-z]{{3,20}}(?: [a-z]{{3,20}})?|drive an? (?:cab|taxi|bus|truck|lorry|"
          rf"tram|train|van)|"
          r"write (?:[a-z]{3,12} )?(?:novels|books|software|code|plays|poems|poetry|songs))(?= ?(?:[,.!]|$| at\b|"
          r" in\b| for\b| to\b| and\b| nights\b| days\b))",
          ("occupation", HOLDS, "value")),
    frame("i", rf"{I_DO} teach(?: [a-z]{{3,20}}){{0,2}} at ", ("employer", HOLDS, values.organisation)),
    frame("m f".replace(" ", ""), rf"{BARE}(?:my )?first (?:day|week|shift) (?:at|with) ",
          ("employer", HOLDS, values.organisation)),
    frame("s", rf"{BARE}(?:started|starting) (?:work |my (?:new )?job )?(?:at|with) ",
          ("employer", HOLDS, values.organisation)),
    frame("i", r"(?:I'm|I am) employed (?:by|at|with) ", ("employer", HOLDS, values.organisation)),
    frame("i", r"I (?:have|'ve got|got) an? (?:(?:part|full)[ -]time |new |summer |weekend )?job (?:at|with) ",
          ("employer", HOLDS, values.organisation)),
    frame("i", rf"{I_DO} work (?:weekends|nights|evenings|days|shifts|mornings) (?:at|for) ",
          ("employer", HOLDS, values.organisation)),
    frame(ANY, rf"{BARE}{SOMEBODY}(?: [A-Z][^\W\d_]{{2,20}})? (?:has |have )?(?:let me "
          rf"go|fired me|laid me off|sacked me|made me redundant)\b",
          ("employer", ENDED, "")),
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
    frame("tyfm", r"(?:(?:today|yesterday|\w{3,6}day) )?(?:was|is) my last day (?:at|with|of work)\b",
          ("employer", ENDED, "")),
    frame("tdmwro", rf"{BARE}(?:(?:the|my|our) )(?:{PETS}) (?:has )?(?:died|passed away|ran away|was put down|is "
          rf"gone)\b",
          ("pet", ENDED, "")),
    frame("iwg", rf"{DID}(?:gave|given) (?:my|our|the) (?:{PETS}) (?:to|away)\b", ("pet", ENDED, "")),
    frame("iqlf", rf"{DID}(?:quit|left|lost|resigned from|gave up) my (?:old )?job\b", ("employer", ENDED, "")),
    frame("ig", r"(?:I )?(?:just )?+(?:got|was|have been) (?:fired|laid off|made redundant|sacked)\b",
          ("employer", ENDED, "")),
    frame("i", r"I (?:no longer work|don't work|do not work) (?:at|for) ",
          ("employer", HELD, values.if_no_more(values.organisation)),
          ("employer", ENDED, values.if_no_more(values.phrase))),
    frame("i", rf"(?:{I_DO} study|{I_AM} studying|{I_AM} majoring in|I major in) ",
          ("studies", HOLDS, values.subject)),
    frame("im", r"(?:I(?:'ve| have)?+ (?:switched|changed) my major to|majoring in|(?:I'm|I am) (?:doing|in|"
          r"starting) "
          r"[^.,;!?]{0,25}?\b(?:ph\.?d|master'?s?|bachelor'?s?|degree|doctorate)(?: degree)? in) ",
          ("studies", HOLDS, values.subject)),
    frame("i", rf"(?:{I_DO} study|{I_AM} studying|{I_AM} a (?:student|freshman|junior|sophomore|senior)) "
          r"(?:[^.,;!?]{2,40}? )?at ", ("school", HOLDS, values.organisation)),
    frame("i", rf"{I_AM} (?:in )?(?:my |an? )?[a-z]{{4,12}}(?: year)? (?:of [^.,;!?]{{2,50}}? )?at (?=(?:the "
          rf")?(?:Uni|[A-Z][^.,;!?]{{2,30}}? (?:Uni|Coll|State|School|Inst|Acad)))",
          ("school", HOLDS, values.organisation)),
    frame("ig", rf"{DID}graduated\b", ("studies", ENDED, ""), ("school", ENDED, "")),
    frame("id", rf"{DID}dropped out of (?!the |my )", ("studies", ENDED, values.phrase)),
    frame("id", rf"{DID}dropped out of (?:the |my )?(?:ph\.?d|degree|uni|university|college|school|course|"
          rf"program|programme|master'?s)\b", ("studies", ENDED, ""), ("school", ENDED, "")),
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
    frame(ANY, rf"{BARE}{SOMEBODY} (?:has |just )?(?:left|dumped|broke up with) me\b(?! "
          rf"(?:a|an|the|alone|with|here|there|in|on|at)\b)",
          ("partner", ENDED, "value")),
    frame(ANY, rf"{BARE}{SOMEBODY} (?:has |just )?moved out(?=[,.!]|$| of our\b)",
          ("roommate", ENDED, "value")),
    frame(ANY, rf"(?:{SOMEBODY}|I|we|they) called off the engagement\b",
          ("relationship", ENDED, "engaged")),
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
    frame("io", rf"{BARE}(?:{I_AM} )?(?:completely )?off (?:the |my )?",
          ("medication", HELD, values.among(MEDICATIONS))),
    frame("td", r"(?:the|my) doctor (?:took|has taken) me off ", ("medication", ENDED, values.phrase)),
    frame("tmd", r"(?:(?:the|my) doctor|they)(?: has| have)?+ (?:put me on|(?:switched|changed|moved) me (?:from "
          r"[\w ]{3,20} )?to"
          r"(?: (?:tablets|pills|injections) called)?|gave me|prescribed me) ",
          ("medication", HOLDS, values.among(MEDICATIONS, before=re.compile(r" (?:for|against|instead|\d|in)\b")))),
    frame("tmd", r"(?:(?:the|my) doctor|they)(?: has| have)?+ (?:switched|changed|moved) me from ",
          ("medication", ENDED, values.among(MEDICATIONS, before=re.compile(r" to\b")))),
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
    frame("is", rf"(?:{I_AM} )?smoke[- ]free\b", ("smoking", HOLDS, "no")),
    frame("ists", r"(?:I )?(?:have |'ve )?+(?:just |finally )?+(?:quit|stopped|gave up|given up) smoking\b",
          ("smoking", HOLDS, "no")),
    frame("is", r"(?:I(?:'ve| have)? )?started smoking\b", ("smoking", HOLDS, "yes")),
    frame("i", rf"{I_AM} a (?:non-?|ex-?)smoker\b", ("smoking", HOLDS, "no")),
    frame("i", rf"(?:{I_AM} a (?:heavy )?smoker|I smoke (?:a pack|cigarettes|\d))\b", ("smoking", HOLDS, "yes")),
    frame("i", rf"(?:I (?:don't|do not|no longer|never) drink(?: (?:any )?alcohol)?(?= ?(?:[,.!]|$| any ?more| "
          rf"at all| since| for))|{I_AM} "
          r"(?:sober|teetotal))", ("alcohol", HOLDS, "no")),
)
# fmt: on
