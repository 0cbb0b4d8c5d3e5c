//! What happened, as the journal keeps it and the event stream tells it. The only currency between shift, opening and slip.
//!
//! ## Why amounts are texts here
//! A row must say the same for ever. `"150.00"` beside `"USD"` needs no table of exponents to be read.
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Ten Crockford base-32 characters: names an opening, and is the reference in Shopify's note (`[db:…]`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpeningId(String);

impl OpeningId {
    /// From 50 random bits; higher bits are ignored.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let text = (0..10).rev().map(|n| char::from(ALPHABET[((bits >> (n * 5)) & 31) as usize])).collect();
        Self(text)
    }
    /// Reads one; `None` unless it is ten characters of the alphabet.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let ok = |b: u8| b.is_ascii_digit() || (b.is_ascii_uppercase() && !matches!(b, b'I' | b'L' | b'O' | b'U'));
        (text.len() == 10 && text.bytes().all(ok)).then(|| Self(text.to_owned()))
    }
    /// The ten characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for OpeningId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Money as the journal writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Plain decimal with the currency's decimals: `"150.00"`.
    pub amount: String,
    /// ISO 4217 code.
    pub currency: String,
}

impl Money {
    /// The same number of the same currency: Shopify drops trailing zeros. What is no number equals nothing.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        let number = |money: &Self| money.amount.parse::<Decimal>().ok();
        self.currency == other.currency && number(self).is_some_and(|n| Some(n) == number(other))
    }
}

/// Pieces of one denomination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pieces {
    /// Face value, `"0.25"`.
    pub denomination: String,
    /// How many.
    pub pieces: u32,
}

/// What started an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartedBy {
    /// The drawer was opened while the shift was closed.
    Drawer,
    /// A POS or script asked over the local API.
    Api,
}

/// A confirmed count: everything a request and a slip need, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Name printed on the slip.
    pub staff_name: String,
    /// `gid://shopify/StaffMember/N`.
    pub staff_member_id: String,
    /// `gid://shopify/PointOfSaleDevice/N`.
    pub point_of_sale_device_id: String,
    /// `gid://shopify/…`, if configured or given.
    pub reason_code_id: Option<String>,
    /// The total.
    pub balance: Money,
    /// By denomination, when it was counted so; empty otherwise.
    pub lines: Vec<Pieces>,
    /// Moment of confirmation, whole seconds UTC, `2026-11-23T07:00:00Z`.
    pub time: String,
    /// A person's or POS's note, without our reference; may be empty.
    pub note: String,
}

/// Shopify's session as far as the mutation's answer or a read tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// `gid://shopify/PointOfSaleDevicePaymentSession/N`.
    pub id: String,
    /// `OPEN` or `CLOSED`.
    pub status: String,
    /// When it was opened, as Shopify says.
    pub opening_time: String,
    /// Its note.
    pub opening_note: Option<String>,
    /// What it was opened with.
    pub counted: Money,
    /// What Shopify expected in the drawer, if it said so.
    pub expected: Option<Money>,
}

/// What a person decides about an opening that cannot be settled without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// This session is the count's.
    Link,
    /// The count goes as a mid-session count into this session.
    RecordCount,
    /// Nothing more happens with it.
    GiveUp,
}

/// What Shopify told before an attempt, read only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// `gid://shopify/CashDrawer/N`, where the app may see devices and the device has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawer: Option<String>,
    /// Other devices on that drawer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
    /// This PC's clock less Shopify's, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_s: Option<i64>,
    /// The API version that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// What a person should look at; nothing of it stops the count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Something that happened. `name` is what the event stream calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name")]
