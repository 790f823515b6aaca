# cython: language_level=3, wraparound=False, binding=False
"""The loops of streams that have little but text: llm_observe/_text_loops.py, compiled.

The attributes of pydantic's models take most of the time in Python, because their __getattr__() keeps the interpreter
from specialising them.
"""

from cpython.exc cimport PyErr_Clear
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF

from llm_observe._loops import apass_chunks, pass_chunks
from llm_observe._values import KEPT_TEXT_CHARS

cdef extern from "Python.h":
    PyObject* _PyType_Lookup(type kind, object name)
    PyObject* PyObject_GenericGetAttr(object owner, object name)

cdef Py_ssize_t ROOM = KEPT_TEXT_CHARS
cdef PyObject* usual_lookup = _PyType_Lookup(object, "__getattribute__")


cdef object field(object owner, str name):
    """Return an attribute, as getattr() does."""
    cdef PyObject* found
    if _PyType_Lookup(type(owner), "__getattribute__") == usual_lookup:
        found = PyObject_GenericGetAttr(owner, name)
        if found is not NULL:
            value = <object>found
            Py_DECREF(value)
            return value
        PyErr_Clear()  # the class's __getattr__() may know it; a try statement would cost as much as the attribute
    return getattr(owner, name)


cdef class TextOf:
    """Returns the text of a chunk. Raises anything if the chunk has another shape."""

    cdef object read(self, object chunk):
        raise NotImplementedError

    def __call__(self, chunk):
        return self.read(chunk)


cdef class ChatText(TextOf):
    cdef object read(self, object chunk):
        return field(field(field(chunk, "choices")[0], "delta"), "content")


cdef class ResponseText(TextOf):
    cdef object read(self, object chunk):
        return field(chunk, "delta") if field(chunk, "type") == "response.output_text.delta" else None


cdef class MessageText(TextOf):
    cdef object read(self, object chunk):
        if field(chunk, "type") != "content_block_delta":
            return None
        delta = field(chunk, "delta")
        return field(delta, "text") if field(delta, "type") == "text_delta" else None


cdef class CandidateText(TextOf):
    cdef object read(self, object chunk):
        (part,) = field(field(field(chunk, "candidates")[0], "content"), "parts")
        return None if field(part, "thought") else field(part, "text")


cdef class OtherText(TextOf):
    """Text that a function in Python reads."""

    cdef object function

    def __init__(self, function):
        self.function = function

    cdef object read(self, object chunk):
        return self.function(chunk)


cdef class Notes:
    """Records the chunks of a stream: their text alone, or all that ``read`` reads if there is more."""

    cdef object read, call
    cdef TextOf text_of
    cdef list kept
    cdef Py_ssize_t room
    cdef bint begun, keeps_last

    def __init__(self, read, call):
        text_of = call.text_of
        self.read, self.call, self.kept = read, call, call.output_chunks
        self.text_of = text_of if isinstance(text_of, TextOf) else OtherText(text_of)
        self.keeps_last = call.read_last is not None

    def note(self, chunk):
        """Record a chunk; return whether the application gets it."""
        cdef bint has_text = False
        try:
            text = self.text_of.read(chunk)
            if text:
                if self.room > 0:
                    self.keep(text)
                has_text = True
        except Exception:
            pass  # a chunk of another shape is read below
        if self.begun and has_text:
            if self.keeps_last:
                self.call.last_chunk = chunk  # some servers send usage and the finish reason with the text
            return True
        if not self.read(chunk):
            return False
        if not self.begun and self.call.ttft_ns is not None:
            self.begun, self.room = True, ROOM - <Py_ssize_t>self.call.output_chars
        return True

    cdef int keep(self, object text) except -1:
        self.room -= <Py_ssize_t>len(text)
        self.kept.append(text if self.room >= 0 else text[: self.room])
        return 0


def pass_texts(inner, provider, call, finalizer, read):
    """Return the chunks of a stream, recorded while they are read.

    The generator stays one of Python: applications see it, and so does whoever looks for it on the stack.
    """
    return pass_chunks(inner, provider, call, finalizer, Notes(read, call).note)


def apass_texts(inner, provider, call, finalizer, read):
    """Like pass_texts(), for an asynchronous stream."""
    return apass_chunks(inner, provider, call, finalizer, Notes(read, call).note)


chat_text = ChatText()
response_text = ResponseText()
message_text = MessageText()
candidate_text = CandidateText()
