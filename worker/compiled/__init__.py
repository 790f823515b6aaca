"""Reading batches off their bytes, in Cython; may be absent (docs/decisions/0010-compiled.md).

wire         protobuf's wire format
normal_text  a text as detectors of secrets see it
plain_text   tells texts in which no detector can find anything
log_fields   what a log says, its texts redacted
copy_row     that as a row in COPY's format
log_rows     a batch's logs, and what they add to the rollups
"""
