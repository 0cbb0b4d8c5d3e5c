//! What holds whatever happens in whatever order.
use proptest::prelude::*;

use super::*;
use crate::{money::CountLine, shift::Progress};

/// One thing that happens, before ids are known: which opening is meant is decided when it is fed.
#[derive(Debug, Clone)]
enum Happening {
    Opened,
    Closed,
    Is(bool),
    Keys(&'static str),
    AnyKey(Key),
    Badge(&'static str),
    KeysLost,
    KeypadGone,
    KeypadBack,
    Start(u32),
    Total(Whom, i64),
    Lines(Whom, Vec<(i64, u32)>),
    Cancel(Whom),
    Saved(Whom),
    SaveFailed(Whom),
    ShiftOpen,
    ShiftClosed,
    Progress(Whom, Progress),
    Time(u64),
}

/// Whose id comes with it.
#[derive(Debug, Clone, Copy)]
enum Whom {
    Current,
    Last,
    Nobody,
}

fn any_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        8 => (0_u8..=9).prop_map(Key::Digit),
        1 => Just(Key::DoubleZero),
        1 => Just(Key::TripleZero),
        1 => Just(Key::Point),
        4 => Just(Key::Enter),
        1 => Just(Key::Clear),
        1 => Just(Key::Backspace),
    ]
}

fn whom() -> impl Strategy<Value = Whom> {
    prop_oneof![6 => Just(Whom::Current), 1 => Just(Whom::Last), 1 => Just(Whom::Nobody)]
}

fn any_progress() -> impl Strategy<Value = Progress> {
    let rows = || ["ASK".to_owned(), "SOMEONE".to_owned()];
    prop_oneof![
        Just(Progress::Sending),
        Just(Progress::WillSendLater),
        Just(Progress::Checking),
        Just(Progress::Confirmed),
        Just(Progress::Refused(rows())),
        Just(Progress::NeedsAttention(rows())),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening as H;
    let face = prop::sample::select(vec![10_000_i64, 2_000, 25, 5, 300, 0, -100]);
    prop_oneof![
        4 => Just(H::Opened),
        2 => Just(H::Closed),
        1 => any::<bool>().prop_map(H::Is),
        4 => Just(H::Keys("1042E")),
        3 => Just(H::Keys("98765EE")),
        2 => Just(H::Keys("EEEEEEEEEE")),
        10 => any_key().prop_map(H::AnyKey),
        1 => prop::sample::select(vec!["A7XQ", "nobody", "", "1042"]).prop_map(H::Badge),
        1 => Just(H::KeysLost),
        1 => Just(H::KeypadGone),
        1 => Just(H::KeypadBack),
        2 => (0_u32..=4).prop_map(H::Start),
        2 => (whom(), -10_i64..2_000_000_000_000).prop_map(|(w, minor)| H::Total(w, minor)),
        1 => (whom(), prop::collection::vec((face, any::<u32>()), 0..4)).prop_map(|(w, lines)| H::Lines(w, lines)),
        1 => whom().prop_map(H::Cancel),
        4 => whom().prop_map(H::Saved),
        3 => whom().prop_map(H::SaveFailed),
        1 => Just(H::ShiftOpen),
        3 => Just(H::ShiftClosed),
        4 => (whom(), any_progress()).prop_map(|(w, progress)| H::Progress(w, progress)),
        4 => (0_u64..200).prop_map(H::Time),
    ]
}

fn any_settings() -> impl Strategy<Value = ShiftSettings> {
    let code = prop::sample::select(vec!["USD", "JPY", "KWD", "SEK"]);
    let pause = prop::sample::select(vec![0_u64, 250]);
    (code, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), pause).prop_map(|it| {
        let (code, pieces, masked, sensor, keypad, pause) = it;
        let mut made = settings(code);
        made.count.entry = if pieces { EntryMode::Denominations } else { EntryMode::Total };
        made.echo = if masked { Echo::Masked } else { Echo::Digits };
        made.sensor = sensor;
        made.keypad = keypad;
        made.confirm_pause = Duration::from_millis(pause);
        made
    })
}

