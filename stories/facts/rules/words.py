"""Closed lists of what a frame's value has to be among, where anything else would too often be something else."""

from __future__ import annotations

from typing import Final

from stories.processors.offline.words import listed

KIN: Final = {
    **dict.fromkeys(("mother", "mom", "mum", "mama", "mamá", "mam"), "mother"),
    **dict.fromkeys(("father", "dad", "papa", "papá"), "father"),
    **dict.fromkeys(("grandmother", "grandma", "granny", "nana", "oma", "abuela"), "grandmother"),
    **dict.fromkeys(("grandfather", "grandpa", "granddad", "opa", "abuelo"), "grandfather"),
    **dict.fromkeys(("husband", "wife", "missus", "boyfriend", "girlfriend", "partner", "spouse", "fiancé", "fiancée",
                     "fiance", "fiancee"), "partner"),
    **dict.fromkeys(("sister", "sisters"), "sister"),
    **dict.fromkeys(("brother", "brothers"), "brother"),
    **dict.fromkeys(("son", "sons"), "son"),
    **dict.fromkeys(("daughter", "daughters"), "daughter"),
    **dict.fromkeys(("child", "kid", "children", "kids", "twins"), "child"),
    "aunt": "aunt", "uncle": "uncle", "cousin": "cousin", "niece": "niece", "nephew": "nephew",
    **dict.fromkeys(("ex", "ex-wife", "ex-husband"), "ex"),
    **dict.fromkeys(("friend", "friends"), "friend"),
    **dict.fromkeys(("colleague", "coworker", "co-worker"), "colleague"),
    **dict.fromkeys(("boss", "manager", "supervisor"), "boss"),
    **dict.fromkeys(("neighbour", "neighbor"), "neighbour"),
    **dict.fromkeys(("roommate", "roomie", "flatmate", "housemate"), "roommate"),
    **dict.fromkeys(("dog", "puppy", "cat", "kitten", "rabbit", "bunny", "hamster", "parrot", "parrots", "horse",
                     "pony", "turtle", "tortoise", "budgie", "goldfish", "snake", "lizard", "gecko", "ferret",
                     "dogs", "cats", "rabbits", "hen", "goat", "donkey", "guinea pig"), "pet"),
}  # fmt: skip
"""The attribute of who is named after "my …"."""
OCCUPATIONS: Final = listed(
    """accountant actor actress analyst animator architect artist assistant astronomer attorney author baker banker
    barber barista barman bartender beekeeper biologist blacksmith bookkeeper bricklayer butcher carer carpenter
    cashier chef chemist cleaner clerk coach composer consultant contractor cook courier dancer dentist designer
    developer dietitian director doctor driver economist editor electrician engineer entrepreneur farmer firefighter
    fisherman florist freelancer gardener geologist hairdresser historian illustrator inspector instructor intern
    interpreter janitor jeweller journalist judge lab librarian lawyer lecturer locksmith machinist manager marketer
    mathematician mechanic midwife miner model musician nanny neurologist notary novelist nurse optician painter
    paralegal paramedic pharmacist photographer physicist physiotherapist pianist pilot plumber poet policeman
    policewoman politician postman potter priest producer professor programmer proofreader psychiatrist psychologist
    ranger realtor receptionist reporter researcher roofer sailor salesman salesperson scientist secretary shepherd
    singer soldier solicitor statistician steward stewardess student surgeon surveyor tailor teacher technician
    tester therapist tiler trainer translator tutor typist vet veterinarian violinist waiter waitress watchmaker welder
    writer retiree pensioner housewife swimmer footballer boxer trucker"""
)
LANGUAGES: Final = listed(
    """Afrikaans Albanian Amharic Arabic Armenian Basque Bengali Bosnian Breton Bulgarian Burmese Cantonese Catalan
    Croatian Czech Danish Dutch English Esperanto Estonian Farsi Finnish Flemish French Frisian Galician Georgian
    German Greek Gujarati Hausa Hebrew Hindi Hungarian Icelandic Igbo Indonesian Irish Italian Japanese Kannada
    Kazakh Khmer Korean Kurdish Latin Latvian Lithuanian Macedonian Malay Malayalam Maltese Mandarin Maori Marathi
    Mongolian Nepali Norwegian Persian Polish Portuguese Punjabi Quechua Romanian Russian Scots Serbian Sinhala Slovak
    Slovene Slovenian Somali Spanish Swahili Swedish Tagalog Tamil Telugu Thai Tibetan Tigrinya Turkish Twi Ukrainian
    Urdu Uzbek Vietnamese Welsh Wolof Xhosa Yiddish Yoruba Zulu Chinese"""
)
NATIONALITIES: Final = listed(
    """American Argentinian Australian Austrian Bangladeshi Belgian Brazilian British Bulgarian Cameroonian Canadian
    Chilean Chinese Colombian Croatian Cuban Czech Danish Dutch Egyptian English Estonian Ethiopian Filipino Finnish
    French Georgian German Ghanaian Greek Hungarian Icelandic Indian Indonesian Iranian Iraqi Irish Israeli Italian
    Jamaican Japanese Kenyan Korean Latvian Lebanese Lithuanian Malaysian Mexican Moroccan Nepali Nigerian Norwegian
    Pakistani Palestinian Peruvian Polish Portuguese Romanian Russian Scottish Senegalese Serbian Slovak Slovenian
    Somali Spanish Sudanese Swedish Swiss Syrian Taiwanese Thai Tunisian Turkish Ukrainian Venezuelan Vietnamese
    Welsh"""
)
INSTRUMENTS: Final = listed(
    """accordion bagpipes banjo bass bassoon cello clarinet cornet drums dulcimer fiddle flute guitar harmonica harp
    harpsichord horn kalimba keyboard keyboards lute mandolin oboe organ piano recorder sax saxophone sitar tabla
    trombone trumpet tuba ukulele viola violin bağlama saz oud erhu kora
    zither mbira bodhrán theremin concertina autoharp cajón djembe bongos taiko koto shamisen sarod santur ney"""
)
SPORTS: Final = listed(
    """badminton baseball basketball chess cricket darts football futsal golf handball hockey lacrosse netball padel
    rugby soccer softball squash tennis volleyball"""
)
MEDICATIONS: Final = listed(
    """metformin insulin ibuprofen paracetamol aspirin atorvastatin simvastatin rosuvastatin lisinopril ramipril
    enalapril losartan valsartan candesartan amlodipine bisoprolol metoprolol propranolol omeprazole pantoprazole
    levothyroxine sertraline fluoxetine citalopram escitalopram venlafaxine duloxetine bupropion mirtazapine
    quetiapine lithium lamotrigine methylphenidate ritalin adderall vyvanse warfarin apixaban eliquis clopidogrel
    gliclazide
    prednisone prednisolone methotrexate humira salbutamol ventolin montelukast cetirizine loratadine amoxicillin
    gabapentin pregabalin tramadol diazepam xanax zolpidem melatonin ozempic wegovy antidepressants statins"""
)
CONDITIONS: Final = listed(
    """asthma arthritis diabetes migraine migraines adhd add autism epilepsy depression anxiety insomnia eczema
    psoriasis endometriosis fibromyalgia anaemia anemia hypertension ibs pcos ptsd ocd tinnitus vertigo scoliosis
    dyslexia lupus cancer parkinson's glaucoma gout osteoporosis hashimoto's hypothyroidism crohn's rosacea bipolar
    pressure disease syndrome disorder intolerance apnea apnoea cholesterol ms"""
)
CAR_MAKES: Final = listed(
    """alfa audi bmw chevrolet chevy chrysler citroën citroen cupra dacia dodge fiat ford honda hyundai jaguar jeep kia
    lada lancia lexus mazda mercedes mini mitsubishi nissan opel peugeot polo golf panda porsche renault saab seat
    skoda škoda smart subaru suzuki tesla toyota vauxhall volkswagen vw volvo corolla civic focus fiesta clio yaris
    polestar datsun prius alto fit"""
)
POSSESSIONS: Final = listed(
    """house flat apartment cottage cabin boat sailboat kayak canoe camera guitar piano violin cello laptop computer
    phone telescope machine tent caravan van camper drone printer motorbike motorcycle scooter tractor loom oven
    workshop tank aquarium greenhouse allotment sauna"""
)
NO_NAME: Final = listed(
    """I Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August
    September October November December Christmas Easter God Mr Mrs Ms Dr And But So The A An My Our He She They It We
    You This That Is Was Has Had Will Who Which Just Well OK Ok Yes No Not TV"""
)
"""Capitalised words that are nobody's name."""
NOTHING_LIKED: Final = listed(
    """it this that these those you him her them us me how when what where why who your my our his their being having
    seeing knowing hearing everything nothing everyone everybody something someone anything one to the-way myself
    yours not so very more most less its and or but though too"""
)
"""What "I love …" begins with where it says nothing of what somebody likes."""
