# cython: language_level=3, wraparound=False, cdivision=True
"""What a log costs, by its fields. analytics.pricing.rates is the reference implementation.

A model is looked up in the price book once. Calls whose price depends on more than the integers of its rates, such
as the hour of the day, are left to the book.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memcpy

from codec._copy_row cimport operation_of, timestamp_us
from codec._fields cimport Fields, has, text_of
from codec._wire cimport Reader

from llm_observe.v1.log_pb2 import Log

from analytics.pricing.book import CACHE_SIZE, OPERATIONS_WITHOUT_OUTPUT
from analytics.pricing.rates import USAGE_FIELDS, RateRow, Rates, Usage

cdef enum:
    UNKNOWN = -1
    ROW_SIZE = 10
    KEY_BYTES = 4096  # room for the names of a model
    PICO_PER_NANO = 1_000
    HALF = 500

cdef struct Row:  # RateRow.integers
    int64_t begin
    int64_t end
    int64_t above
    int64_t input
    int64_t output
    int64_t cache_read
    int64_t cache_write
    int64_t cache_write_1h
    int64_t audio_input
    int64_t audio_output

if RateRow._fields[:3] != ("from_us", "until_us", "above") or Rates._fields != (
    "input", "output", "cache_read", "cache_write", "cache_write_1h", "audio_input", "audio_output"
) or Usage._fields != Rates._fields:
    raise ImportError("a row of rates has other integers")

_number_of = {field.name: field.number for field in Log.DESCRIPTOR.fields}
cdef int PROVIDER = _number_of["provider"]
cdef int MODEL = _number_of["model"]
cdef int RESPONSE_MODEL = _number_of["response_model"]
cdef int SERVICE_TIER = _number_of["service_tier"]
cdef int START = _number_of["start_time"]
cdef int usage_fields[7]
for _place, _name in enumerate(USAGE_FIELDS):
    usage_fields[<int>_place] = _number_of[_name]
cdef int INPUT = usage_fields[0]
cdef int OUTPUT = usage_fields[1]
cdef int CACHE_READ = usage_fields[2]
cdef int CACHE_WRITE = usage_fields[3]
cdef int CACHE_WRITE_1H = usage_fields[4]
cdef int AUDIO_INPUT = usage_fields[5]
cdef int AUDIO_OUTPUT = usage_fields[6]


cdef class Card:
    """A RateCard: its plain rows."""

    cdef Row* rows
    cdef int count
    cdef bint is_empty  # nobody knows the model
    cdef bint has_more  # rows that are not plain
    cdef int64_t largest_count
    cdef list versions  # of the rows
    cdef bytes version

    def __dealloc__(self):
        PyMem_Free(self.rows)


cdef class PriceTable:
    def __init__(self, book):
        self.book, self.cards, self.versions = book, {}, {}


cdef bytes _bytes_of(PriceTable table, str version):
    """Return a version's bytes, which stay as long as the table."""
    return table.versions.setdefault(version, version.encode())


cdef Card _make_card(PriceTable table, found):
    cdef Card card = Card.__new__(Card)
    cdef int place, at
    plain = found.rows[: found.plain_count]
    card.rows = <Row*>PyMem_Malloc(max(1, len(plain)) * sizeof(Row))
    if card.rows == NULL:
        raise MemoryError
    for place, row in enumerate(plain):
        for at, number in enumerate(row.integers):
            (<int64_t*>&card.rows[place])[at] = number
    card.count, card.is_empty, card.has_more = len(plain), not found.rows, len(plain) < len(found.rows)
    card.largest_count = found.largest_count
    card.versions = [_bytes_of(table, row.version) for row in plain]
    card.version = _bytes_of(table, found.version)
    return card


cdef Card _card_of(PriceTable table, const Fields* fields, Reader model):
    """Return the rates of a model at the log's provider and in its service tier."""
    cdef char key[KEY_BYTES]
    cdef Reader names[3]
    cdef Py_ssize_t size = 0, length
    cdef int place
    names[0], names[1], names[2] = fields.texts[PROVIDER], fields.texts[SERVICE_TIER], model
    for place in range(3):
        length = names[place].end - names[place].at
        if size + length + 1 > KEY_BYTES:
            raise OverflowError
        memcpy(key + size, names[place].at, length)
        key[size + length] = 0  # which no text has
        size += length + 1
    found = PyBytes_FromStringAndSize(key, size)
    card = table.cards.get(found)
    if card is None:
        if len(table.cards) >= CACHE_SIZE:
            del table.cards[next(iter(table.cards))]
        card = _make_card(table, table.book.card(text_of(names[0]), text_of(model), text_of(names[1])))
        table.cards[found] = card
    return <Card>card


