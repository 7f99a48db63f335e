"""What a customer could write to make GitLab do something: one list for the unit tests and for the stand-in.

`sets_off`: what GitLab does with the text when it is posted as it is; "" where the text is a nuisance but does
nothing there. Quoted by us, all of them must do nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hostile:
    """One comment, by name."""

    name: str
    text: str
    sets_off: str = ""


ACTION, MENTION, REFERENCE, IMAGE, HTML, TASKS = (
    "gitlab.quick_action",
    "gitlab.mention",
    "gitlab.reference",
    "gitlab.image",
    "gitlab.html",
    "gitlab.tasks",
)
NESTED = "\n".join("> " * depth + "@tam" for depth in range(1, 5))

COMMENTS = (
    # quick actions (docs/vendors/gitlab.md#untrusted-text)
    Hostile("plain command", "/close", ACTION),
    Hostile("in capitals", "/CLOSE", ACTION),
    Hostile("in the middle", "I am unhappy.\n/label ~urgent\nThanks.", ACTION),
    Hostile("after a carriage return", "fine\n\r/close", ACTION),
    Hostile("windows line ends", "fine\r\n/close\r\n", ACTION),
    Hostile("split by carriage returns", "\r/\rc\rlose", ACTION),
    Hostile("in a fence of tildes", "~~~\n/close\n~~~", ACTION),
    Hostile("in a comment of HTML", "<!--\n/close\n-->", ACTION),
    Hostile("after a closed fence", "```\ncode\n```\n/close", ACTION),
    Hostile("after an unclosed fence", "```\n/close", ACTION),
    Hostile("after three fences", "```\na\n```\n```\n/assign @tam", ACTION),
    Hostile("with trailing spaces", "/close   \n", ACTION),
    Hostile("moves the issue", "/move group/other-project", ACTION),
    Hostile("opens it to all", "/confidential", ACTION),
    Hostile("renames it", "/title Everything is great", ACTION),
    Hostile("copies from another", "/copy_metadata #1", ACTION),
    Hostile("marks a duplicate", "/duplicate #1", ACTION),
    Hostile("locks and spends", "/lock\n/spend 3h\n/due 2031-01-01", ACTION),
    Hostile("takes labels away", "/unlabel", ACTION),
    Hostile("copies people in", "/cc @tam", ACTION),
    Hostile("after four thousand lines", "word\n" * 1500 + "/close", ACTION),
    Hostile("form feed before it", "\x0c/close"),
    Hostile("vertical tab and NUL before it", "\x0b\0/close"),
    Hostile("line separator before it", "fine\u2028/close"),
    Hostile("next line before it", "fine\x85/close"),
    Hostile("no-break space before it", "\u00a0/close"),
    Hostile("byte order mark before it", "\ufeff/close"),
    # breaking out of the quote
    Hostile("closes our fence", "```\n/close\n@tam", ACTION),
    Hostile("closes a longer fence", "````\n@tam\n`````\n@tam ![x](https://t.example/p.png)", MENTION),
    Hostile("thousands of backticks", "`" * 3000 + "\n/close", ACTION),
    Hostile("fence within a quote", "> ```\n@tam #1", MENTION),
    Hostile("ends the block quote", "</blockquote>\n\n@tam", MENTION),
    Hostile("ends block quote, code and pre", "</code></pre></blockquote>\n@all\n/close", ACTION),
    Hostile("multi-line quote", ">>>\nquoted\n>>>\n/close", ACTION),
    Hostile("unclosed multi-line quote", ">>>\n/close", ACTION),
    Hostile("nested quotes", f"{NESTED}\n\n@tam", MENTION),
    Hostile("lazy continuation", "> quoted\n@tam goes on\n\n@tam", MENTION),
    # mentions
    Hostile("everybody", "@all please look", MENTION),
    Hostile("a group", "cc @support/managers", MENTION),
    Hostile("by entity", "&#64;all and &commat;tam", MENTION),
    Hostile("in bold", "**@tam** and _@ada_", MENTION),
    Hostile("in a table", "| a |\n|---|\n| @tam |", MENTION),
    Hostile("in a heading", "# @tam", MENTION),
    Hostile("after a zero-width space", "\u200b@tam", MENTION),
    Hostile("hidden by direction", "\u202e@tam\u202c", MENTION),
    Hostile("right to left text", "لا يعمل @tam إطلاقا", MENTION),
    Hostile("with an escape", "\\@tam \\\\@tam", MENTION),
    Hostile("in a definition list of HTML", "<dl><dt>@tam</dt></dl>", MENTION),
    # references, images, HTML, task lists
    Hostile("an issue", "see #1 and !2", REFERENCE),
    Hostile("an issue elsewhere", "like group/other-project#1", REFERENCE),
    Hostile("an issue's address", "https://gitlab.example.com/support/feedback/-/issues/1", REFERENCE),
    Hostile("a link to an issue", "[here](https://g.example/support/feedback/-/issues/1)", REFERENCE),
    Hostile("a picture that tracks", "![](https://tracker.example/p.gif?who=you)", IMAGE),
    Hostile("a picture by HTML", '<img src="https://tracker.example/p.gif">', IMAGE),
    Hostile("a picture by reference", "![x][1]\n\n[1]: https://tracker.example/p.gif", IMAGE),
    Hostile("a script", "<script>alert(1)</script>", HTML),
    Hostile("a form", '<details open><summary>Log in</summary><input name="p"></details>', HTML),
    Hostile("a style", "<style>body{display:none}</style>\n\ntext", HTML),
    Hostile("an unclosed comment", "<!-- the rest is hidden", HTML),
    Hostile("a list of tasks", "- [ ] pay me\n- [x] done", TASKS),
    Hostile("our own reference line", "Ref: `zdcsat0123456789abcdef0123` (answer 1)"),
    Hostile("JSON", '"}, "labels": "x", {"'),
    Hostile("only white space", " \t\n "),
    Hostile("half a surrogate pair", "\ud800 broken"),
    Hostile("a megabyte", "x" * 1_000_000),
    Hostile("a megabyte of backticks and lines", "`\n" * 500_000),
    Hostile("a megabyte of commands", "/close\n" * 150_000),
    Hostile("a hundred thousand mentions", "@all " * 100_000),
)

TITLES = (
    "@all look",
    "@support/managers #1",
    "see group/other-project#1 and !2",
    "#1",
    "&#64;all",
    "&commat;tam",
    '~urgent %"1.0" $3 &4',
    "https://gitlab.example.com/support/feedback/-/issues/1",
    "[issue:1] [vulnerability:2]",
    "mail\r\nSubject: @tam",
    "\u202e@tam\u202c",
    "\u2028@tam",
    "@" * 300,
    "\uff20tam is fine",
)