/// What is watched from outside while things happen.
struct Watch {
    till: Till,
    masked: bool,
    code: Currency,
    ops: Vec<u64>,
    /// The opening whose count was handed out and not yet answered or taken back.
    handed_out: Vec<OpeningId>,
    /// What of it no frame may show.
    secret: Option<String>,
    /// It was confirmed at the till.
    seen: bool,
}

impl Watch {
    fn id_of(&self, whom: Whom) -> OpeningId {
        let last = self.till.records.last().map(|(opening, _)| opening.clone());
        match whom {
            Whom::Current => self.till.shift.current().cloned().unwrap_or_else(|| id(1 << 40)),
            Whom::Last => last.unwrap_or_else(|| id(1 << 40)),
            Whom::Nobody => id(1 << 40),
        }
    }
    fn op(&mut self) -> u64 {
        let op = u64::try_from(self.ops.len()).unwrap();
        self.ops.push(op);
        op
    }
    fn happen(&mut self, happening: Happening) {
        use Happening as H;
        match happening {
            H::Opened => {
                self.till.next += 1;
                let fresh = id(self.till.next);
                self.feed(Input::DrawerOpened { fresh });
            }
            H::Closed => self.feed(Input::DrawerClosed),
            H::Is(open) => self.feed(Input::DrawerIs { open }),
            H::Keys(text) => keys(text).into_iter().for_each(|key| self.feed(Input::Key(key))),
            H::AnyKey(key) => self.feed(Input::Key(key)),
            H::Badge(text) => self.feed(Input::Badge(text.into())),
            H::KeysLost => self.feed(Input::KeysLost),
            H::KeypadGone => self.feed(Input::KeypadGone),
            H::KeypadBack => self.feed(Input::KeypadBack),
            H::Start(n) => {
                self.till.next += 1;
                let (op, fresh) = (self.op(), id(self.till.next));
                let staff_member_id = format!("gid://shopify/StaffMember/{n}");
                self.feed(Input::Start { op, fresh, staff_member_id, note: String::new(), reason_code_id: None });
            }
            H::Total(whom, minor) => {
                let (op, opening) = (self.op(), self.id_of(whom));
                self.feed(Input::PutTotal { op, opening, total: Amount::from_minor(minor, self.code) });
            }
            H::Lines(whom, given) => {
                let (op, opening) = (self.op(), self.id_of(whom));
                let line = |(minor, pieces)| CountLine { denomination: Amount::from_minor(minor, self.code), pieces };
                let lines = given.into_iter().map(line).collect();
                self.feed(Input::PutLines { op, opening, lines });
            }
            H::Cancel(whom) => {
                let (op, opening) = (self.op(), self.id_of(whom));
                self.feed(Input::Cancel { op, opening, why: "no more".into() });
            }
            H::Saved(whom) => self.feed(Input::Saved { opening: self.id_of(whom) }),
            H::SaveFailed(whom) => {
                let opening = self.id_of(whom);
                if self.till.phase() == Phase::Saving && self.till.shift.current() == Some(&opening) {
                    self.handed_out.retain(|known| *known != opening);
                }
                self.feed(Input::SaveFailed { opening, why: "disk full".into() });
            }
            H::ShiftOpen => self.feed(Input::ShiftOpen),
            H::ShiftClosed => self.feed(Input::ShiftClosed),
            H::Progress(whom, progress) => self.feed(Input::Progress { opening: self.id_of(whom), progress }),
            H::Time(seconds) => {
                self.till.now += Duration::from_secs(seconds);
                self.feed(Input::Tick);
            }
        }
    }
    /// `Till::when` holds each output against its own rules; here are those between outputs.
    fn feed(&mut self, input: Input) {
        let was_saved = matches!(input, Input::Saved { .. });
        let given = matches!(input, Input::PutTotal { .. } | Input::PutLines { .. });
        let takes_away = matches!(input, Input::DrawerClosed | Input::KeypadGone);
        let before = self.till.phase();
        let records = self.till.records.len();
        let out = self.till.when(input);
        for (opening, event) in &self.till.records[records..] {
            if let Event::OpeningCounted(counted) = event {
                assert!(!self.handed_out.contains(opening), "one count for one opening");
                self.handed_out.push(opening.clone());
                self.secret = Some(counted.balance.amount.clone());
                self.seen = !given;
                assert_eq!(self.till.phase(), Phase::Saving);
            }
        }
        // A person may key a new amount that happens to be the same: only until then is the old one a secret.
        // What a POS gave and the disk did not take is shown once: nobody at the till has seen it.
        let shown_once = !self.seen && self.till.phase() == Phase::Confirm;
        if matches!(self.till.phase(), Phase::Count | Phase::Staff) || shown_once {
            self.secret = None;
        }
        // Settings of these tests have no digit in the idle text, and neither has what Shopify's answers are told with. So
        // at rest, whichever way an opening ended, and as long as a shut drawer or a lost keypad hides it, nothing of an
        // amount is left.
        let at_rest = matches!(self.till.phase(), Phase::Idle | Phase::Open | Phase::Saving | Phase::Saved);
        let hidden = takes_away && before == Phase::Confirm;
        if at_rest || hidden {
            let shown = self.till.shows();
            assert!(!shown.contains(|c: char| c.is_ascii_digit()), "{shown:?} in {:?}", self.till.phase());
        }
        for output in &out {
            let Output::Show(frame) = output else { continue };
            let shown = text(frame);
            if let Some(secret) = self.secret.as_ref().filter(|secret| secret.len() > 1) {
                assert!(!shown.contains(secret.as_str()), "{shown:?} shows {secret}");
            }
            if self.masked && matches!(self.till.phase(), Phase::Confirm | Phase::Saving | Phase::Saved) {
                assert!(!shown.contains(|c: char| c.is_ascii_digit()), "{shown:?} is not masked");
            }
            let says_saved = shown.starts_with("COUNT SAVED");
            let allowed = was_saved || matches!(before, Phase::Saved | Phase::Open | Phase::Idle);
            assert!(!says_saved || allowed, "{shown:?} in {before:?}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_rules_hold(
        settings in any_settings(),
        open in any::<bool>(),
        happenings in prop::collection::vec(happening(), 0..80),
    ) {
        let (masked, code) = (settings.echo == Echo::Masked, settings.currency);
        let till = Till::of(Shift::new(settings, open));
        let mut watch = Watch { till, masked, code, ops: vec![], handed_out: vec![], secret: None, seen: true };
        for happening in happenings {
            watch.happen(happening);
        }
        // Let the disk answer what it still owes: then every wish has exactly one reply.
        if watch.till.phase() == Phase::Saving {
            watch.happen(Happening::Saved(Whom::Current));
        }
        let mut replied: Vec<_> = watch.till.replies.iter().map(|(op, _)| *op).collect();
        replied.sort_unstable();
        prop_assert_eq!(replied, watch.ops);
    }

    #[test]
    fn a_tick_between_any_two_inputs_changes_nothing(happenings in prop::collection::vec(happening(), 0..40)) {
        let run = |ticks: bool| {
            let till = Till::new();
            let mut watch =
                Watch { till, masked: false, code: currency("USD"), ops: vec![], handed_out: vec![], secret: None, seen: true };
            // Both run on the same clock.
            let start = watch.till.now;
            for happening in happenings.clone() {
                watch.happen(happening);
                if ticks {
                    watch.feed(Input::Tick);
                }
            }
            (watch.till.frames, watch.till.records, watch.till.replies, watch.till.now - start)
        };
        prop_assert_eq!(run(true), run(false));
    }

    #[test]
    fn the_machine_asks_to_be_woken_while_it_waits_for_a_person(happenings in prop::collection::vec(happening(), 0..40)) {
        let till = Till::new();
        let mut watch = Watch { till, masked: false, code: currency("USD"), ops: vec![], handed_out: vec![], secret: None, seen: true };
        for happening in happenings {
            watch.happen(happening);
            if matches!(watch.till.phase(), Phase::Staff | Phase::Count | Phase::Confirm) {
                prop_assert!(watch.till.wake.is_some_and(|at| at > watch.till.now));
            }
        }
    }
}