pub enum Event {
    /// The daemon started.
    #[serde(rename = "daemon.started")]
    DaemonStarted {
        /// Its version.
        version: String,
    },
    /// The drawer opened.
    #[serde(rename = "drawer.opened")]
    DrawerOpened {
        /// `command` or `key`.
        by: String,
    },
    /// The drawer closed.
    #[serde(rename = "drawer.closed")]
    DrawerClosed {
        /// Milliseconds it stood open.
        open_ms: u64,
    },
    /// The drawer was kicked.
    #[serde(rename = "drawer.kicked")]
    DrawerKicked {
        /// Given by who asked.
        reason: String,
        /// `opened`, `not_proven`, `already_open`, `jammed`, or `refused` when no pulse was sent.
        outcome: String,
    },
    /// The drawer stands open for too long.
    #[serde(rename = "drawer.left_open")]
    DrawerLeftOpen {},
    /// The printer's status changed.
    #[serde(rename = "printer.status")]
    PrinterStatus {
        /// In words.
        status: String,
    },
    /// The display's link changed.
    #[serde(rename = "display.status")]
    DisplayStatus {
        /// In words.
        status: String,
    },
    /// The keypad's link changed.
    #[serde(rename = "keypad.status")]
    KeypadStatus {
        /// In words.
        status: String,
    },
    /// A person began to open the shift.
    #[serde(rename = "opening.started")]
    OpeningStarted {
        /// What started it.
        by: StartedBy,
    },
    /// Given up before it was counted.
    #[serde(rename = "opening.cancelled")]
    OpeningCancelled {
        /// In words.
        why: String,
    },
    /// The count is confirmed and on disk.
    #[serde(rename = "opening.counted")]
    OpeningCounted(Counted),
    /// The intent: this exact content is about to be sent.
    #[serde(rename = "opening.sending")]
    OpeningSending {
        /// 1, 2 or 3.
        attempt: u8,
        /// The mutation's variables, exactly as sent.
        variables: serde_json::Value,
        /// The count goes as a mid-session count into this session, which somebody else opened. Otherwise it opens one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        into: Option<SessionFacts>,
        /// What was read before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        preflight: Option<Preflight>,
    },
    /// The attempt certainly did not run at Shopify; it will be sent again.
    #[serde(rename = "opening.not_sent")]
    OpeningNotSent {
        /// Which attempt.
        attempt: u8,
        /// In words.
        why: String,
    },
    /// Nobody knows whether the attempt ran, or whose the open session is; Shopify is being read.
    #[serde(rename = "opening.unknown")]
    OpeningUnknown {
        /// Which attempt.
        attempt: u8,
        /// In words.
        why: String,
        /// Shopify said that a session is open: this attempt did not run, and it is to be found whose that one is.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        already_open: bool,
    },
    /// Proven absent after the quiet period; the same content may go out again.
    #[serde(rename = "opening.absent")]
    OpeningAbsent {
        /// Which attempt.
        attempt: u8,
        /// Healthy reads that did not show it.
        reads: u32,
    },
    /// Shopify has the session.
    #[serde(rename = "opening.confirmed")]
    OpeningConfirmed {
        /// `answered` (by the mutation) or `found` (by reading).
        how: String,
        /// The session.
        session: SessionFacts,
    },
    /// Shopify refused, and nothing was opened.
    #[serde(rename = "opening.refused")]
    OpeningRefused {
        /// `STAFF_MEMBER_NOT_FOUND` and its like, or `HTTP_403`.
        code: String,
        /// Shopify's words.
        message: String,
        /// What a cashier reads, two rows of at most 20 characters.
        prompt: [String; 2],
    },
    /// A person must decide.
    #[serde(rename = "opening.needs_attention")]
    OpeningNeedsAttention {
        /// `foreign_session` (open, and not ours), `hidden_session` (said to be open, and not shown), `ambiguous` (one looks
        /// like ours, or absence cannot be proven), `attempts_used_up`, `shared_drawer` (another device counts the same
        /// cash), `duplicate` (two sessions carry our reference) or `count_refused` (no mid-session count either).
        kind: String,
        /// What happened and what to do.
        why: String,
        /// What a cashier reads.
        prompt: [String; 2],
        /// The session in the way, if any.
        session: Option<SessionFacts>,
    },
    /// Shopify has the count as a mid-session count of a session that somebody else opened.
    #[serde(rename = "opening.recorded")]
    OpeningRecorded {
        /// `answered` (by the mutation) or `found` (by reading).
        how: String,
        /// That session.
        session: SessionFacts,
    },
    /// The count was never sent and is too old to be one: it is asked for again.
    #[serde(rename = "opening.stale")]
    OpeningStale {
        /// In words.
        why: String,
        /// What a cashier reads.
        prompt: [String; 2],
    },
    /// A person decided.
    #[serde(rename = "opening.resolved")]
    OpeningResolved {
        /// Who.
        by: String,
        /// Why, in their words.
        why: String,
        /// What.
        decision: Decision,
        /// The session that it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionFacts>,
    },
    /// A slip begins to be sent.
    #[serde(rename = "slip.sending")]
    SlipSending {
        /// `first`, `confirmation` or `copy`.
        kind: String,
    },
    /// A slip is proven to be on paper.
    #[serde(rename = "slip.printed")]
    SlipPrinted {
        /// As in `slip.sending`.
        kind: String,
        /// `GS ( H` or `GS r`.
        proof: String,
    },
    /// A slip was sent, and nothing proves it. It is never repeated by itself.
    #[serde(rename = "slip.not_proven")]
    SlipNotProven {
        /// As in `slip.sending`.
        kind: String,
        /// In words.
        why: String,
    },
    /// Shopify says that the session is closed; the shift is over.
    #[serde(rename = "shift.closed")]
    ShiftClosed {
        /// The session's id.
        session_id: String,
    },
}

