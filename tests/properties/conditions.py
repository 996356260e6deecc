"""Random conditions and random facts for them, as texts that any SQL engine reads."""

from hypothesis import strategies as st

from engine.facts import Attribute, fact_types

NUMBER_FACTS = ("size_a", "size_b", "flag_c")
TEXT_FACTS = ("name_a", "name_b")
NUMBERS = (-2.0, -0.5, 0.0, 1.0, 2.0, 3.5)
TEXTS = ("A", "Ab", "b", "", "50%", "آب", "it's")
PATTERNS = ("A%", "%b", "_", "", "%", "A_", "50%", "ا%", "%'%")
ATTRIBUTES = (*(Attribute(name) for name in NUMBER_FACTS), *(Attribute(name, ()) for name in TEXT_FACTS))
FACTS = fact_types((), (), ATTRIBUTES)

COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def number_expressions():
    literal = st.sampled_from(["0", "1", "2", "3", "0.5", "7"])
    leaf = st.sampled_from(NUMBER_FACTS) | literal
    return st.recursive(leaf, _larger_number, max_leaves=5)


def _larger_number(inner):
    # Without parentheses on purpose: precedence must be read as other engines read it.
    plain = st.builds("{} {} {}".format, inner, st.sampled_from("+-*/%"), inner)
    return st.one_of(
        plain,
        plain.map("({})".format),
        inner.map("-({})".format),
        st.builds("coalesce({}, {})".format, inner, inner),
    )


def text_expressions():
    leaf = st.sampled_from(TEXT_FACTS) | st.sampled_from(TEXTS).map(quoted)
    return leaf | st.builds("coalesce({}, {})".format, leaf, leaf)


def _tests():
    number, text = number_expressions(), text_expressions()
    negation = st.sampled_from(["", "not "])
    return st.one_of(
        st.builds("{} {} {}".format, number, st.sampled_from(COMPARISONS), number),
        st.builds("{} {} {}".format, text, st.sampled_from(COMPARISONS), text),
        st.builds("{} {}in ({}, {})".format, number, negation, number, number),
        st.builds("{} {}in ({}, {})".format, text, negation, text, text),
        st.builds("{} {}between {} and {}".format, number, negation, number, number),
        st.builds("{} {}between {} and {}".format, text, negation, text, text),
        st.builds("{} {}like {}".format, text, negation, st.sampled_from(PATTERNS).map(quoted)),
        st.builds("({}) is {}null".format, number | text, negation),
        st.sampled_from(["true", "false"]),
    )


def _larger_test(inner):
    joined = st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or"]), inner)
    return joined | joined.map("({})".format) | inner.map("not {}".format)


def conditions():
    """Texts of conditions over `FACTS`."""
    return st.recursive(_tests(), _larger_test, max_leaves=6)
