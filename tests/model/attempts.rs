//! What the rows of one journal must keep to by themselves, whatever happened around them.
use std::collections::BTreeSet;

use drawerbridge::{
    opening::MAX_ATTEMPTS,
    shift::event::{Event, SessionFacts},
};
use serde_json::Value;

pub const INTENT: &str = "nothing is sent without the same content on disk before";
pub const RESEND: &str = "an attempt in doubt is sent again only after a durable opening.absent";
pub const SAME: &str = "all attempts from the first that may have run carry the same content";
pub const THREE: &str = "three attempts at most";

/// Reads one opening's rows, oldest first.
///
/// # Errors
/// The property that they break, and where.
pub fn read(rows: &[Event]) -> Result<(), (&'static str, String)> {
    let mut told = Told::default();
    for (at, row) in rows.iter().enumerate() {
        match row {
            Event::OpeningSending { attempt, variables, into, .. } => {
                told.intends(*attempt, variables, into.as_ref())?;
                let certainly_not = |row: &Event| {
                    matches!(row, Event::OpeningNotSent { .. } | Event::OpeningUnknown { already_open: true, .. })
                };
                if rows.get(at + 1).is_some_and(|row| !certainly_not(row)) {
                    told.may_have_run(*attempt, variables)?;
                }
            }
            Event::OpeningAbsent { .. } => told.doubt = false,
            // Of the attempt just before, and of no other.
            Event::OpeningNotSent { .. } | Event::OpeningUnknown { already_open: true, .. }
                if matches!(rows[at - 1], Event::OpeningSending { .. }) =>
            {
                told.doubt = false;
            }
            Event::OpeningUnknown { already_open: false, .. } if !told.doubt => {
                return Err((INTENT, "an unknown outcome of nothing".to_owned()));
            }
            // A person looked at Shopify: what follows is another request.
            Event::OpeningResolved { .. } => told = Told::default(),
            _ => {}
        }
    }
    Ok(())
}

/// What the rows so far say of one mutation.
#[derive(Default)]
struct Told<'a> {
    /// An attempt was meant to be sent, and nothing says yet what became of it.
    doubt: bool,
    counts: bool,
    /// The content of the first attempt that may have run.
    same: Option<&'a Value>,
    ran: BTreeSet<u8>,
}

impl<'a> Told<'a> {
    fn intends(
        &mut self,
        attempt: u8,
        variables: &'a Value,
        into: Option<&SessionFacts>,
    ) -> Result<(), (&'static str, String)> {
        // Three reads did not show the session, and a foreign one is open: the count goes into that, as another mutation.
        if into.is_some() && !self.counts {
            *self = Self { counts: true, ..Self::default() };
        }
        if self.doubt {
            return Err((RESEND, format!("attempt {attempt} is meant to be sent after one that is in doubt")));
        }
        if !(1..=MAX_ATTEMPTS).contains(&attempt) {
            return Err((THREE, format!("attempt {attempt}")));
        }
        if self.same.is_some_and(|same| same != variables) || into.is_some() != self.counts {
            return Err((SAME, format!("attempt {attempt}: {variables}")));
        }
        self.doubt = true;
        Ok(())
    }

    fn may_have_run(&mut self, attempt: u8, variables: &'a Value) -> Result<(), (&'static str, String)> {
        self.same.get_or_insert(variables);
        if self.ran.insert(attempt) { Ok(()) } else { Err((THREE, format!("attempt {attempt} twice"))) }
    }
}