cdef inline bint _is_same(Reader one, Reader other) noexcept:
    return one.end - one.at == other.end - other.at and memcmp(one.at, other.at, one.end - one.at) == 0


cdef inline int64_t _count(const Fields* fields, int field) noexcept:
    """Return a count that is none where it is absent."""
    return fields.numbers[field] if has(fields, field) else 0


cdef int _set(Price* into, int64_t cost, bytes version) except -1:
    into.cost, into.version = cost, <PyObject*>version
    return 0


cdef int find_price(PriceTable table, const Fields* fields, Price* into) except -1:
    """Price a log."""
    cdef Card card = _card_of(table, fields, fields.texts[MODEL])
    cdef Reader answered = fields.texts[RESPONSE_MODEL]
    cdef int64_t total, output
    cdef int place
    if card.is_empty and answered.at != answered.end and not _is_same(answered, fields.texts[MODEL]):
        card = _card_of(table, fields, answered)
    if not has(fields, INPUT):
        return _set(into, UNKNOWN, card.version)
    total, output = fields.numbers[INPUT], _count(fields, OUTPUT)
    if total > card.largest_count or output > card.largest_count:
        return _ask(table, fields, into)
    place = _find_row(card, timestamp_us(fields, START), total)
    if place < 0:
        return _ask(table, fields, into) if card.has_more else _set(into, UNKNOWN, card.version)
    return _set(into, _cost_of(fields, &card.rows[place], total, output), card.versions[place])


cdef int _find_row(Card card, int64_t start, int64_t total) noexcept:
    """Return where the row is that prices a call, or -1."""
    cdef int place
    for place in range(card.count):
        if card.rows[place].begin <= start < card.rows[place].end and total > card.rows[place].above:
            return place
    return -1


cdef bint _has_output(const Fields* fields) except -1:
    return text_of(operation_of(fields)) not in OPERATIONS_WITHOUT_OUTPUT


cdef int64_t _cost_of(const Fields* fields, const Row* row, int64_t total, int64_t output) except -2:
    """Return the cost in nano-dollars, rounded as rates.price_of() does; -1 is unknown."""
    cdef int64_t pico, nano, rest
    if not has(fields, OUTPUT) and _has_output(fields):
        return UNKNOWN
    if row.input < 0 or (output and row.output < 0):
        return UNKNOWN
    pico = total * row.input + output * row.output
    if not _add_extra(fields, row, total, output, &pico):
        return UNKNOWN
    nano, rest = pico // PICO_PER_NANO, pico % PICO_PER_NANO
    return nano + 1 if rest > HALF or (rest == HALF and nano & 1) else nano


cdef bint _add_extra(const Fields* fields, const Row* row, int64_t total, int64_t output, int64_t* pico) noexcept:
    """Add what cached tokens and audio cost more (or less) than others; False where that is unknown."""
    cdef int64_t read = _count(fields, CACHE_READ), write = _count(fields, CACHE_WRITE)
    cdef int64_t hour = _count(fields, CACHE_WRITE_1H)
    cdef int64_t heard = _count(fields, AUDIO_INPUT), spoken = _count(fields, AUDIO_OUTPUT)
    if not (read or write or hour or heard or spoken):
        return True
    if write < hour or read + write + heard > total or spoken > output:
        return False
    if heard and (read or write):
        return False
    write -= hour
    if (
        (read and row.cache_read < 0)
        or (write and row.cache_write < 0)
        or (hour and row.cache_write_1h < 0)
        or (heard and row.audio_input < 0)
        or (spoken and row.audio_output < 0)
    ):
        return False
    pico[0] += (
        read * (row.cache_read - row.input)
        + write * (row.cache_write - row.input)
        + hour * (row.cache_write_1h - row.input)
        + heard * (row.audio_input - row.input)
        + spoken * (row.audio_output - row.output)
    )
    return True


cdef int _ask(PriceTable table, const Fields* fields, Price* into) except -1:
    """Have the book price a log."""
    cost, version = table.book.price(
        text_of(fields.texts[PROVIDER]),
        text_of(fields.texts[MODEL]),
        timestamp_us(fields, START),
        Usage(*[fields.numbers[field] if has(fields, field) else None for field in usage_fields]),
        service_tier=text_of(fields.texts[SERVICE_TIER]),
        operation=text_of(operation_of(fields)),
        response_model=text_of(fields.texts[RESPONSE_MODEL]),
    )
    return _set(into, UNKNOWN if cost is None else cost, _bytes_of(table, version))
