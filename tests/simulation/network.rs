//! What may become of a request and of a read between a till and Shopify. Within [`super::assumptions`].
use std::time::Duration;

use drawerbridge::{
    opening::{ActivityRead, Mutation, Outcome, Read, Wait},
    shift::event::OpeningId,
};
use serde_json::Value;

use super::{
    assumptions::{CLIENT_GIVES_UP, Ms, READ_LAG, RUNS_WITHIN, S, SHOPIFY_GIVES_UP},
    till::{Answer, Ask},
    world::{Happening, Request, World},
};

/// Which copy's answer the till gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyPlan {
    /// This one's.
    OfCopy(usize),
    /// A 5xx after this one ran.
    Broken(usize),
    /// None; silence, or something that was decided when it was sent.
    NoCopys,
}

/// What becomes of a read.
#[derive(Debug, Clone, Copy)]
pub enum ReadFate {
    /// It shows what was true so long ago; the device itself, so long.
    Shows {
        lag: Ms,
        device_lag: Ms,
    },
    Fails,
    Throttled,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Clean,
    NotReachable,
    Throttled,
    Forbidden,
    Rejected,
    Lost,
    AnswerLost,
    BrokenBefore,
    BrokenAfter,
    Late,
    Doubled,
}

impl World {
    fn fate(&mut self, till: usize, mutation: Mutation) -> Fate {
        if self.calm {
            return Fate::Clean;
        }
        if self.now < self.tills[till].down_until {
            return match self.dice.below(8) {
                0 => Fate::Lost,
                1 => Fate::AnswerLost,
                _ => Fate::NotReachable,
            };
        }
        match self.dice.below(60) {
            0..=2 => Fate::NotReachable,
            3 => Fate::Throttled,
            4 => Fate::Forbidden,
            5 if self.dice.one_in(3) => Fate::Rejected,
            6..=9 => Fate::Lost,
            10..=12 => Fate::AnswerLost,
            13 | 14 => Fate::BrokenBefore,
            15 | 16 => Fate::BrokenAfter,
            17..=20 => Fate::Late,
            21..=24 if mutation == Mutation::Open => Fate::Doubled,
            _ => Fate::Clean,
        }
    }

    pub(super) fn send(&mut self, till: usize, opening: OpeningId, mutation: Mutation, variables: Value) {
        self.tally.add(if mutation == Mutation::Open { "sent" } else { "sent counts" });
        if variables["time"].is_null() {
            self.tally.add("sent without time");
        }
        let fate = self.fate(till, mutation);
        self.note(|| format!("till {till}: sends {mutation:?} for {opening}: {fate:?}"));
        let (request, sent) = (self.requests.len(), self.now);
        let slowest = if self.dice.one_in(10) { 4 * S } else { 300 };
        let soon = 20 + self.dice.below(slowest);
        let mut runs = Vec::new();
        let mut reply = ReplyPlan::NoCopys;
        let mut at_once = None;
        match fate {
            Fate::Clean => {
                runs.push(soon);
                reply = ReplyPlan::OfCopy(0);
            }
            Fate::NotReachable => {
                self.tally.add("not reachable");
                let why = "Shopify cannot be reached".to_owned();
                at_once = Some((self.dice.below(5 * S), Outcome::NotExecuted { why, wait: Wait::Usual }));
            }
            Fate::Throttled => {
                self.tally.add("throttled");
                let wait = Wait::Asked(Duration::from_secs(1 + self.dice.below(20)));
                at_once = Some((soon, Outcome::NotExecuted { why: "429".to_owned(), wait }));
            }
            Fate::Forbidden => {
                self.tally.add("forbidden");
                at_once = Some((soon, Outcome::NotExecuted { why: "403".to_owned(), wait: Wait::Longest }));
            }
            Fate::Rejected => {
                at_once =
                    Some((soon, Outcome::Rejected { code: "HTTP_404".to_owned(), message: "no such path".to_owned() }));
            }
            Fate::Lost => self.tally.add("request lost"),
            Fate::AnswerLost => {
                self.tally.add("answer lost");
                runs.push(soon);
            }
            Fate::BrokenBefore => {
                self.tally.add("5xx before");
                at_once = Some((soon, Outcome::Unknown { why: "Shopify answered with HTTP 503".to_owned() }));
            }
            Fate::BrokenAfter => {
                self.tally.add("5xx after");
                runs.push(soon);
                reply = ReplyPlan::Broken(0);
            }
            Fate::Late => {
                // Often as late as it may be.
                let at_last = self.dice.one_in(2);
                runs.push(if at_last { RUNS_WITHIN - self.dice.below(10 * S) } else { self.dice.below(RUNS_WITHIN) });
                reply = ReplyPlan::OfCopy(0);
                if self.dice.one_in(3) {
                    at_once = Some((SHOPIFY_GIVES_UP, Outcome::Unknown { why: "504".to_owned() }));
                }
            }
            Fate::Doubled => {
                self.tally.add("doubled");
                runs.push(soon);
                let within = if self.dice.one_in(2) { 3 * S } else { RUNS_WITHIN - soon };
                runs.push(soon + self.dice.below(within));
                reply = [ReplyPlan::OfCopy(0), ReplyPlan::OfCopy(1), ReplyPlan::NoCopys][self.dice.index(3)];
            }
        }
        for (copy, after) in runs.iter().enumerate() {
            self.later(till, sent + after, 0, Happening::Run { request, copy });
        }
        if let Some((after, outcome)) = at_once {
            let date = if fate == Fate::NotReachable { None } else { Some(self.server.date(sent + after)) };
            self.later(till, sent + after, 0, Happening::Reply { request, outcome, date });
        }
        if fate != Fate::Clean {
            let outcome = Outcome::Unknown { why: "no answer in time".to_owned() };
            self.later(till, sent + CLIENT_GIVES_UP, 0, Happening::Reply { request, outcome, date: None });
        }
        let to_come = u32::try_from(runs.len()).expect("two at most");
        let run = self.run_of(till);
        self.requests.push(Request {
            till,
            run,
            opening,
            mutation,
            variables,
            sent,
            to_come,
            opened: Vec::new(),
            doubled: fate == Fate::Doubled,
            reply,
            answered: false,
        });
    }

