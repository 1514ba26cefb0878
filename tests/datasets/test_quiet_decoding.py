import threading
import warnings

from robust.datasets.quiet_decoding import silence


def test_threads_that_overlap_leave_the_filters_as_they_were():
    """The one that came first leaves first, as it may where a pipeline decodes."""
    before, inside, may_leave = list(warnings.filters), threading.Event(), threading.Event()

    def other():
        with silence():
            inside.set()
            may_leave.wait(10)

    thread = threading.Thread(target=other)
    with silence():
        thread.start()
        assert inside.wait(10)
        warnings.warn("nobody hears this", stacklevel=1)
    may_leave.set()
    thread.join()
    assert warnings.filters == before
