"""OTLP as others emit it, made logs and spans of: pure functions, which know no connection.

decode_protobuf and decode_json read requests into spans; classify says which of them are calls; dialects/ has what each
family of emitters calls the fields of a log; call_logs puts one together; folding finds the spans that show one call.
"""
