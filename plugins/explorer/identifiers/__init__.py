"""The ten identifier schemes by which attention is looked up: reading, finding and comparing them.

``parse`` reads a field that should hold exactly one identifier, ``extract`` finds those of one scheme in free text,
``find`` those of any scheme in a value of unknown kind. Schemes: integration guide, "Supported identifiers". What is
accepted follows Altmetric's own libraries, since an identifier that they cannot read is never linked; where we take
more or less than they do, the pattern says so.

Each scheme is a row of data (``schemes.BY_NAME``): the pattern that finds candidates, a function that makes the canonical
value of one, what may stand around it in a cell, and the sentences for cells that are doubtful or wrong. Canonical
values are compared as strings; the canonical form of a canonical form is itself.
"""

from explorer.identifiers.cells import Parsed, parse
from explorer.identifiers.schemes import LABELS, ONE_VALUE_SCHEMES, SCHEMES
from explorer.identifiers.values import extract, find
from explorer.identifiers.works import aliases, best, output_key

__all__ = [
    "LABELS", "ONE_VALUE_SCHEMES", "SCHEMES", "Parsed", "aliases", "best", "extract", "find", "output_key", "parse",
]  # fmt: skip
