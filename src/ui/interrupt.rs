//! What ends the screen without the operator having asked for it there: signals, and a terminal that goes away.
//!
//! Listened to are the signals that end a program which does not, and that leave it the time to give the terminal back.
//! Nobody can do that for SIGKILL, or after SIGSEGV and its like, where the program itself is what is broken; nor for an
//! `abort()` from within: the C library ends the process as soon as the handler returns, before a thread of ours has run.
//! SIGABRT from outside (`kill -ABRT`, systemd's watchdog) is one like the others.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::process::Signal as Posix;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Why the screen was left without the operator having asked for it on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGHUP: the terminal was closed.
    HangUp,
    /// SIGTERM.
    Terminate,
    /// SIGINT, from outside: Ctrl-C is a key here.
    Interrupt,
    /// SIGQUIT.
    Quit,
    /// SIGABRT, from outside.
    Abort,
    /// SIGALRM.
    Alarm,
    /// SIGUSR1.
    User1,
    /// SIGUSR2.
    User2,
    /// SIGXCPU.
    CpuTime,
    /// SIGVTALRM.
    VirtualAlarm,
    /// SIGPROF.
    Profiling,
    /// SIGIO.
    Io,
    /// SIGPWR.
    Power,
    /// SIGSTKFLT.
    Stack,
    /// SIGTRAP.
    Trap,
    /// SIGSYS.
    System,
    /// SIGRTMIN, the first of those for real time.
    RealTime,
    /// The terminal went away and no signal said so.
    Lost,
}

/// The signals, by which goes first where several have come.
const SIGNALS: [(Interrupt, i32, &str); 17] = [
    (Interrupt::HangUp, Posix::HUP.as_raw(), "SIGHUP"),
    (Interrupt::Terminate, Posix::TERM.as_raw(), "SIGTERM"),
    (Interrupt::Interrupt, Posix::INT.as_raw(), "SIGINT"),
    (Interrupt::Quit, Posix::QUIT.as_raw(), "SIGQUIT"),
    (Interrupt::Abort, Posix::ABORT.as_raw(), "SIGABRT"),
    (Interrupt::Alarm, Posix::ALARM.as_raw(), "SIGALRM"),
    (Interrupt::User1, Posix::USR1.as_raw(), "SIGUSR1"),
    (Interrupt::User2, Posix::USR2.as_raw(), "SIGUSR2"),
    (Interrupt::CpuTime, Posix::XCPU.as_raw(), "SIGXCPU"),
    (Interrupt::VirtualAlarm, Posix::VTALARM.as_raw(), "SIGVTALRM"),
    (Interrupt::Profiling, Posix::PROF.as_raw(), "SIGPROF"),
    (Interrupt::Io, Posix::IO.as_raw(), "SIGIO"),
    (Interrupt::Power, Posix::POWER.as_raw(), "SIGPWR"),
    (Interrupt::Stack, Posix::STKFLT.as_raw(), "SIGSTKFLT"),
    (Interrupt::Trap, Posix::TRAP.as_raw(), "SIGTRAP"),
    (Interrupt::System, Posix::SYS.as_raw(), "SIGSYS"),
    (Interrupt::RealTime, REAL_TIME, "SIGRTMIN"),
];

/// SIGRTMIN as programs see it: the C library keeps the two below it for itself.
const REAL_TIME: i32 = 34;

impl Interrupt {
    fn signal(self) -> Option<(i32, &'static str)> {
        SIGNALS.iter().find(|(interrupt, ..)| *interrupt == self).map(|(_, signal, name)| (*signal, *name))
    }

    /// 128 and the signal's number, as shells have it; a lost terminal is one that hung up.
    #[must_use]
    pub fn exit_status(self) -> u8 {
        128 + self.signal().map_or(Posix::HUP.as_raw(), |(signal, _)| signal) as u8
    }
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.signal() {
            Some((_, name)) => write!(f, "ended by {name}"),
            None => f.write_str("ended: the terminal is gone"),
        }
    }
}

/// The signals that end the program. From `listen` on none of them does so by itself.
pub(super) struct Endings(Vec<(Signal, Interrupt)>);

impl Endings {
    /// Listens to all of them.
    ///
    /// # Errors
    /// When the system does not let us.
    pub(super) fn listen() -> io::Result<Self> {
        let listen =
            |(interrupt, number, _): (Interrupt, i32, _)| Ok((signal(SignalKind::from_raw(number))?, interrupt));
        SIGNALS.into_iter().map(listen).collect::<io::Result<_>>().map(Self)
    }

    /// Waits for one of them. Nothing is lost when the wait is given up.
    pub(super) async fn next(&mut self) -> Interrupt {
        poll_fn(|context| {
            let mut come =
                self.0.iter_mut().filter_map(|(signal, of)| signal.poll_recv(context).is_ready().then_some(*of));
            come.next().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_it_is_in_the_exit_status_as_shells_have_it() {
        let all = [Interrupt::HangUp, Interrupt::Interrupt, Interrupt::Quit, Interrupt::Terminate, Interrupt::Lost];
        assert_eq!(all.map(Interrupt::exit_status), [129, 130, 131, 143, 129]);
        let others = [Interrupt::Abort, Interrupt::Alarm, Interrupt::User1, Interrupt::User2];
        assert_eq!(others.map(Interrupt::exit_status), [134, 142, 138, 140]);
        let rare = [Interrupt::CpuTime, Interrupt::VirtualAlarm, Interrupt::Power, Interrupt::RealTime];
        assert_eq!(rare.map(Interrupt::exit_status), [152, 154, 158, 162]);
        assert_eq!(Interrupt::Abort.to_string(), "ended by SIGABRT");
    }
}
