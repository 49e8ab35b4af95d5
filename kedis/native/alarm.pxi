# A timer in the epoll set.
# A time-out of epoll_wait costs a client that sends one request after the other 10 % of the server's processor time: the
# kernel sets the hardware's timer at each wait, and takes it back. An alarm is set once for many waits.

cdef extern from "sys/timerfd.h" nogil:
    struct itimerspec:
        timespec it_interval
        timespec it_value
    int timerfd_create(int, int)
    int timerfd_settime(int, int, const itimerspec*, itimerspec*)
    int TFD_NONBLOCK, TFD_CLOEXEC

cdef enum:
    #: The number of its event in the set.
    ALARM = 0


cdef class Alarm:
    """Makes epoll_wait on the set return at a moment."""

    cdef int descriptor
    cdef bint is_set

    def __cinit__(self):
        self.descriptor = -1

    def __init__(self, int epoll):
        cdef epoll_event event
        event.events = EPOLLIN
        event.data.u64 = ALARM
        self.descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
        if self.descriptor < 0 or epoll_ctl(epoll, EPOLL_CTL_ADD, self.descriptor, &event) < 0:
            raise OSError(errno, "timerfd_create")

    def __dealloc__(self):
        self.end()

    cdef void end(self) noexcept:
        """Ring no more. Idempotent."""
        self.is_set = False
        if self.descriptor >= 0:
            close(self.descriptor)
            self.descriptor = -1

    cdef int ring_in(self, long long ns) noexcept:
        """Set the alarm if it is not set; returns the time-out for epoll_wait: none, or a millisecond where that failed."""
        if not self.is_set:
            self.is_set = self.set_timer(ns)
        return -1 if self.is_set else 1

    cdef void stop(self) noexcept:
        """Unset the alarm, whether it has rung or not."""
        if self.is_set:
            self.is_set = False
            self.set_timer(0)

    cdef bint set_timer(self, long long ns) noexcept:
        cdef itimerspec moment
        moment.it_interval.tv_sec = moment.it_interval.tv_nsec = moment.it_value.tv_sec = 0
        moment.it_value.tv_nsec = ns
        return timerfd_settime(self.descriptor, 0, &moment, NULL) == 0
