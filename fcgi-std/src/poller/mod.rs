//! Waiting for many descriptors, from many threads: each readiness is reported to one of them.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;

#[cfg(target_os = "linux")]
pub(crate) use epoll::Poller;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::Poller;

/// What to wait for on a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interest {
    Readable,
    Writable,
    /// Either of the two.
    Both,
    /// Stay registered, and stay silent.
    Nothing,
}

/// How often a descriptor that is ready is reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Once, until it is armed again: for several threads that wait.
    OneShot,
    /// As long as it is ready: for one thread, which then saves the arming.
    Level,
}

/// Why a wait returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wake {
    /// The descriptor with this token is ready, or was a moment ago.
    Ready(u64),
    /// Time is over, a signal came, or [`Poller::notify`] or [`Poller::interrupt`] was called.
    Other,
}

/// The token of the poller's own descriptor.
const NOTIFY: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    const SOON: Option<Duration> = Some(Duration::from_millis(1));
    const LONG: Option<Duration> = Some(Duration::from_secs(30));

    macro_rules! same_behaviour {
        ($name:ident, $poller:ty) => {
            mod $name {
                use super::*;

                #[test]
                fn one_shot_reports_once_until_armed_again() {
                    let poller = <$poller>::new(Mode::OneShot).unwrap();
                    let (mut near, mut far) = UnixStream::pair().unwrap();
                    poller.add(near.as_fd(), 7, Interest::Readable).unwrap();
                    assert_eq!(poller.wait(SOON).unwrap(), Wake::Other);
                    far.write_all(b"x").unwrap();
                    assert_eq!(poller.wait(LONG).unwrap(), Wake::Ready(7));
                    assert_eq!(poller.wait(SOON).unwrap(), Wake::Other);
                    poller.arm(near.as_fd(), 7, Interest::Readable).unwrap();
                    assert_eq!(poller.wait(LONG).unwrap(), Wake::Ready(7));
                    near.read_exact(&mut [0]).unwrap();
                    poller.arm(near.as_fd(), 7, Interest::Writable).unwrap();
                    assert_eq!(poller.wait(LONG).unwrap(), Wake::Ready(7));
                    drop(far);
                    poller.arm(near.as_fd(), 7, Interest::Readable).unwrap();
                    assert_eq!(
                        poller.wait(LONG).unwrap(),
                        Wake::Ready(7),
                        "end of the stream"
                    );
                    poller.forget(7);
                }

                #[test]
                fn level_reports_as_long_as_it_is_ready() {
                    let poller = <$poller>::new(Mode::Level).unwrap();
                    let (near, mut far) = UnixStream::pair().unwrap();
                    poller.add(near.as_fd(), 1, Interest::Readable).unwrap();
                    far.write_all(b"x").unwrap();
                    assert_eq!(poller.wait(LONG).unwrap(), Wake::Ready(1));
                    assert_eq!(poller.wait(LONG).unwrap(), Wake::Ready(1));
                    poller.arm(near.as_fd(), 1, Interest::Nothing).unwrap();
                    assert_eq!(poller.wait(SOON).unwrap(), Wake::Other);
                }

                #[test]
                fn each_that_is_ready_has_its_turn() {
                    let poller = <$poller>::new(Mode::Level).unwrap();
                    let pairs = [(); 3].map(|()| UnixStream::pair().unwrap());
                    for ((near, far), token) in pairs.iter().zip(0..) {
                        poller.add(near.as_fd(), token, Interest::Readable).unwrap();
                        (&*far).write_all(b"x").unwrap();
                    }
                    for round in 0..2 {
                        let mut turns = [(); 3].map(|()| poller.wait(LONG).unwrap());
                        turns.sort_by_key(|turn| format!("{turn:?}"));
                        let all = [0, 1, 2].map(Wake::Ready);
                        assert_eq!(turns, all, "round {round}");
                    }
                }

                /// Though another thread waits for it at that time.
                #[test]
                fn what_is_forgotten_can_be_closed() {
                    let poller = <$poller>::new(Mode::OneShot).unwrap();
                    let (near, mut far) = UnixStream::pair().unwrap();
                    poller.add(near.as_fd(), 1, Interest::Readable).unwrap();
                    far.set_read_timeout(LONG).unwrap();
                    std::thread::scope(|scope| {
                        let waiting = scope.spawn(|| poller.wait(None));
                        // So that it waits, most likely.
                        std::thread::sleep(Duration::from_millis(100));
                        poller.forget(1);
                        drop(near);
                        let end = far.read(&mut [0]);
                        poller.interrupt().unwrap();
                        assert_eq!(end.unwrap(), 0);
                        assert_eq!(waiting.join().unwrap().unwrap(), Wake::Other);
                    });
                }

                #[test]
                fn notify_wakes_one_and_interrupt_wakes_all() {
                    let poller = <$poller>::new(Mode::OneShot).unwrap();
                    poller.notify().unwrap();
                    assert_eq!(poller.wait(LONG).unwrap(), Wake::Other);
                    let begun = std::time::Instant::now();
                    std::thread::scope(|scope| {
                        for _ in 0..3 {
                            scope.spawn(|| assert_eq!(poller.wait(LONG).unwrap(), Wake::Other));
                        }
                        poller.interrupt().unwrap();
                    });
                    poller.notify().unwrap();
                    assert_eq!(poller.wait(LONG).unwrap(), Wake::Other);
                    assert_eq!(poller.wait(LONG).unwrap(), Wake::Other, "from now on");
                    assert!(begun.elapsed() < LONG.unwrap());
                }
            }
        };
    }

    #[cfg(target_os = "linux")]
    same_behaviour!(epoll, super::super::epoll::Poller);
    same_behaviour!(portable, super::super::portable::Poller);
}
