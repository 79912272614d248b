//! The one browser session of a viewer: launched once, unlocked by a passphrase, locked by time or by hand.
//!
//! Locking drops the open site, and with it every key, the directory and the handles. Time is a parameter.

use jiff::Timestamp;
use lifeboat_format::RecordKey;

use super::handles::{Handles, Query};
use super::throttle::Throttle;
use crate::age::duration_words;
use crate::token::{RandomError, Token};

/// How long things last, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// A launch address works once, and no longer than this.
    pub launch_seconds: i64,
    /// Without a request for this long, the screen locks.
    pub idle_seconds: i64,
    /// However busy, the screen locks after this.
    pub absolute_seconds: i64,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { launch_seconds: 60, idle_seconds: 15 * 60, absolute_seconds: 12 * 3600 }
    }
}

/// A clock that moved back by more than this locks the screen: no time can be trusted then.
const BACKWARD_TOLERANCE_SECONDS: i64 = 60;

/// Why a screen is locked that was open before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockReason {
    /// Somebody pressed the lock button.
    ByHand,
    /// Nobody used it.
    Idle,
    /// It was open for as long as is allowed.
    TooLong,
}

impl LockReason {
    /// Says the reason to the reader.
    pub fn sentence(self, limits: &SessionLimits) -> String {
        match self {
            Self::ByHand => "Locked. The records and the keys were removed from memory.".to_owned(),
            Self::Idle => format!("Locked after {} without use.", duration_words(limits.idle_seconds)),
            Self::TooLong => format!("Locked after {}.", duration_words(limits.absolute_seconds)),
        }
    }
}

/// Whether the sender of a request may see anything.
#[derive(Debug)]
pub enum Visit<S> {
    /// The request carries no session, or another one's.
    Stranger,
    /// The session is known and nothing is open.
    Locked {
        /// The token of the session's forms.
        form: Token,
        /// Why, when something was open before.
        reason: Option<LockReason>,
    },
    /// The session is known and a site is open.
    Open {
        /// The token of the session's forms.
        form: Token,
        /// The open site.
        site: S,
        /// True when the reader has acknowledged this copy's age.
        acknowledged: bool,
    },
}

/// What stands behind a request that the browser made by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glance {
    /// The request carries no session, or another one's.
    Stranger,
    /// Nothing is open.
    Locked,
    /// A site is open.
    Open,
}

#[derive(Debug)]
struct Session<S> {
    cookie: Token,
    form: Token,
    seen: Timestamp,
    open: Option<Opened<S>>,
    reason: Option<LockReason>,
}

#[derive(Debug)]
struct Opened<S> {
    site: S,
    since: Timestamp,
    handles: Handles,
    acknowledged: bool,
}

/// The state behind every request: `S` is the open site, cheap to clone.
#[derive(Debug)]
pub struct Desk<S> {
    limits: SessionLimits,
    launch: Option<(Token, Timestamp)>,
    ready: Option<(S, Timestamp)>,
    session: Option<Session<S>>,
    /// Slows down guessing.
    pub throttle: Throttle,
}

impl<S: Clone> Desk<S> {
    /// Makes a desk without a session.
    pub fn new(limits: SessionLimits) -> Self {
        Self { limits, launch: None, ready: None, session: None, throttle: Throttle::default() }
    }

    /// Returns how long things last.
    pub fn limits(&self) -> &SessionLimits {
        &self.limits
    }

    /// Keeps a site that was opened from the command line for the session that is launched next.
    pub fn keep_ready(&mut self, site: S, now: Timestamp) {
        self.ready = Some((site, now));
    }

    /// Makes a launch token; an unused earlier one stops working.
    pub fn prepare_launch(&mut self, now: Timestamp) -> Result<Token, RandomError> {
        let token = Token::random()?;
        self.launch = Some((token.clone(), now));
        Ok(token)
    }

    /// Exchanges a launch token, once and in time, for a new session; returns the session's cookie.
    /// An earlier session ends, and what it had open is closed.
    pub fn launch(&mut self, offered: &str, now: Timestamp) -> Result<Option<Token>, RandomError> {
        let Some((token, made)) = &self.launch else { return Ok(None) };
        if elapsed(*made, now) > self.limits.launch_seconds {
            self.launch = None;
            return Ok(None);
        }
        if !token.matches(offered) {
            return Ok(None);
        }
        let (cookie, form) = (Token::random()?, Token::random()?);
        self.launch = None;
        let ready = self.ready.take().map(|(site, _)| site);
        let open =
            ready.map(|site| Opened { site, since: now, handles: Handles::default(), acknowledged: false });
        self.session = Some(Session { cookie: cookie.clone(), form, seen: now, open, reason: None });
        Ok(Some(cookie))
    }

