"""python -m analytics.engines: writes docs/sql/."""

from analytics.engines.scripts import write

if __name__ == "__main__":
    write()
