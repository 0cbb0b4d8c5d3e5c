//! What goes into the operator's machine and what comes out of it. Values only.
use std::time::{Duration, Instant};

use serde::Serialize;
use thiserror::Error;

use super::event::{Event, OpeningId};
use crate::{
    config::{Count, Echo, Staff},
    device::{Frame, Key},
    money::{Amount, CountLine, Currency},
};

/// What the machine of one till has to know; checked by the configuration.
#[derive(Debug, Clone)]
pub struct ShiftSettings {
    /// Who may open a shift.
    pub staff: Vec<Staff>,
    /// `gid://shopify/PointOfSaleDevice/N`.
    pub device_id: String,
    /// Used when the API gives none.
    pub reason_code_id: Option<String>,
    /// The shop's currency.
    pub currency: Currency,
    /// How the float is counted. Of `entry_exponent` no more than the currency's own exponent is used. By denomination
    /// only where coins and notes are listed; otherwise one total is asked for.
    pub count: Count,
    /// What of the amount the display shows.
    pub echo: Echo,
    /// The display's two rows when nothing happens.
    pub idle: [String; 2],
    /// Whether the drawer's position is known; without it, a hint sends people to the POS, not to the drawer.
    pub sensor: bool,
    /// Whether there is anything to key on. Without it, an opening that the drawer starts waits for the POS, and the display
    /// asks for no number.
    pub keypad: bool,
    /// Enter is not heard for this long after it was asked for: a key that bounces answers nothing.
    pub confirm_pause: Duration,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The drawer went to open. `fresh` names the opening that this may start.
    DrawerOpened {
        /// An id not used before.
        fresh: OpeningId,
    },
    /// The drawer went to closed.
    DrawerClosed,
    /// The drawer's position became known without an edge, at start or when the printer is back; not open when it is not
    /// known. Nothing starts by itself; but while the drawer stands open, a key starts an opening.
    DrawerIs {
        /// Open.
        open: bool,
    },
    /// A key.
    Key(Key),
    /// A badge was scanned.
    Badge(String),
    /// Keys were lost; a number being typed is void.
    KeysLost,
    /// No keypad is left (or none is there at start). While another one is there, feed `KeysLost` instead.
    KeypadGone,
    /// The keypad is there again.
    KeypadBack,
    /// The API starts an opening, with the staff member known.
    Start {
        /// Comes back in the reply.
        op: u64,
        /// An id not used before.
        fresh: OpeningId,
        /// `gid://shopify/StaffMember/N`.
        staff_member_id: String,
        /// For Shopify's session; may be empty.
        note: String,
        /// Instead of the configured one.
        reason_code_id: Option<String>,
    },
    /// The API gives the count as one total. It needs no confirmation on the display.
    PutTotal {
        /// Comes back in the reply.
        op: u64,
        /// Which opening.
        opening: OpeningId,
        /// The float.
        total: Amount,
    },
    /// The API gives the count by denomination. It needs no confirmation on the display.
    PutLines {
        /// Comes back in the reply.
        op: u64,
        /// Which opening.
        opening: OpeningId,
        /// Each denomination once, in any order.
        lines: Vec<CountLine>,
    },
    /// The API gives an opening up.
    Cancel {
        /// Comes back in the reply.
        op: u64,
        /// Which opening.
        opening: OpeningId,
        /// In words.
        why: String,
    },
    /// The `OpeningCounted` that was handed out is on disk.
    Saved {
        /// Which opening.
        opening: OpeningId,
    },
    /// It is not on disk.
    SaveFailed {
        /// Which opening.
        opening: OpeningId,
        /// In words.
        why: String,
    },
    /// The shift is known to be open. A count that is not confirmed yet is given up.
    ShiftOpen,
    /// The shift is over; the next edge of the drawer starts an opening.
    ShiftClosed,
    /// How sending a saved count goes.
    Progress {
        /// Which opening.
        opening: OpeningId,
        /// What is new.
        progress: Progress,
    },
    /// Time has passed. Also the first input: it brings the first frame.
    Tick,
}

/// How sending a saved count goes, as far as people at the counter need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A request is on its way.
    Sending,
    /// No network: the count waits, the shift may begin.
    WillSendLater,
    /// Nobody knows yet whether the request ran.
    Checking,
    /// Shopify has the session.
    Confirmed,
    /// Shopify refused: the shift is closed again. Two rows for the display.
    Refused([String; 2]),
    /// A person gave it up: the shift counts as closed until `ShiftOpen` says otherwise.
    GivenUp,
    /// A person must decide: the shift counts as closed until `ShiftOpen` says otherwise. Two rows for the display.
    NeedsAttention([String; 2]),
}

