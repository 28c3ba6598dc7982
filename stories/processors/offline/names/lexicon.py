"""Word lists that tell names of people from other capitalised words."""

from __future__ import annotations

from stories.processors.offline.words import listed

# Relations to one person, by the word that names them in a story.
KIN = {
    "mother": "mother", "mom": "mother", "mum": "mother", "mama": "mother", "father": "father", "dad": "father",
    "papa": "father", "sister": "sister", "brother": "brother", "son": "son", "daughter": "daughter", "wife": "wife",
    "husband": "husband", "grandmother": "grandmother", "grandma": "grandmother", "granny": "grandmother",
    "grandfather": "grandfather", "grandpa": "grandfather", "granddad": "grandfather", "aunt": "aunt",
    "uncle": "uncle", "niece": "niece", "nephew": "nephew", "girlfriend": "girlfriend", "boyfriend": "boyfriend",
    "fiancé": "fiancé", "fiancée": "fiancée", "fiance": "fiancé", "partner": "partner", "stepmother": "stepmother",
    "stepfather": "stepfather", "stepmom": "stepmother", "stepdad": "stepfather", "grandson": "grandson",
    "granddaughter": "granddaughter",
}  # fmt: skip
ROLES = listed(
    """friend friends buddy pal mate boss manager colleague coworker co-worker teammate neighbor neighbour roommate
    flatmate teacher coach doctor therapist mentor trainer cousin twin ex classmate professor tutor student client
    nurse dentist physio chef trainer instructor principal accountant lawyer
    landlord landlady plumber electrician carpenter barber hairdresser midwife vet baker butcher gardener nanny
    babysitter priest vicar owner host guide driver pilot singer guitarist drummer intern apprentice assistant
    supervisor director widow widower godmother godfather godson goddaughter housemate stepbrother stepsister bloke lad
    skipper captain judge tenant
    kid kids son sons daughters sisters brothers cousins partner crush girl guy man woman boy baby"""
) | frozenset(KIN)
PETS = listed(
    """dog dogs puppy puppies pup pups cat cats kitten kittens kitty bunny rabbit hamster parrot horse pony fish
    goldfish turtle tortoise snake lizard gecko guinea pet pets hen goat bird cockatiel retriever labrador poodle
    shepherd terrier beagle husky corgi dachshund chameleon iguana ferret rat"""
)
TITLES = listed(
    """Mr Mrs Ms Miss Mister Dr Dra Prof Professor Professora Aunt Auntie Uncle Grandma Grandpa Granny Grandad Granddad
    Gran Nana Nanna Coach Chef Sir Lady Father Sister Brother Mother Pastor Reverend Rabbi Imam Captain Nurse Cousin
    Herr Frau Fräulein Oma Opa Tante Onkel Señor Señora Señorita Sr Sra Srta Don Doña Dona Tía Tío Tia Tio Abuela Abuelo
    Abuelita Abuelito Mestre Mestra Maestro Maestra Profe Padre Madre Avó Avô Vovó Vovô Seu Monsieur Madame
    Mademoiselle Mme Mlle Tonton Tata Mamie Papi Papy Mémé Pépé Signor Signora Signorina Nonna Nonno Zia Zio Meneer
    Mevrouw Juf Farmor Farfar Mormor Morfar Bestemor Bestefar Faster Moster Babcia Dziadek Ciocia Wujek Pan Pani Babka
    Yiayia Giagia Pappous Skipper Sifu Shifu Guru Swami Abbé Soeur Sœur Suor Pater Pfarrer Vicar Deacon Bishop Officer
    Sergeant Sgt Lieutenant Colonel Detective Inspector Constable Koko Oom Tannie Fru Fröken Rouva Paní Dede
    Babaanne Anneanne Ammi Abbu Chacha Chachi Mausi Bua Nanu Paati Ajji Tita Tito Kuya Mbuya Gogo Hajja Baji Bhai Bhabhi
    Teta Strýc Strýček Babushka Dedushka Tyotya Dyadya Baba Deda Teyze Amca Hoca Abla Abi Sensei Senpai Ustad Sheikh
    Sheikha Haji Hajji Amma Appa Dadi Nani Didi Bhaiya Mzee Mwalimu Bibi Babu"""
)
# The same behind a name.
TITLES_AFTER = listed("san sama kun chan sensei ssi nim ji bhai jan bey hanım abi abla")
# Words before a name that are no part of it.
NICKNAMES = listed(
    """Monday Tuesday Wednesday Thursday Friday Saturday Sunday Old Big Little Young Poor Dear Crazy Only Nobody
    Everybody Priest"""
)
# Things that people give names to, beside their pets.
THINGS = listed(
    """boat ship yacht ferry sailboat kayak canoe car van truck motorbike bike bicycle guitar cello violin piano tractor
    robot plant cactus sourdough storm hurricane band team album song book novel film movie series game app"""
)
# What only people do, are and have, behind a name.
DEEDS_OF_PEOPLE = listed(
    """said says told tells asked asks answered replied called calls texted phoned rang wrote shouted whispered joked
    insisted admitted promised promises complained explained suggested thinks thought knows knew believes taught
    teaches loves likes hates wants wanted hopes married invited helped helps hugged kissed laughed laughs smiled
    cried cries nodded sang cooked cooks baked lent lends bet talks talked speaks spoke lives lived offered offers
    proposed drove bought sold borrowed brought quit graduated forgot remembered fixed repaired failed passed
    interviewed apologised apologized agreed refused retired says reckons snores swears smokes drives plays runs reads
    eats drinks sleeps works studies visits keeps gets needs sells sings"""
)
STATES_OF_PEOPLE = listed(
    """tired happy ill sick pregnant angry furious sad strict kind engaged married divorced retiring asleep sleeping
    crying laughing teaching visiting moving lending picking bringing dying worried scared upset jealous proud arguing
    coming dating seeing leaving late pretending insane right wrong"""
)
THINGS_OF_PEOPLE = listed(
    """birthday wedding handwriting voice letter funeral boyfriend girlfriend parents kids husband wife hand hands face
    eyes house flat roof shop homework tip fault party grandmother mother father sister brother son daughter cousin
    uncle aunt friend boss job car dog cat recipe cooking garden room"""
)
ROLE_AUTHORS = listed("user assistant system bot ai tool human model companion me you")
HUMAN_ROLES = listed("user human me you")