impl Event {
    /// Nothing more follows by itself at Shopify: the opening frees its device's place.
    #[must_use]
    pub const fn settles(&self) -> bool {
        match self {
            Self::OpeningConfirmed { .. }
            | Self::OpeningRefused { .. }
            | Self::OpeningNeedsAttention { .. }
            | Self::OpeningRecorded { .. }
            | Self::OpeningStale { .. }
            | Self::OpeningResolved { decision: Decision::Link | Decision::GiveUp, .. } => true,
            Self::DaemonStarted { .. }
            | Self::DrawerOpened { .. }
            | Self::DrawerClosed { .. }
            | Self::DrawerKicked { .. }
            | Self::DrawerLeftOpen {}
            | Self::PrinterStatus { .. }
            | Self::DisplayStatus { .. }
            | Self::KeypadStatus { .. }
            | Self::OpeningStarted { .. }
            | Self::OpeningCancelled { .. }
            | Self::OpeningCounted(_)
            | Self::OpeningSending { .. }
            | Self::OpeningNotSent { .. }
            | Self::OpeningUnknown { .. }
            | Self::OpeningAbsent { .. }
            | Self::OpeningResolved { decision: Decision::RecordCount, .. }
            | Self::SlipSending { .. }
            | Self::SlipPrinted { .. }
            | Self::SlipNotProven { .. }
            | Self::ShiftClosed { .. } => false,
        }
    }

    /// The event's name on the stream, such as `drawer.opened`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::DaemonStarted { .. } => "daemon.started",
            Self::DrawerOpened { .. } => "drawer.opened",
            Self::DrawerClosed { .. } => "drawer.closed",
            Self::DrawerKicked { .. } => "drawer.kicked",
            Self::DrawerLeftOpen {} => "drawer.left_open",
            Self::PrinterStatus { .. } => "printer.status",
            Self::DisplayStatus { .. } => "display.status",
            Self::KeypadStatus { .. } => "keypad.status",
            Self::OpeningStarted { .. } => "opening.started",
            Self::OpeningCancelled { .. } => "opening.cancelled",
            Self::OpeningCounted(_) => "opening.counted",
            Self::OpeningSending { .. } => "opening.sending",
            Self::OpeningNotSent { .. } => "opening.not_sent",
            Self::OpeningUnknown { .. } => "opening.unknown",
            Self::OpeningAbsent { .. } => "opening.absent",
            Self::OpeningConfirmed { .. } => "opening.confirmed",
            Self::OpeningRefused { .. } => "opening.refused",
            Self::OpeningNeedsAttention { .. } => "opening.needs_attention",
            Self::OpeningRecorded { .. } => "opening.recorded",
            Self::OpeningStale { .. } => "opening.stale",
            Self::OpeningResolved { .. } => "opening.resolved",
            Self::SlipSending { .. } => "slip.sending",
            Self::SlipPrinted { .. } => "slip.printed",
            Self::SlipNotProven { .. } => "slip.not_proven",
            Self::ShiftClosed { .. } => "shift.closed",
        }
    }
}

/// What tests of several rooms are about: Robin counted 150.00 USD for device 1, and Shopify has session 1 of it.
#[cfg(test)]
pub(crate) mod sample {
    use super::{Counted, Event, Money, SessionFacts};

    pub(crate) fn counted() -> Counted {
        Counted {
            staff_name: "Robin".into(),
            staff_member_id: "gid://shopify/StaffMember/1".into(),
            point_of_sale_device_id: "gid://shopify/PointOfSaleDevice/1".into(),
            reason_code_id: None,
            balance: Money { amount: "150.00".into(), currency: "USD".into() },
            lines: vec![],
            time: "2026-11-23T07:00:00Z".into(),
            note: String::new(),
        }
    }

    /// Without our reference; amounts as Shopify writes them.
    pub(crate) fn session(number: u32, status: &str) -> SessionFacts {
        SessionFacts {
            id: format!("gid://shopify/PointOfSaleDevicePaymentSession/{number}"),
            status: status.into(),
            opening_time: "2026-11-23T07:00:00Z".into(),
            opening_note: None,
            counted: Money { amount: "150.0".into(), currency: "USD".into() },
            expected: None,
        }
    }

