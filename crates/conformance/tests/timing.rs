//! The tests that measure time against an Agent that is in time, and against such as are not.
//!
//! The Agent is ours in virtual time; when it dials again (7.8), and when it tries a silent host (1.92), is pretended.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use usphere_conformance::peer::{Address, Happening, Peer, Seat, Trouble, WebSocket, What};
use usphere_conformance::tries::{Tries, Try};
use usphere_conformance::virtual_time::VirtualTime;
use usphere_conformance::{Outcome, Profile, Verdict, run};
use usphere_proto::EndpointId;

/// Our Agent, with times of its own.
struct Timed {
    inner: VirtualTime,
    /// After how long it tries to connect, and after how much longer once more.
    dials: [Duration; 2],
    /// When it tries to connect next, and the so-manieth time that is.
    dial: Option<(Duration, usize)>,
    turns_away: bool,
    /// When it tries the silent host, after it was told to look for the way there, and how far.
    tries: &'static [(u64, u8)],
    /// When it was told to.
    told: Option<Duration>,
    tried: usize,
    silent: bool,
}

impl Timed {
    fn new(dials: [Duration; 2], tries: &'static [(u64, u8)]) -> Self {
        Self {
            inner: VirtualTime::new().expect("the Agent starts"),
            dials,
            dial: None,
            turns_away: false,
            tries,
            told: None,
            tried: 0,
            silent: false,
        }
    }

    /// What is pretended, and when it is due.
    fn due(&self) -> Option<(Duration, Pretended)> {
        if let Some((at, number)) = self.dial {
            return Some((at, Pretended::Dial(number)));
        }
        let (millis, hops_left) = self.tries.get(self.tried).filter(|_| self.silent)?;
        let at = self.told? + Duration::from_millis(*millis);
        Some((at, Pretended::Try(*hops_left)))
    }