    /// A copy of a request reaches the server.
    pub(super) fn run_request(&mut self, request: usize, copy: usize) {
        let now = self.now;
        let of = &mut self.requests[request];
        of.to_come -= 1;
        let (till, mutation, answered, reply) = (of.till, of.mutation, of.answered, of.reply);
        if now > of.sent + 5 * S {
            self.tally.add("ran late");
        }
        if answered {
            self.tally.add("ran after the client gave up");
        }
        let result = match mutation {
            Mutation::Open => self.server.open(now, till, &of.variables),
            Mutation::Count => self.server.count(now, &of.variables),
        };
        self.note(|| format!("server: request {request} copy {copy}: {result:?}"));
        let outcome = match result {
            Ok(session) => {
                if mutation == Mutation::Open {
                    self.requests[request].opened.push(session);
                    if !self.calm && self.dice.one_in(12) {
                        let at = now + self.dice.below(5 * S);
                        self.later(till, at, 0, Happening::Logout { session });
                    }
                }
                self.check_ran(request);
                Outcome::Executed(self.server.facts(session, now))
            }
            Err(code) => {
                if copy == 1 && code == "ALREADY_OPEN" {
                    self.tally.add("doubled: fenced");
                }
                Outcome::Refused { code: code.to_owned(), message: "no".to_owned() }
            }
        };
        let outcome = match reply {
            ReplyPlan::OfCopy(wanted) if wanted == copy => outcome,
            ReplyPlan::Broken(wanted) if wanted == copy => Outcome::Unknown { why: "HTTP 502".to_owned() },
            ReplyPlan::OfCopy(_) | ReplyPlan::Broken(_) | ReplyPlan::NoCopys => return,
        };
        let at = now + 20 + self.dice.below(300);
        let date = Some(self.server.date(at));
        self.later(till, at, 0, Happening::Reply { request, outcome, date });
    }

    pub(super) fn read(&mut self, till: usize, ask: Ask) {
        let run = self.run_of(till);
        let out = self.now < self.tills[till].down_until;
        let fate = match self.dice.below(40) {
            _ if out => ReadFate::Fails,
            0 | 1 if !self.calm => ReadFate::Fails,
            2 if !self.calm => ReadFate::Throttled,
            3..=35 if self.replica_lags => {
                self.tally.add("read lagged");
                let far = |dice: &mut super::dice::Dice| READ_LAG - dice.below(READ_LAG / 10);
                ReadFate::Shows { lag: far(&mut self.dice), device_lag: far(&mut self.dice) }
            }
            3..=9 => {
                self.tally.add("read lagged");
                ReadFate::Shows { lag: self.dice.below(READ_LAG), device_lag: self.dice.below(READ_LAG) }
            }
            _ => ReadFate::Shows { lag: 0, device_lag: 0 },
        };
        let slowest = if self.dice.one_in(4) { CLIENT_GIVES_UP } else { 2 * S };
        let after = match fate {
            ReadFate::Fails => self.dice.below(slowest),
            ReadFate::Shows { .. } | ReadFate::Throttled => 20 + self.dice.below(300),
        };
        self.later(till, self.now + after, run, Happening::Reads(ask, fate));
    }

    /// A read reaches the server.
    pub(super) fn reads(&mut self, till: usize, ask: Ask, fate: ReadFate) {
        let now = self.now;
        let at = now + 20 + self.dice.below(300);
        let date = if matches!(fate, ReadFate::Fails) { None } else { Some(self.server.date(at)) };
        let failed = || (String::from("502"), None);
        let unread = match fate {
            ReadFate::Shows { .. } => None,
            ReadFate::Fails => Some(failed()),
            ReadFate::Throttled => Some(("slow down".to_owned(), Some(Duration::from_secs(3)))),
        };
        if unread.is_some() {
            self.tally.add("read failed");
        }
        let (as_of, device_as_of) = match fate {
            ReadFate::Shows { lag, device_lag } => (now.saturating_sub(lag), now.saturating_sub(device_lag)),
            ReadFate::Fails | ReadFate::Throttled => (now, now),
        };
        let answer = match ask {
            Ask::Read { device, why } => {
                let read = match unread {
                    Some((why, retry_after)) => Read::Failed { why, retry_after },
                    None => Read::Healthy(self.server.list(now, till, as_of, device_as_of)),
                };
                Answer::Read { device, why, read }
            }
            Ask::Activities { opening, session } => {
                let ledger = self.server.ledger(now, &session, as_of);
                let read = match (unread, ledger) {
                    (Some((why, retry_after)), _) => ActivityRead::Failed { why, retry_after },
                    (None, Some(ledger)) => ActivityRead::Healthy(ledger),
                    (None, None) => ActivityRead::Failed { why: "no such session".to_owned(), retry_after: None },
                };
                Answer::Activities { opening, read }
            }
            Ask::Opener { opening } => {
                let who = unread.map_or_else(|| Ok("Sam".to_owned()), |(why, _)| Err(why));
                Answer::Opener { opening, who }
            }
            Ask::Append { .. } | Ask::Send { .. } => return,
        };
        let run = self.run_of(till);
        self.later(till, at, run, Happening::Answer(answer, date));
    }
}