/// What is to be done, in this order.
#[expect(clippy::large_enum_variant, reason = "a handful a day, handed on at once: a box would only be unpacked")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Show this. Always the first output, and only when the frame changed.
    Show(Frame),
    /// Write this. Only `OpeningCounted` is waited for: answer it with `Saved` or `SaveFailed`.
    Record {
        /// Which opening.
        opening: OpeningId,
        /// What to write.
        event: Event,
    },
    /// Answers the API's input that carried this `op`. Each gets exactly one answer; a count's comes after `Saved`.
    Reply {
        /// Which input.
        op: u64,
        /// The answer.
        result: Result<Reply, Refusal>,
    },
    /// The staff member is known: a token may be fetched ahead.
    Warm,
    /// Somebody pressed a key while the drawer stands open and nothing runs: feed `DrawerOpened` with a fresh id at once.
    /// Always the last output.
    StartWanted,
    /// Feed `Tick` at this moment. Replaces an earlier one; an early or needless `Tick` does no harm.
    WakeAt(Instant),
}

/// A good answer to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The opening runs.
    Started(OpeningId),
    /// The count is on disk.
    Counted,
    /// The opening is given up.
    Cancelled,
}

/// Why the API's wish was not met. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The shift is open.
    #[error(
        "the shift is open as far as is known, or its count waits to be sent; Shopify is being asked whether it still is: \
         close the session there if it is, and try again in ten seconds"
    )]
    ShiftIsOpen,
    /// Another opening runs.
    #[error("opening {0} is under way at this till: count or cancel it first")]
    Busy(OpeningId),
    /// No such opening runs here.
    #[error("no opening with this id is under way at this till: start one, or look at the list of openings")]
    NoSuchOpening,
    /// The opening is in a state that does not allow this.
    #[error("this cannot be done now: the opening is {state}")]
    NotInThisState {
        /// In words, such as `counted already`.
        state: String,
    },
    /// The staff member is not in the configuration.
    #[error("no [[staff]] entry has the id {id}: add one to the configuration, or use one of those listed there")]
    UnknownStaff {
        /// What was given.
        id: String,
    },
    /// The currency has no such coin or note.
    #[error(
        "{currency} has no {denomination} in its list of coins and notes: send the pieces of those it has, or one total"
    )]
    DenominationUnknown {
        /// What was given.
        denomination: String,
        /// ISO code.
        currency: &'static str,
    },
    /// The same denomination came twice.
    #[error("{denomination} is given twice: send each denomination once")]
    DenominationTwice {
        /// Which.
        denomination: String,
    },
    /// A count by denomination without any.
    #[error("no denomination is given: send the pieces of each, 0 pieces included, or one total")]
    NothingCounted,
    /// Another currency than the shop's.
    #[error("the count is in {given}, and the shop counts in {expected}: send it in {expected}")]
    WrongCurrency {
        /// What was given.
        given: &'static str,
        /// The shop's.
        expected: &'static str,
    },
    /// Below nothing, or more than any till holds.
    #[error("the total is less than nothing or more than any till holds: count again")]
    Absurd,
    /// Nobody knows what coins and notes there are.
    #[error(
        "the coins and notes of {currency} are not known here: send one total, or list them as `denominations` in [till.count]"
    )]
    DenominationsUnknown {
        /// ISO code.
        currency: &'static str,
    },
    /// The disk did not take the count.
    #[error("the count is not saved ({why}): mend that, then send the count again; the opening is still under way")]
    NotSaved {
        /// In words.
        why: String,
    },
}

impl Refusal {
    /// A word that stays the same for ever, for programs. The text may change.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ShiftIsOpen => "shift_is_open",
            Self::Busy(_) => "busy",
            Self::NoSuchOpening => "no_such_opening",
            Self::NotInThisState { .. } => "not_in_this_state",
            Self::UnknownStaff { .. } => "unknown_staff",
            Self::DenominationUnknown { .. } => "denomination_unknown",
            Self::DenominationTwice { .. } => "denomination_twice",
            Self::NothingCounted => "nothing_counted",
            Self::WrongCurrency { .. } => "wrong_currency",
            Self::Absurd => "absurd_total",
            Self::DenominationsUnknown { .. } => "denominations_unknown",
            Self::NotSaved { .. } => "not_saved",
        }
    }
}

/// Where the machine stands, for a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The shift is closed and nothing runs.
    Idle,
    /// Asks for a staff number.
    Staff,
    /// The float is being counted.
    Count,
    /// Asks whether the count is right, or whether to try again when the disk did not take it.
    Confirm,
    /// The confirmed count is on its way to the disk.
    Saving,
    /// The count is on disk, and Shopify's answer is outstanding.
    Saved,
    /// The shift is open.
    Open,
}

impl Phase {
    /// As the status spells it; what serde writes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Staff => "staff",
            Self::Count => "count",
            Self::Confirm => "confirm",
            Self::Saving => "saving",
            Self::Saved => "saved",
            Self::Open => "open",
        }
    }
}
