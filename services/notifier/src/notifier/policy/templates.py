"""Texts of the organization's own for its messages: a small part of Jinja, every value escaped where it is put in.

A template is a text with `{{ value }}` and `{% if %}`. It can call nothing, reach into nothing and loop over nothing,
so the worst that a mistake in it can do is to look odd. Values go through `finalize`, which escapes them for the place
they are shown in (Slack's mrkdwn here): a template cannot put in a value that is not escaped.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator, StringConstraints

from supportops.config.validation_messages import suggest

VALUES: Final = (
    "after",
    "before",
    "brand",
    "changes",
    "comment",
    "event",
    "form",
    "group",
    "organization",
    "person",
    "plan",
    "priority",
    "reason",
    "region",
    "status",
    "ticket",
    "ticket_id",
    "title",
)
"""What a template may show; each is a text, empty when it is not known. `ticket` is the number as a link. `event` says
what happened, `changes` what was changed from what to what; `before`, `after` and `reason` (of a rating) are the
weightiest change's.
"""
FILTERS: Final = ("default", "length", "lower", "replace", "title", "trim", "truncate", "upper")
LONGEST_TEMPLATE: Final = 1_500
LONGEST_VALUE: Final = 20_000  # characters that `replace` may make of a value
_ALLOWED: Final = (
    nodes.And,
    nodes.Compare,
    nodes.Concat,
    nodes.CondExpr,
    nodes.Const,
    nodes.Filter,
    nodes.If,
    nodes.Keyword,
    nodes.Name,
    nodes.Not,
    nodes.Operand,
    nodes.Or,
    nodes.Output,
    nodes.Template,
    nodes.TemplateData,
    nodes.Test,
)

Finalize = Callable[[Any], str]


def _checked(text: str) -> str:
    """`text`, when it is a template that may be used. Raises ValueError with the line of the mistake."""
    environment = _environment(None)
    try:
        tree = environment.parse(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"line {error.lineno} of the template: {error.message}") from None
    for node in tree.find_all(nodes.Node):
        _demand_allowed(node)
    if unknown := sorted(find_undeclared_variables(tree) - set(VALUES)):
        line = next(node.lineno for node in tree.find_all(nodes.Name) if node.name == unknown[0])
        words = suggest(unknown[0], VALUES)
        raise ValueError(f"line {line} of the template: {unknown[0]!r} is no value{words}")
    try:
        rendered(text, dict.fromkeys(VALUES, "1"), str)
    except (TemplateError, TypeError, ValueError) as error:
        raise ValueError(f"the template cannot be filled in: {error}") from None
    return text


def _demand_allowed(node: nodes.Node) -> None:
    where = f"line {node.lineno} of the template"
    if not isinstance(node, _ALLOWED):
        raise ValueError(f"{where}: only {{{{ value }}}}, filters and {{% if %}} are allowed")
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise ValueError(f"{where}: no filter {node.name!r}; allowed: {', '.join(FILTERS)}")


TemplateText = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_TEMPLATE), AfterValidator(_checked)
]


def rendered(text: str, values: Mapping[str, str], finalize: Finalize) -> str:
    """The template with `values` put in, each as `finalize` makes it; equal calls are compiled once."""
    return _compiled(text, finalize).render({name: values.get(name, "") for name in VALUES})


@cache
def used(text: str) -> frozenset[str]:
    """The values that a template shows or asks about."""
    return frozenset(find_undeclared_variables(_environment(None).parse(text)))


@cache
def _compiled(text: str, finalize: Finalize) -> Template:
    return _environment(finalize).from_string(text)


def _replace(text: object, old: object, new: object) -> str:
    """Jinja's `replace` within bounds: a template that makes much of little would take the worker's memory."""
    said, before, after = str(text), str(old), str(new)
    grows = max(1, len(after) - len(before))
    return said.replace(before, after, max(0, LONGEST_VALUE - len(said)) // grows)


def _environment(finalize: Finalize | None) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=False,  # nosec B701  # Jinja's is HTML's; ours is `finalize`, for every destination its own
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=(),
    )
    environment.filters["replace"] = _replace
    return environment
