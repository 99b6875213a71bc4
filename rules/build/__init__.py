"""
Builds ``rules/mimir/*.yaml`` and ``rules/thresholds.yaml`` (`make rules`); a test holds what is committed to what is
built. And promtool's tests, which are not committed.

Why a program writes them: the spans and operations of first recordings come from the exporter's own table of rows
(`first`), who owns a volume is said once (`owners`), and every test comes in the shapes that delivery has (`cases`).
What is shipped is plain YAML all the same, to be read, copied and loaded without any of this.
"""