    /// Looks at who sends a request, and counts it as use.
    pub fn visit(&mut self, cookie: Option<&str>, now: Timestamp) -> Visit<S> {
        self.expire(now);
        let Some(session) = self.session_of(cookie) else { return Visit::Stranger };
        session.seen = now;
        let form = session.form.clone();
        match &session.open {
            None => Visit::Locked { form, reason: session.reason },
            Some(open) => Visit::Open { form, site: open.site.clone(), acknowledged: open.acknowledged },
        }
    }

    /// Looks at who sends a request that the browser made by itself, which does not count as use.
    pub fn glance(&mut self, cookie: Option<&str>, now: Timestamp) -> Glance {
        self.expire(now);
        match self.session_of(cookie) {
            None => Glance::Stranger,
            Some(session) if session.open.is_some() => Glance::Open,
            Some(_) => Glance::Locked,
        }
    }

    /// Puts an opened site into the session; says whether the session still exists.
    pub fn open(&mut self, cookie: Option<&str>, site: S, now: Timestamp) -> bool {
        let Some(session) = self.session_of(cookie) else { return false };
        let open = Opened { site, since: now, handles: Handles::default(), acknowledged: false };
        (session.open, session.reason, session.seen) = (Some(open), None, now);
        true
    }

    /// Replaces the open site by another opening of it; handles stay, and another snapshot's age must be
    /// acknowledged anew.
    pub fn replace(&mut self, site: S, is_same_snapshot: SameSnapshot) {
        if let Some(open) = self.session.as_mut().and_then(|session| session.open.as_mut()) {
            open.site = site;
            open.acknowledged &= is_same_snapshot == SameSnapshot::Yes;
        }
    }

    /// Notes that the reader has acknowledged the copy's age.
    pub fn acknowledge(&mut self) {
        if let Some(open) = self.session.as_mut().and_then(|session| session.open.as_mut()) {
            open.acknowledged = true;
        }
    }

    /// Closes what is open.
    pub fn lock(&mut self, reason: LockReason) {
        if let Some(session) = &mut self.session
            && session.open.take().is_some()
        {
            session.reason = Some(reason);
        }
    }

    /// Closes what has been open for too long, or unused for too long.
    pub fn expire(&mut self, now: Timestamp) {
        if self.ready.as_ref().is_some_and(|(_, made)| elapsed(*made, now) > self.limits.idle_seconds) {
            self.ready = None;
        }
        let Some(session) = &self.session else { return };
        let Some(open) = &session.open else { return };
        if elapsed(open.since, now) > self.limits.absolute_seconds {
            self.lock(LockReason::TooLong);
        } else if elapsed(session.seen, now) > self.limits.idle_seconds {
            self.lock(LockReason::Idle);
        }
    }

    /// Returns the handles of what is open; nothing when it was locked meanwhile.
    pub fn handles(&mut self) -> Option<&mut Handles> {
        Some(&mut self.session.as_mut()?.open.as_mut()?.handles)
    }

    /// Finds the patient that a handle stands for.
    pub fn key(&mut self, handle: &str) -> Option<RecordKey> {
        self.handles()?.key(handle)
    }

    /// Finds the search that a handle stands for.
    pub fn search(&mut self, handle: &str) -> Option<Query> {
        self.handles()?.search(handle)
    }

    fn session_of(&mut self, cookie: Option<&str>) -> Option<&mut Session<S>> {
        let cookie = cookie?;
        self.session.as_mut().filter(|session| session.cookie.matches(cookie))
    }
}

/// Whether two openings of a site show the same snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSnapshot {
    /// They do.
    Yes,
    /// They do not.
    No,
}

