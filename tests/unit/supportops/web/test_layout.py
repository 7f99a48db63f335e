"""Names of machines on narrow pages."""

from supportops.web.layout import breakable
from tests.support.for_each import for_each


@for_each(
    "text, shown",
    [
        ("org_name_mismatch", "org_<wbr>name_<wbr>mismatch"),
        ("link_broken:17", "link_<wbr>broken:<wbr>17"),
        ("sfdc-sync check --repair a_b", 'sfdc-sync check <span class="joined">--repair</span> a_<wbr>b'),
        (
            "seen 2026-11-28 19:28:30 UTC",
            'seen <span class="joined">2026-11-28</span> 19:28:30 UTC',
        ),
        ("rule: a sentence", "rule: a sentence"),
        ("a_<b>&", "a_&lt;b&gt;&amp;"),
        ("--<b>", '<span class="joined">--&lt;b&gt;</span>'),
        ("", ""),
    ],
)
def test_a_name_breaks_at_its_joints_alone(text: str, shown: str) -> None:
    assert str(breakable(text)) == shown
