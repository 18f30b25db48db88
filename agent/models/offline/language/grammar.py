"""The words of the grammar: phrases that say what to compute, not what about."""

from __future__ import annotations

# Phrases: kind of item, and what it means there.
GRAMMAR: dict[str, tuple[str, str]] = {}

_LEARNT = (
    ("count", "count", "how many|number of|count of|count|total number of|total count of|amount of rows|counts of"),
    ("count", "count", "numbers of|how many times|no. of|how often"),
    ("agg", "sum", "total|sum|how much|sum of|total of|combined|total sum of|totals|sum up|add up"),
    ("agg", "sum", "sum it up|sum them up|sum that up|sum this up|add it up|add them up|add that up|total it up"),
    ("total", "total", "in total|altogether|all together|overall|all in all|in sum|taken together"),
    ("agg", "avg", "average|mean|avg|averages"),
    ("after", "avg", "on average"),
    ("agg", "median", "median"),
    ("agg", "min", "minimum|min"),
    ("agg", "max", "maximum|max"),
    ("rank", "desc", "top|highest|largest|biggest|greatest|most|best|top selling|best selling|maximal|leading"),
    ("rank", "asc", "bottom|lowest|smallest|least|fewest|worst|minimal"),
    ("recent", "desc", "latest|newest|most recent|last|recent|youngest|most recently|last time|lastly"),
    ("recent", "asc", "earliest|oldest|first|first time"),
    (
        "common",
        "desc",
        "most common|most frequent|most popular|most often used|most used|commonest|most often|most frequently",
    ),
    ("common", "asc", "least common|least frequent|least popular|rarest|least used|least often"),
    ("by", "by", "by|per|for each|for every|each|every|grouped by|group by|broken down by|split by|in each|in every"),
    ("by", "by", "of each|of every|from each|at each|by each|split out by|split per|breakdown by|depending on"),
    ("order", "by", "sorted by|ordered by|sort by|order by|ranked by|rank by|sort them by|order them by|sorted on"),
    ("direction", "desc", "descending|desc|highest first|largest first|newest first|most first|in descending order"),
    ("direction", "asc", "ascending|asc|lowest first|smallest first|oldest first|alphabetically|in ascending order"),
    (
        "compare",
        ">",
        "more than|greater than|higher than|larger than|bigger than|above|over|exceeding|>|exceeds|exceed",
    ),
    ("compare", "<", "less than|lower than|smaller than|fewer than|below|under|<"),
    ("compare", ">=", "at least|no less than|>=|not less than|no fewer than|minimum of|a minimum of"),
    ("compare", "<=", "at most|no more than|up to|<=|not more than|not over|maximum of|a maximum of"),
    ("bound", ">=", "or more|or greater|or higher|or above|or over|or larger|and up"),
    ("bound", "<=", "or less|or fewer|or lower|or below|or under|or smaller|and down"),
    ("compare", "=", "equal to|equals|equal|=|exactly"),
    ("compare", "<>", "not equal to|!=|<>"),
    ("compare", "between", "between"),
    (
        "not",
        "not",
        "not|no|without|except|except for|excluding|other than|but not|isn't|aren't|outside|outside of|never",
    ),
    ("not", "not", "non|wasn't|weren't|don't|doesn't|didn't|haven't|hasn't|apart from"),
    ("not", "not", "is not|are not|was not|were not|have not|has not|had not|do not|does not|did not|cannot|have no"),
    ("not", "not", "anything but|everything but|all but|anyone but|everyone but|anything except|everything except"),
    ("not", "not", "all except|instead of|rather than"),
    ("but", "but", "but"),
    ("both", "both", "both"),
    ("times", "", "times"),
    ("times", "1", "once|only once|just once|exactly once"),
    ("times", "2", "twice|only twice|just twice|exactly twice"),
    ("not", "not", "has no|had no|that have no|lacking|isn\u2019t|besides"),
    ("distinct", "distinct", "different|distinct|unique|various|kinds of|types of|sorts of|different kinds of"),
    ("unit", "year", "year|years|yearly|annual|annually|calendar year"),
    ("unit", "quarter", "quarter|quarters|quarterly"),
    ("unit", "month", "month|months|monthly|calendar month"),
    ("unit", "week", "week|weeks|weekly"),
    ("unit", "day", "day|days|daily|date"),
    ("part", "part", "year to date|month to date|quarter to date|week to date|ytd|mtd|qtd"),
    (
        "list",
        "list",
        "list|show|show me|give|give me|display|find|get|tell|tell me|print|names of|list me|find me|get me",
    ),
    ("which", "which", "which|what|what's|whats|whose|which of|which one|which ones"),
    ("who", "who", "who|who's"),
    ("and", "and", "and|as well as|&|along with|together with|plus"),
    ("or", "or", "or"),
    ("when", "when", "when|since when|on which day|on what date|on which date|what date|which date|which day"),
    ("lean", "weak", "only|just|now|also|instead|too|as well|then|only for|again|ones"),
    ("lean", "strong", "what about|how about|same|same for|the same for|and what about|and how about|same question"),
    ("lean", "strong", "same thing for|same but|the same|the same thing|same thing|same again|the same again"),
    ("lean", "strong", "do the same for"),
    ("lean", "refer", "it|they|theirs|he|she"),
    ("lean", "refer", "is that|is this|was that|are that|were that|would that be|does that make|do they make"),
    ("lean", "own", "its|their|his|her"),
    ("lean", "refer", "of those|of these|of them|among those|among them|those|these|them|of which|among these"),
    ("meta", "tables", "tables|table|datasets|dataset|data sets"),
    ("meta", "columns", "columns|column|fields|field|schema|structure"),
    ("meta", "describe", "describe|explain|description of|tell me about|tell me more about|information about|contain"),
    ("meta", "describe", "contains|look like|info on|info about|details about|details of|more about"),
    ("edge", "before", "before"),
    ("edge", "after", "after"),
    ("edge", "since", "since"),
    ("edge", "until", "until|till"),
    ("month", "1", "january|jan"),
    ("month", "2", "february|feb"),
    ("month", "3", "march"),
    ("month", "4", "april|apr"),
    ("month", "5", "may"),
    ("month", "6", "june|jun"),
    ("month", "7", "july|jul"),
    ("month", "8", "august|aug"),
    ("month", "9", "september|sept"),
    ("month", "10", "october|oct"),
    ("month", "11", "november|nov"),
    ("month", "12", "december|dec"),
)
# Adjectives in their highest and lowest degree, and the nouns that they grade.
_GRADED = (
    ("desc", "most expensive|priciest|dearest|costliest", "price"),
    ("asc", "cheapest|least expensive", "price"),
    ("desc", "longest", "length"),
    ("asc", "shortest", "length"),
    ("desc", "heaviest", "weight"),
    ("asc", "lightest", "weight"),
    ("desc", "tallest", "height"),
    ("desc", "best rated|highest rated|best reviewed|top rated", "rating"),
    ("asc", "worst rated|lowest rated|worst reviewed", "rating"),
    ("desc", "best paid|highest paid|top paid|top earning|highest earning", "salary"),
    ("asc", "worst paid|lowest paid|least paid", "salary"),
    ("desc", "fullest", "stock"),
)
# Comparisons of ages, and what says that a number is one.
AGED = {"older than": ">", "younger than": "<", "years old": "", "year old": "", "years of age": "", "how old": ""}
GRADED: dict[str, tuple[str, str]] = {}
NOUNS: dict[str, tuple[str, ...]] = {
    "price": ("price", "cost", "fee", "fare", "rate", "amount"),
    "length": ("length", "duration", "runtime", "minutes", "hours", "seconds", "distance"),
    "weight": ("weight", "mass"),
    "height": ("height",),
    "rating": ("rating", "score", "stars"),
    "salary": ("salary", "pay", "wage"),
    "stock": ("stock", "quantity"),
}
# Negations that leave something out, where others deny what somebody did.
LEAVE_OUT = frozenset(
    (
        *("except", "except for", "excluding", "other than", "but not", "outside", "outside of", "non", "apart from"),
        *("besides", "anything but", "everything but", "all but", "anyone but", "everyone but", "anything except"),
        *("everything except", "all except", "instead of", "rather than", "but"),
    )
)
# Those that deny what somebody did, if a verb follows.
DENY_A_VERB = frozenset(
    (
        *("not", "is not", "are not", "was not", "were not", "isn't", "aren't", "wasn't", "weren't"),
        *("isn\u2019t", "aren\u2019t", "wasn\u2019t", "weren\u2019t"),
    )
)
# Nouns of which a word before them tells only what they are of: the price of a unit is no number of units.
PRICES = ("price", "cost", "fee", "fare", "charge", "rate", "salary", "wage")
# Figures that stand for a step of a scale, by which rows are sorted rather than anything divided.
SCALES = frozenset(("rating", "score", "star", "stars", "grade", "level", "age"))
# What columns of places are called.
PLACES = frozenset(("city", "town", "country", "nation", "continent", "region", "state", "province", "county"))
# Adjectives that grade figures, unless they are values of a column of their own.
DEGREES = frozenset(("high", "low", "large", "small", "big", "long", "short", "heavy", "light", "medium"))
# Currencies, by the words that people and comments use.
CURRENCIES = {
    **dict.fromkeys(("eur", "euro", "euros", "€"), "eur"),
    **dict.fromkeys(("usd", "dollar", "dollars", "$"), "usd"),
}
# Degrees that compute where others are listed beside them: "the average, highest and lowest price".
EXTREMES = {"highest": "max", "largest": "max", "biggest": "max", "lowest": "min", "smallest": "min"}
# Verbs, by their stem, and the nouns that they are about.
VERBS = {"earn": "salary", "cost": "price", "weigh": "weight"}
# Words that select nothing, and the questions that have nothing else say hello.
_SELECT_NOTHING = """
    the a an of in on at from for to with where is are was were be been being do does did has have had having there
    me us our we i you your please can could would my that than as this all any some ok okay so but rows
    row records record entries entry located based come comes came made exist exists if live lives lived placed
    go goes went gone take takes took split limit value values got belong belongs many much whole entire hi
    hello hey thanks thank kindly currently data need access want know see respectively within make
    makes making bring brings brought generate generates generated among across during into onto let's yes well
    actually exactly will whom recorded registered stored happen happened happens figure figures number named called
    eur euro euros € usd dollar dollars $ ever anything
"""
_PHRASES_OF_NOTHING = (
    "i want to know|i would like|i'd like|we would like|look like|i would like to know|do you know|in the data|"
    "in the database|i'd like to know|in our data|we have|do we have|are there|is there|can you tell me|"
    "could you tell me|thank you|for me|i want to see|i would like to see|i'd like to see|on record|"
    "living in"
)
SKIP = frozenset((*_SELECT_NOTHING.split(), ","))
# Those of them that a schema may well use as a name.
NOUNS_OF_NOTHING = frozenset(
    ("value", "values", "number", "figure", "figures", "record", "records", "entry", "entries")
)
# Those of them that are a name where no verb can stand: "by make".
VERBS_OF_NOTHING = frozenset(("make", "makes", "take", "takes", "need", "split", "limit", "access"))
SKIP_PHRASES = frozenset(_PHRASES_OF_NOTHING.split("|"))
LONGEST = 4

for _kind, _meaning, _phrases in _LEARNT:
    GRAMMAR.update(dict.fromkeys(_phrases.split("|"), (_kind, _meaning)))
for _meaning, _phrases, _noun in _GRADED:
    GRADED.update(dict.fromkeys(_phrases.split("|"), (_meaning, _noun)))
