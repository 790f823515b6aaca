from llm_observe._text_loops import apass_texts as apass_texts
from llm_observe._text_loops import candidate_text as candidate_text
from llm_observe._text_loops import chat_text as chat_text
from llm_observe._text_loops import message_text as message_text
from llm_observe._text_loops import pass_texts as pass_texts
from llm_observe._text_loops import response_text as response_text
