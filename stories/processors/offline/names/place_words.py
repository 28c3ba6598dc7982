"""Names of places that the gazetteer lacks, and names in it that are other things first."""

from __future__ import annotations

from stories.processors.offline.words import listed

# Short and colloquial names, and what they stand for.
SHORT_NAMES = {
    "NYC": "New York City", "New York": "New York", "LA": "Los Angeles", "SF": "San Francisco", "DC": "Washington, "
    "D.C.",
    "Washington DC": "Washington, D.C.", "Vegas": "Las Vegas", "Philly": "Philadelphia", "UK": "United Kingdom",
    "U.K": "United Kingdom", "Britain": "United Kingdom", "Great Britain": "United Kingdom", "USA": "United States",
    "US": "United States", "U.S": "United States", "America": "United States", "the States": "United States",
    "Holland": "Netherlands", "UAE": "United Arab Emirates", "Czech Republic": "Czechia", "St Petersburg":
    "Saint Petersburg", "Saigon": "Ho Chi Minh City", "Bombay": "Mumbai", "Cologne": "Köln", "Nuremberg": "Nürnberg",
    "Seville": "Sevilla", "Cracow": "Krakow", "Burma": "Myanmar", "Korea": "Korea", "Ireland": "Ireland",
    "Quebec City": "Quebec City", "Kiev": "Kyiv", "Calcutta": "Kolkata", "Bangalore": "Bengaluru", "Turkey": "Turkey",
    "Ghent": "Ghent", "Bruges": "Bruges", "Lucerne": "Lucerne", "Frankfurt": "Frankfurt", "Berne": "Bern",
    "Oporto": "Porto", "Saragossa": "Zaragoza", "The Hague": "The Hague", "Mecca": "Mecca", "Peking": "Beijing",
    "Marseilles": "Marseille", "Lyons": "Lyon", "Rheims": "Reims", "Apulia": "Puglia", "Tyrol": "Tirol",
    "Azores": "the Azores",
}  # fmt: skip
REGIONS = frozenset(
    {
        "England", "Scotland", "Wales", "Northern Ireland", "Cornwall", "Devon", "Yorkshire", "Sussex", "Kent",
        "the Highlands", "Bavaria", "Tuscany", "Sicily", "Sardinia", "Corsica", "Provence", "Brittany", "Normandy",
        "Catalonia", "Andalusia", "Galicia", "Mallorca", "Majorca", "Ibiza", "Tenerife", "Crete", "Santorini", "Corfu",
        "Scandinavia", "Lapland", "Siberia", "Crimea", "the Balkans", "the Alps", "the Pyrenees", "the Andes",
        "the Himalayas", "the Rockies", "Rocky Mountains", "Appalachian Mountains", "the Dolomites", "Patagonia",
        "Amazon Rainforest", "Sahara", "Kerala", "Goa", "Rajasthan", "Kashmir", "Punjab", "Tibet", "Bali", "Java",
        "Sumatra", "Borneo", "Okinawa", "Hokkaido", "Kyushu", "Queensland", "New South Wales", "Tasmania",
        "Western Australia", "South Australia", "Northern Territory", "Ontario", "Quebec", "British Columbia",
        "Alberta", "Manitoba", "Saskatchewan", "Nova Scotia", "New Brunswick", "Newfoundland", "Yukon", "Yucatan",
        "Baja California", "Caribbean", "Mediterranean", "Middle East", "Far East", "Southeast Asia", "East Asia",
        "South Asia", "Central America", "Latin America", "North America", "South America", "Midwest", "New England",
        "Pacific Northwest", "East Coast", "West Coast", "Bay Area", "Silicon Valley", "Hollywood", "Brooklyn",
        "Manhattan", "Bronx", "Harlem", "Staten Island", "Long Island", "Cape Cod", "Martha's Vineyard", "Maui",
        "Oahu", "Kauai", "Big Sur", "Death Valley", "Yosemite", "Yellowstone", "Zion", "Grand Canyon", "Everglades",
        "Great Barrier Reef", "Great Lakes", "Niagara Falls", "Machu Picchu", "Kilimanjaro", "Everest", "Stonehenge",
        "Eiffel Tower", "Great Wall", "Taj Mahal", "Times Square", "Central Park", "Broadway", "Downing Street",
        "Saxony", "Hesse", "Thuringia", "Brandenburg", "Lofoten", "Flanders", "Wallonia", "Lombardy", "Piedmont",
        "Veneto", "Liguria", "Umbria", "Puglia", "Calabria", "Alentejo", "Algarve", "the Azores", "Madeira", "Asturias",
        "Aragon",
        "Extremadura", "Alsace", "Lorraine", "Burgundy", "Savoy", "Transylvania", "Moravia", "Bohemia", "Silesia",
        "Pomerania", "Masuria", "Carinthia", "Styria", "Tirol", "Vorarlberg", "Ticino", "Valais", "Jutland", "Dalmatia",
        "Istria", "Anatolia", "Cappadocia", "Chiapas", "Jalisco", "Minas Gerais", "Bahia", "Carpathians",
        "Tatra Mountains", "Gujarat", "Tamil Nadu", "Bengal", "Bihar", "Assam", "Sichuan", "Yunnan",
        "Golden Gate Bridge", "Mount Everest", "Black Forest", "Lake District", "Peak District", "French Riviera",
        "Amalfi Coast", "Antarctica", "Arctic", "Puerto Rico", "Hong Kong", "Guam",
    }
)  # fmt: skip
# Towns whose names are words or things first: never without a word such as "in", and at the start of a sentence never.
ORDINARY_NAMES = listed(
    """reading nice mobile orange best of same bath split cork worth hope enterprise normal mission riverside liberty
    independence union university commerce industry corona surprise eagle paradise celebration bend salt lake gap
    march may august sunrise sunset buffalo phoenix hull deal battle ware rugby derby sandwich man bar male bor
    along central eastern western northern southern north south east west nord sur san santa les los las del le la
    de da do grant lincoln washington jackson franklin clinton madison monroe marion salem troy most much many
    born date see sky goes ham rye wells bury crawley crewe hove wall bell opportunity superior globe gold canyon
    concord clay cicero auburn aurora baker banning beacon bell benton berea big black bloom blue bowie branch bray
    brea bright bristol brook bull buy camp carbon cary center chandler chase cherry chico chin chino christmas church
    city clare clay clear cliff clover club coral corner cross crown crystal cypress dana dean deer del delta depew
    dover duncan eden elite ely erie fair fall falls ferry field fleet flint forest fort fox fuji garden gem genius
    gilbert glass golden grace grand great green grove guy harbor hawk hazel heath hill holy home honda hood horn
    hurst ice imperial ion iron ivory ivy jack jasmine joy kent key king kings lady laguna lancaster lark laurel law
    lemon lily lima limon linden lion live lodge lone long love lucky luna magic manage mar maria mars marvel mason
    media mercury metro milton miner mint model monday moon morning moss mount mountain music nan natal natural new
    noble oak ocean old olive olympia opera oxford page palm park pasco pearl peri pico pink pixar plant plaza pleasant
    point poll pool port prime price prince progress queen quill rain ray red regal rich ridge river rock rocky roman
    rosa rose royal sagar sand sandy sasha scott sea seal see serra shirley short show silver simi small smile snow
    soda spa spring springs star stars stem stone summit sun surf swan table tar taylor temple the tiger time tokyo's
    toby tom tony tower trinity tulip vale valley van vernon vista war water wave wells white wild will wine wing
    winter wise wolf wood woods yoga york young zion tesla barbie honda toyota nara miles mary male max dalai bam wow
    ma pa mama papa ama ali aba hit bali marvel ring art hub bloomingdale crew"""
)
# Country names that are animals, dishes or people too, wherever they have no capital.
LOWER_CASE_TRAPS = listed("turkey china jordan chad guinea georgia mali niger oman cuba male same lima bursa")
# Words that make a place of the name before them, or (the second line) of the name after them.
KINDS = listed(
    """Park Beach Lake River Mountain Mountains Falls Island Islands Canyon Museum University College Bridge Square
    Street Avenue Boulevard Bay Forest Valley Castle Palace Cathedral Airport Zoo Gardens Garden Hospital Library Desert
    Peninsula Coast Harbor Harbour Pier Stadium Arena Cafe Café Lighthouse Glacier Volcano Monastery Temple
    Pass Sea Ocean Creek Hill Hills Peak Ridge Gorge Moor Abbey Cove Cliffs Dunes Woods Marina Station Quarter District
    Trail Reef Market Plaza Tower Theatre Theater Gallery Hotel Inn Academy"""
)
LEADING_KINDS = listed(
    "Lake Mount Mt Mont Dún Croagh Sgurr Sierra Serra Wadi Bukit Gunung Cape Fort Port Isle Camp River Loch"
)
# The same of Romance languages, where small words may follow: Cerro del Fortín.
ROMANCE_KINDS = listed(
    """Plaza Praça Piazza Calle Rue Rua Via Avenida Jardim Jardín Parque Parc Parco Cerro Miradouro Playa Praia Isla
    Ilha Isola Río Puerto Castillo Château Iglesia Igreja Central Mercado Barrio Bairro Campo"""
)
# What ends in these is a place, written as one word or with hyphens: Tromsøbrua, Clara-Zetkin-Park, Karl-Heine-Kanal.
ENDINGS = ("-park", "-kanal", "-platz", "-straße", "-ufer", "straße", "strasse", "platz", "brücke", "gracht", "straat",
           "plein", "gata", "gaten", "vegen", "veien", "brua", "torget", "fjord", "fjorden", "sundet", "vatnet",
           "vannet", "øya", "see", "gasse")  # fmt: skip
# Small words inside a name: Central de Abastos, Cerro del Fortín.
INNER = listed("de del da do dos das di della la las los el en am an der den du des der van von")
