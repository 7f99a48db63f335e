"""While modules are loaded the garbage collector rests."""

import gc

from supportops.loading import loading


def test_the_collector_rests_inside_and_is_as_it_was_afterwards() -> None:
    gc.unfreeze()
    with loading():
        assert not gc.isenabled()
        with loading():
            pass
        assert not gc.isenabled()
        assert gc.get_freeze_count() == 0
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_a_module_that_cannot_be_loaded_leaves_it_on() -> None:
    try:
        with loading():
            raise ImportError
    except ImportError:
        assert gc.isenabled()