    pub(crate) fn confirmed() -> Event {
        Event::OpeningConfirmed { how: "answered".into(), session: session(1, "OPEN") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_ten_characters_that_nobody_misreads() {
        for (bits, text) in
            [(0, "0000000000"), (1, "0000000001"), (31, "000000000Z"), (32, "0000000010"), (u64::MAX, "ZZZZZZZZZZ")]
        {
            let id = OpeningId::from_bits(bits);
            assert_eq!((id.as_str(), id.to_string().as_str()), (text, text));
            assert_eq!(OpeningId::parse(text), Some(id));
        }
        assert_eq!(OpeningId::from_bits(5 << 45 | 17 << 20).as_str(), "50000H0000");
        for wrong in [
            "",
            "000000000",
            "00000000000",
            "000000000I",
            "000000000L",
            "000000000O",
            "000000000U",
            "000000000a",
            "000000000-",
        ] {
            assert_eq!(OpeningId::parse(wrong), None, "{wrong}");
        }
    }

    fn one_of_each() -> Vec<Event> {
        let money = || Money { amount: "150.00".into(), currency: "USD".into() };
        let text = String::new;
        let session = || SessionFacts {
            id: text(),
            status: text(),
            opening_time: text(),
            opening_note: None,
            counted: money(),
            expected: None,
        };
        let counted = Counted {
            staff_name: text(),
            staff_member_id: text(),
            point_of_sale_device_id: text(),
            reason_code_id: None,
            balance: money(),
            lines: vec![],
            time: text(),
            note: text(),
        };
        vec![
            Event::DaemonStarted { version: text() },
            Event::DrawerOpened { by: text() },
            Event::DrawerClosed { open_ms: 1 },
            Event::DrawerKicked { reason: text(), outcome: text() },
            Event::DrawerLeftOpen {},
            Event::PrinterStatus { status: text() },
            Event::DisplayStatus { status: text() },
            Event::KeypadStatus { status: text() },
            Event::OpeningStarted { by: StartedBy::Drawer },
            Event::OpeningCancelled { why: text() },
            Event::OpeningCounted(counted),
            Event::OpeningSending {
                attempt: 1,
                variables: serde_json::Value::Null,
                into: Some(session()),
                preflight: Some(Preflight::default()),
            },
            Event::OpeningNotSent { attempt: 1, why: text() },
            Event::OpeningUnknown { attempt: 1, why: text(), already_open: true },
            Event::OpeningAbsent { attempt: 1, reads: 3 },
            Event::OpeningConfirmed { how: text(), session: session() },
            Event::OpeningRefused { code: text(), message: text(), prompt: Default::default() },
            Event::OpeningNeedsAttention { kind: text(), why: text(), prompt: Default::default(), session: None },
            Event::OpeningRecorded { how: text(), session: session() },
            Event::OpeningStale { why: text(), prompt: Default::default() },
            Event::OpeningResolved { by: text(), why: text(), decision: Decision::GiveUp, session: None },
            Event::SlipSending { kind: text() },
            Event::SlipPrinted { kind: text(), proof: text() },
            Event::SlipNotProven { kind: text(), why: text() },
            Event::ShiftClosed { session_id: text() },
        ]
    }

    #[test]
    fn an_event_has_one_name_on_the_stream_and_in_the_journal_and_is_read_back_as_itself() {
        let all = one_of_each();
        let names: std::collections::BTreeSet<_> = all.iter().map(Event::name).collect();
        // As many as `name` and `settles` list, which the compiler holds complete.
        assert_eq!(names.len(), 25);
        for event in all {
            let body = serde_json::to_value(&event).unwrap();
            assert_eq!(body["name"], event.name());
            assert_eq!(serde_json::from_value::<Event>(body).unwrap(), event);
        }
    }

    #[test]
    fn rows_of_before_the_fence_was_written_are_still_read() {
        let old = r#"{"name":"opening.unknown","attempt":1,"why":"lost"}"#;
        let event = Event::OpeningUnknown { attempt: 1, why: "lost".into(), already_open: false };
        assert_eq!(serde_json::from_str::<Event>(old).unwrap(), event);
        assert_eq!(serde_json::to_string(&event).unwrap(), old, "and written as before");
    }

    #[test]
    fn only_an_answer_or_a_person_settles() {
        let settling: Vec<_> = one_of_each().into_iter().filter(Event::settles).map(|e| e.name()).collect();
        let names = ["confirmed", "refused", "needs_attention", "recorded", "stale", "resolved"];
        assert_eq!(settling, names.map(|name| format!("opening.{name}")));
        let goes_on =
            Event::OpeningResolved { by: "Kim".into(), why: "x".into(), decision: Decision::RecordCount, session: None };
        assert!(!goes_on.settles(), "the count is still to be recorded");
    }
}
