"""OTLP as others emit it, made logs and spans of: pure functions, which know no connection.

decode_protobuf and decode_json read requests into spans; classify says which of them are calls; dialects/ has
what each family of emitters calls the fields of a log; calls makes one; folding finds the spans that show one
call, and merging puts together what they tell of it.
"""