/// Returns the seconds from `from` to `now`; endless when the clock moved back.
fn elapsed(from: Timestamp, now: Timestamp) -> i64 {
    let seconds = now.as_second() - from.as_second();
    if seconds < -BACKWARD_TOLERANCE_SECONDS { i64::MAX } else { seconds }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).expect("a timestamp in range")
    }

    fn launched(open: bool) -> (Desk<u8>, Token) {
        let mut desk = Desk::new(SessionLimits::default());
        let token = desk.prepare_launch(at(0)).expect("randomness");
        let cookie = desk.launch(token.reveal(), at(1)).expect("randomness").expect("a session");
        if open {
            assert!(desk.open(Some(cookie.reveal()), 1, at(1)));
        }
        (desk, cookie)
    }

    fn is_open(desk: &mut Desk<u8>, cookie: &Token, second: i64) -> bool {
        matches!(desk.visit(Some(cookie.reveal()), at(second)), Visit::Open { .. })
    }

    #[test]
    fn a_launch_address_works_once_and_for_a_minute() {
        let mut desk = Desk::<u8>::new(SessionLimits::default());
        let token = desk.prepare_launch(at(0)).expect("randomness");
        assert!(desk.launch("0".repeat(32).as_str(), at(1)).expect("randomness").is_none());
        assert!(desk.launch(token.reveal(), at(60)).expect("randomness").is_some());
        assert!(desk.launch(token.reveal(), at(60)).expect("randomness").is_none());

        let late = desk.prepare_launch(at(0)).expect("randomness");
        assert!(desk.launch(late.reveal(), at(61)).expect("randomness").is_none());
        assert!(desk.launch(late.reveal(), at(1)).expect("randomness").is_none(), "it does not come back");
    }

    #[test]
    fn a_new_launch_ends_the_session_before_it() {
        let (mut desk, old) = launched(true);
        let token = desk.prepare_launch(at(2)).expect("randomness");
        let new = desk.launch(token.reveal(), at(2)).expect("randomness").expect("a session");
        assert!(matches!(desk.visit(Some(old.reveal()), at(3)), Visit::Stranger));
        assert!(matches!(desk.visit(Some(new.reveal()), at(3)), Visit::Locked { reason: None, .. }));
    }

    #[test]
    fn nobody_without_the_cookie_sees_anything() {
        let (mut desk, _) = launched(true);
        for cookie in [None, Some(""), Some("00000000000000000000000000000000")] {
            assert!(matches!(desk.visit(cookie, at(2)), Visit::Stranger), "{cookie:?}");
            assert!(!desk.open(cookie, 2, at(2)));
        }
    }

    #[test]
    fn an_idle_screen_locks_after_fifteen_minutes_and_use_keeps_it_open() {
        let (mut desk, cookie) = launched(true);
        assert!(is_open(&mut desk, &cookie, 900));
        assert!(is_open(&mut desk, &cookie, 1800));
        assert!(!is_open(&mut desk, &cookie, 1800 + 901));
        let Visit::Locked { reason, .. } = desk.visit(Some(cookie.reveal()), at(3000)) else {
            panic!("locked")
        };
        assert_eq!(reason, Some(LockReason::Idle));
    }

    #[test]
    fn what_the_browser_fetches_by_itself_does_not_keep_the_screen_open() {
        let (mut desk, cookie) = launched(true);
        assert_eq!(desk.glance(Some(cookie.reveal()), at(800)), Glance::Open);
        assert_eq!(desk.glance(None, at(800)), Glance::Stranger);
        assert_eq!(desk.glance(Some(cookie.reveal()), at(902)), Glance::Locked);
    }

    #[test]
    fn a_busy_screen_locks_after_twelve_hours() {
        let (mut desk, cookie) = launched(true);
        for second in (0..=12 * 3600).step_by(600) {
            assert!(is_open(&mut desk, &cookie, second), "{second}");
        }
        assert!(!is_open(&mut desk, &cookie, 12 * 3600 + 2));
    }

    #[test]
    fn a_clock_that_moves_back_locks_the_screen() {
        let (mut desk, cookie) = launched(true);
        assert!(is_open(&mut desk, &cookie, -30));
        assert!(!is_open(&mut desk, &cookie, -3600));
    }

    #[test]
    fn locking_forgets_the_handles_and_says_why() {
        let (mut desk, cookie) = launched(true);
        let key = RecordKey::from_bytes([1; 16]);
        let handle = desk.handles().expect("open").of(key).expect("randomness").to_owned();
        assert_eq!(desk.key(&handle), Some(key));
        desk.lock(LockReason::ByHand);
        assert_eq!(desk.key(&handle), None);
        assert!(desk.open(Some(cookie.reveal()), 1, at(3)));
        assert_eq!(desk.key(&handle), None);
    }

    #[test]
    fn another_snapshot_must_be_acknowledged_anew() {
        let (mut desk, cookie) = launched(true);
        desk.acknowledge();
        let acknowledged = |desk: &mut Desk<u8>| match desk.visit(Some(cookie.reveal()), at(2)) {
            Visit::Open { acknowledged, .. } => acknowledged,
            _ => false,
        };
        desk.replace(2, SameSnapshot::Yes);
        assert!(acknowledged(&mut desk));
        desk.replace(3, SameSnapshot::No);
        assert!(!acknowledged(&mut desk));
    }

    #[test]
    fn a_site_opened_from_the_command_line_waits_for_one_launch_and_not_for_ever() {
        let mut desk = Desk::new(SessionLimits::default());
        desk.keep_ready(9u8, at(0));
        let token = desk.prepare_launch(at(0)).expect("randomness");
        let cookie = desk.launch(token.reveal(), at(1)).expect("randomness").expect("a session");
        assert!(is_open(&mut desk, &cookie, 2));

        desk.keep_ready(9, at(10));
        desk.expire(at(10 + 901));
        assert!(desk.ready.is_none());
    }
}
