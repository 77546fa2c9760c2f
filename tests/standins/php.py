"""What PHP does to values: json_encode without flags, casts to bool, fnmatch."""

import re
from json.encoder import encode_basestring_ascii
from urllib.parse import quote_plus

DEL = re.compile(r"(?<!\\)((?:\\\\)*)\\u007f")


def encode(value):
    """json_encode($value): pure ASCII, escaped slashes, `[]` for everything empty."""
    if isinstance(value, str):
        text = encode_basestring_ascii(value).replace("/", "\\/")
        return DEL.sub("\\1\x7f", text) if "\\u007f" in text else text
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return encode_float(value)
    if isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**63 else encode_float(float(value))
    if isinstance(value, dict) and not is_list(value):
        return "{" + ",".join(f"{encode(str(key))}:{encode(inner)}" for key, inner in value.items()) + "}"
    items = value.values() if isinstance(value, dict) else value
    return "[" + ",".join(map(encode, items)) + "]"


def encode_answer(value):
    """As Nextcloud's JSONResponse has it, which adds JSON_HEX_TAG: angle brackets become escapes."""
    return encode(value).replace("<", "\\u003C").replace(">", "\\u003E")


def is_list(mapping):
    return all(str(key) == str(at) for at, key in enumerate(mapping))


def encode_float(value):
    """Shortest digits that read back the same, in PHP's own notation."""
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value!r}e".rstrip("e").partition("e")
    if not exponent:
        return mantissa.removesuffix(".0")
    if abs(value) >= 1 and int(exponent) <= 16:
        return str(int(value))
    mantissa = mantissa if "." in mantissa else mantissa + ".0"
    return f"{mantissa}e{int(exponent):+d}"


def truthy(value):
    return value not in (None, False, 0, 0.0, "", "0") and value != [] and value != {}


def fnmatch(pattern, text):
    """PHP's fnmatch without flags: a backslash quotes the next character."""
    return re.fullmatch(glob_expression(pattern), text, re.DOTALL) is not None


def glob_expression(pattern):
    out, at = [], 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        elif letter == "[" and "]" in pattern[at + 2 :]:
            end = pattern.index("]", at + 2)
            inner = pattern[at + 1 : end]
            out.append("[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]")
            at = end
        else:
            out.append({"*": ".*", "?": "."}.get(letter, re.escape(letter)))
        at += 1
    return "".join(out)


def build_query(value, prefix=""):
    """http_build_query: nested names, nulls and empty arrays vanish, booleans become 0 and 1."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    parts = []
    for key, inner in items:
        name = f"{prefix}[{key}]" if prefix else str(key)
        if isinstance(inner, (dict, list)):
            parts.append(build_query(inner, name))
        elif inner is not None:
            text = str(int(inner)) if isinstance(inner, bool) else str(inner)
            parts.append(f"{quote_plus(name)}={quote_plus(text)}")
    return "&".join(filter(None, parts))