    fn pretend(&mut self, what: Pretended) -> What {
        match what {
            Pretended::Try(hops_left) => {
                self.tried += 1;
                What::Tried(Try { hops_left })
            }
            Pretended::Dial(number) if self.turns_away => {
                let next = self.dials.get(number + 1);
                self.dial = next.map(|later| (self.inner.now() + *later, number + 1));
                What::TurnedAway
            }
            Pretended::Dial(_) => {
                self.dial = None;
                What::Opened
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Pretended {
    Dial(usize),
    Try(u8),
}

impl Peer for Timed {
    fn way(&self) -> String {
        "an Agent with times of its own".to_owned()
    }

    fn endpoint_id(&self, seat: Seat) -> EndpointId {
        self.inner.endpoint_id(seat)
    }

    fn address(&self, seat: Seat) -> Option<Address> {
        self.inner.address(seat)
    }

    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn next(&mut self, until: Duration) -> Option<Happening> {
        let due = self.due().filter(|(at, _)| *at <= until);
        let first = due.map_or(until, |(at, _)| at);
        loop {
            match self.inner.next(first) {
                // When it tries really is its own business.
                Some(happening) if matches!(happening.what, What::Tried(_)) => {}
                Some(happening) => return Some(happening),
                None => break,
            }
        }
        let (at, what) = due?;
        let what = self.pretend(what);
        let seat = Seat::Primary;
        Some(Happening { seat, at, what })
    }

    fn send(&mut self, seat: Seat, message: Bytes) -> Result<(), Trouble> {
        let command = b"TraceRoute()";
        let is_told = message.windows(command.len()).any(|part| part == command);
        if is_told && self.silent {
            self.told = Some(self.inner.now());
        }
        self.inner.send(seat, message)
    }

    fn connect(&mut self, seat: Seat) -> Result<(), Trouble> {
        self.inner.connect(seat)
    }

    fn drop_link(&mut self, _: Seat) {
        self.dial = Some((self.inner.now() + self.dials[0], 0));
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        self.inner.restart()
    }

    fn can_restart(&self) -> bool {
        true
    }

    fn websocket(&mut self) -> Option<&mut dyn WebSocket> {
        Some(self)
    }

    fn tries(&mut self) -> Option<&mut dyn Tries> {
        Some(self)
    }
}

impl Tries for Timed {
    fn keep_silent(&mut self) -> Result<IpAddr, Trouble> {
        self.silent = true;
        self.inner.keep_silent()
    }

    fn answer_again(&mut self) {
        self.silent = false;
        self.inner.answer_again();
    }
}

fn unwanted<T>() -> Result<T, Trouble> {
    Err(Trouble::Impossible("no test here wants it".to_owned()))
}

impl WebSocket for Timed {
    fn ping(&mut self, _: Seat, _: Bytes) -> Result<(), Trouble> {
        unwanted()
    }

    fn pong(&mut self, _: Seat, _: Bytes) -> Result<(), Trouble> {
        unwanted()
    }

    fn close(&mut self, _: Seat, _: u16) -> Result<(), Trouble> {
        unwanted()
    }

    fn send_fragmented(&mut self, _: Seat, _: Bytes) -> Result<(), Trouble> {
        unwanted()
    }

    fn turn_away(&mut self, all: bool) -> Result<(), Trouble> {
        self.turns_away = all;
        Ok(())
    }

    fn tell_extension(&mut self, _: bool) {}

    fn is_tls(&self) -> bool {
        false
    }

    fn make_certificate(&mut self) -> Result<String, Trouble> {
        unwanted()
    }

    fn present_made(&mut self, _: bool) -> Result<(), Trouble> {
        unwanted()
    }
}

fn only(peer: Timed, id: &str) -> Outcome {
    let only = id.parse().expect("a test");
    let report = run(Box::new(peer), Profile::default(), &only, &mut ());
    report.expect("the Agent is there").outcomes.remove(0)
}

#[track_caller]
fn fails(outcome: &Outcome, expected: &str) {
    let reason = &outcome.reason;
    assert_eq!(outcome.result, Verdict::Failed, "{expected}: {reason}");
    assert!(reason.contains(expected), "{reason}");
}

/// An Agent that connects anew in time passes; one that does so too early or too late, the first or the second
/// time, does not, nor does one that never does.
#[test]
fn an_agent_connects_anew_in_time() {
    const NEVER: u64 = 10_000;
    let dialling = |first, second| {
        let dials = [first, second].map(Duration::from_secs);
        only(Timed::new(dials, &[]), "7.8")
    };
    for (first, second) in [(5, 10), (10, 20), (7, 15)] {
        let outcome = dialling(first, second);
        assert_eq!(outcome.result, Verdict::Passed, "{}", outcome.reason);
    }
    fails(&dialling(0, 15), "after 5s to 10s, it came after 0");
    fails(&dialling(3, 15), "after 5s to 10s, it came after 3s");
    fails(&dialling(12, 15), "expected within 11s, none came");
    fails(&dialling(NEVER, 15), "expected within 11s, none came");
    fails(&dialling(7, 1), "after 10s to 20s, it came after 1s");
    fails(&dialling(7, 22), "second attempt was expected within 21s");
    fails(
        &dialling(7, NEVER),
        "second attempt was expected within 21s",
    );
}

/// An Agent that tries as often as is the default, and waits as long, passes; one that does not does not.
#[test]
fn an_agent_tries_as_often_and_as_slowly_as_is_the_default() {
    let trying = |tries| only(Timed::new([Duration::ZERO; 2], tries), "1.92");
    let passing: [&'static [(u64, u8)]; 3] = [
        &[(10, 1), (5_010, 1), (10_010, 1), (15_010, 2)],
        &[(10, 1), (5_040, 1), (10_000, 1), (15_010, 2)],
        // Further than it will go is not asked for.
        &[(10, 1), (5_010, 1), (10_010, 1)],
    ];
    for tries in passing {
        let outcome = trying(tries);
        assert_eq!(outcome.result, Verdict::Passed, "{}", outcome.reason);
    }
    fails(
        &trying(&[(10, 1), (30, 1), (50, 1), (5_010, 2)]),
        "try 2 was expected 5s after the one before, it came after 20ms",
    );
    fails(
        &trying(&[(10, 1), (5_010, 1), (11_010, 1), (16_010, 2)]),
        "try 3 did not come",
    );
    fails(
        &trying(&[(10, 1), (5_010, 2), (10_010, 3)]),
        "try 2 did not come",
    );
    fails(
        &trying(&[(10, 1), (5_010, 1), (10_010, 1), (15_010, 1)]),
        "there was one more",
    );
    let unseen = trying(&[]);
    assert_eq!(unseen.result, Verdict::NotRunnable, "{}", unseen.reason);
}