# Capitalised, but never a person.
NOT_PEOPLE = listed(
    """monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
    january february march april june july august september october november december jan feb mar apr jun jul aug sep
    sept oct nov dec english french spanish german italian russian chinese japanese korean portuguese dutch greek
    turkish arabic hindi indian american british canadian mexican african asian european irish scottish welsh swedish
    danish norwegian finnish polish ukrainian brazilian australian latin thai vietnamese filipino jewish muslim
    christian buddhist hindu catholic islam christianity buddhism christmas easter halloween thanksgiving hanukkah
    ramadan diwali xmas eve valentine valentine's god jesus lord bible internet wifi covid netflix spotify youtube
    instagram facebook twitter tiktok snapchat whatsapp google amazon apple microsoft uber lyft ikea costco walmart
    starbucks mcdonald's disney hulu hbo nintendo switch playstation xbox steam zoom slack discord reddit pinterest
    linkedin etsy ebay paypal airbnb tesla toyota honda ford bmw nike adidas python java javascript django linux
    windows iphone ipad macbook android photoshop excel marvel pixar star wars harry potter lego barbie monopoly
    catan witcher zelda mario pokemon minecraft fortnite cyberpunk valorant overwatch mom dad mum mama papa grandma
    grandpa granny auntie aunt uncle sis bro dude man guys guy girl girls folks team everyone all y'all mate buddy pal
    sir madam dear sweetie honey babe baby earth moon mars sun internet olympics olympic nba nfl mlb nhl fifa tv dj
    ceo phd bbq diy mãe pai mamá papá maman mutti vati mamma abuela abuelo abuelita abuelito avó avô vovó vovô oma opa
    nonna nonno babcia nana nanna mestre chef coach usa uk us ok lgbtq lgbtq+ i'm i i'll i've i'd mr mrs ms dr prof
    miss alexa siri cortana jenkins"""
)
# Brands and figures that are named like people.
NAMED_LIKE_PEOPLE = frozenset(
    {
        "Captain Morgan", "Jack Daniels", "Jack Daniel", "Jim Beam", "Johnnie Walker", "Dr Pepper", "Uncle Ben",
        "Aunt Jemima", "Calvin Klein", "Ralph Lauren", "Tommy Hilfiger", "Marks", "Spencer", "Anna Karenina",
        "Jane Eyre", "Madame Bovary", "Emma Bovary", "Harry Potter", "Sherlock Holmes", "Mrs Dalloway", "James Bond",
        "Robin Hood", "Peter Pan", "Winnie", "Father Christmas", "Santa Claus", "Mona Lisa", "Jesus Christ",
        "Don Quixote", "Don Giovanni", "Captain America", "Mickey Mouse", "Donald Duck", "Romeo", "Oliver Twist",
    }
)  # fmt: skip
# The last word of what is a body, a work or a spot, not a person.
NOT_PERSON_ENDS = listed(
    """inc ltd llc corp company co group club team university college school academy institute hospital museum gallery
    theatre theater church center centre park garden gardens beach lake river mountain mountains street avenue road
    hotel cafe café restaurant bar store shop market mall festival awards award league cup series games book books
    magazine times post show foundation society association bank airlines airport station bridge island islands bay
    valley canyon forest falls county city town square castle tower palace house studio studios records project day
    week month night party challenge tournament championship conference summit program programme trail pass line
    gym library zoo shelter band orchestra symphony world wars rings potter thrones"""
)
# First words of sentences, and other words that come with a capital without being names.
COMMON_STARTS = listed(
    """absolutely agreed ah aha ahh alright also although amazing and anyway anything appreciate are as at aw awesome
    aww awww beautiful been before being best big both bummer but by can check cheers colorful come congrats
    congratulations cool could crazy creating cute damn def definitely despite did do does done either enjoy even ever
    every everything exactly excellent exciting family finally finding first for from fun getting give glad go going
    gonna good gosh got gotta great guess had haha happy hard has have having hell hello help here hey hi hmm hope
    hopefully hoping how however huh hugs if impressive in inspiring interesting is it just keep kinda lately let like
    lol long looking looks lots love loved loving lucky luckily made make makes making man many maybe meanwhile might
    most much my nah nature need never nice no nope not nothing now of off oh ok okay omg on once one oof ooh or our
    ouch out over part perfect pizza playing plus proud put really relaxing right sad same say seeing seems several
    shame she should since so some someone something sometimes soon sorry sound sounds spending still stay such super
    supporting sure surprisingly sweet take taking talk tell terrific thank thanks that then there these they things
    think this those though through till time to today tomorrow tonight too totally tough true try trying two ugh um
    unfortunately until very wait wanna want was watching way we welcome well were what whatever when whenever where
    which while who whoa whoops why will wish with without woah wonderful working would wow wowza yay yea yeah yep yes
    yesterday yet yikes you your yum yup"""
)
