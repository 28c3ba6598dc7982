"""English forms that a suffix stemmer cannot bring together: went and go, children and child, mum and mom."""

from __future__ import annotations

_FAMILIES = """
become became; begin began begun; bend bent; bite bit bitten; bleed bled;
blow blew blown; break broke broken; breed bred; bring brought; build built; burn burnt; buy bought;
catch caught; choose chose chosen; come came; creep crept; deal dealt; dig dug; draw drew drawn;
dream dreamt; drink drank drunk; drive drove driven; eat ate eaten; fall fell fallen; feed fed; feel felt;
fight fought; find found; flee fled; fly flew flown; forbid forbade forbidden; forget forgot forgotten;
forgive forgave forgiven; freeze froze frozen; get got gotten; give gave given; go went gone; grind ground;
grow grew grown; hang hung; hear heard; hide hid hidden; hold held; keep kept; kneel knelt;
know knew known; lay laid; lead led; lean leant; leap leapt; learn learnt; leave left; lend lent; light lit;
lose lost; make made; mean meant; meet met; mistake mistook mistaken; pay paid; ride rode ridden; ring rang rung;
rise rose risen; run ran; say said; see saw seen; seek sought; sell sold; send sent; sew sewn; shake shook shaken;
shine shone; shoot shot; show shown; shrink shrank shrunk; sing sang sung; sink sank sunk; sit sat; sleep slept;
slide slid; speak spoke spoken; spend spent; spin spun; spring sprang sprung; stand stood; steal stole stolen;
stick stuck; strike struck; swear swore sworn; sweep swept; swell swollen; swim swam swum; swing swung;
take took taken; teach taught; tear tore torn; tell told; think thought; throw threw thrown;
understand understood; wake woke woken; wear wore worn; weave wove woven; weep wept; win won; withdraw withdrew;
write wrote written;
child children; man men; woman women; person people; foot feet; tooth teeth; mouse mice; goose geese; ox oxen;
wife wives; life lives; knife knives; leaf leaves; shelf shelves; half halves; loaf loaves; wolf wolves; thief thieves;
good better best; bad worse worst; far further farther;
mother mom mum mommy mummy; father dad daddy; grandmother grandma granny; grandfather grandpa
"""

BASE_FORMS: dict[str, str] = {
    form: family.split()[0] for family in _FAMILIES.replace("\n", " ").split(";") for form in family.split()[1:]
}
"""Each irregular form to the form it is counted under; regular forms are the stemmer's business."""
