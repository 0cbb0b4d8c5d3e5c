//! The sentences of the scenario language, one line each, and the way from a line's words to a verb.
//!
//! ## Why a table
//! The table is at once the parser, the list that `drawerbridge-hil verbs` prints and the place where the nearest sentence
//! is looked for when a line is not understood. Nothing can be said that is not in it.
use std::time::Duration;

use super::verb::{Action as A, Decision, Device, Expect as E, On, PaperIs, Shop as S, Told as T, Verb};

/// One word of a line; a text in quotes is one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
}

type Build = fn(&[String]) -> Result<Verb, String>;

/// A sentence: words that must be there, `{…}` for one word or text, `{…rest}` for all that follows.
pub(super) struct Sentence {
    /// As it is written and listed.
    pub(super) form: &'static str,
    /// What it means.
    pub(super) says: &'static str,
    build: Build,
}

macro_rules! sentences {
    ($($form:literal, $says:literal => $build:expr;)*) => {
        /// All sentences.
        pub(super) const SENTENCES: &[Sentence] = &[$(Sentence { form: $form, says: $says, build: $build }),*];
    };
}

sentences! {
    "drawer opened with key", "somebody turns the drawer's key" => |_| act(A::DrawerKey);
    "drawer pushed shut", "somebody closes the drawer" => |_| act(A::DrawerShut);
    "drawer jammed", "the drawer does not open any more" => |_| act(A::DrawerJam(true));
    "drawer freed", "it does again" => |_| act(A::DrawerJam(false));
    "printer unplugged", "the printer's cable is pulled" => |_| act(A::Unplug(Device::Printer));
    "printer unplugged after {N} bytes", "the cable is pulled after that many more bytes" => |a| act(A::UnplugAfter(number(&a[0])?));
    "printer plugged in", "the cable is back" => |_| act(A::Plug(Device::Printer));
    "printer power cycled", "the printer is switched off and on" => |_| act(A::PowerCycle);
    "printer taken offline", "somebody presses the printer's offline button" => |_| act(A::Offline(true));
    "printer back online", "and presses it again" => |_| act(A::Offline(false));
    "printer sends {HEX rest}", "bytes on its line that nobody asked for: 10 04 FF" => |a| act(A::Noise(hex(&a[0])?));
    "another client takes the printer", "it is connected to the printer's TCP port first" => |_| act(A::OtherClient(true));
    "the other client lets go", "the TCP port is free again" => |_| act(A::OtherClient(false));
    "paper out", "the roll is at its end" => |_| act(A::Paper(PaperIs::Out));
    "paper out after {N} lines", "the roll ends after that many more lines" => |a| act(A::PaperOutAfter(number(&a[0])?));
    "paper near end", "the near-end sensor sees the roll's end" => |_| act(A::Paper(PaperIs::NearEnd));
    "paper loaded", "a new roll is put in" => |_| act(A::Paper(PaperIs::Loaded));
    "cover opened", "the printer's cover is opened" => |_| act(A::Cover(true));
    "cover closed", "the printer's cover is closed" => |_| act(A::Cover(false));
    "display unplugged", "the display's cable is pulled" => |_| act(A::Unplug(Device::Display));
    "display plugged in", "the cable is back" => |_| act(A::Plug(Device::Display));
    "keypad unplugged", "the keypad's cable is pulled" => |_| act(A::Unplug(Device::Keypad));
    "keypad plugged in", "the cable is back" => |_| act(A::Plug(Device::Keypad));
    "type {KEYS rest}", "keys, as words: digits, Enter, Clear, Backspace" => |a| keys(&a[0]);
    "press {KEYS rest}", "the same" => |a| keys(&a[0]);
    "badge {CODE}", "a badge is scanned" => |a| act(A::Badge(a[0].clone()));
    "api drops the answer after executing", "the next opening runs, and its answer is lost" => |_| fault("drop-after", 1, On::Open);
    "api drops the request before executing", "the next opening is lost on its way" => |_| fault("drop-before", 1, On::Open);
    "api fault {NAME rest}", "NAME [times N | for ever] [on open | count | read | token | any]; see `faults`" => |a| named_fault(&a[0]);
    "api goes down", "the API refuses connections" => |_| act(A::ApiDown(true));
    "api comes back", "it accepts them again" => |_| act(A::ApiDown(false));
    "api healthy", "no fault is left" => |_| act(A::ApiHealthy);
    "api session opened by someone else for {AMOUNT}", "a colleague opens the session by hand" =>
        |a| act(A::OpenedElsewhere { amount: decimal(&a[0])? });
    "api checkout starts a session", "a cash sale opens a session by itself" => |_| act(A::CheckoutStarts);
    "api closes the session", "every open session is closed at Shopify" => |_| act(A::SessionsClosed);
    "api expires tokens", "every token is refused from now on" => |_| act(A::TokensExpire);
    "api clock is {N} s ahead", "the shop's clock, against this machine's" => |a| act(A::ApiClock(number(&a[0])?));
    "api clock is {N} s behind", "the same" => |a| act(A::ApiClock(-number::<i64>(&a[0])?));
    "api has both tills on one drawer", "their devices count the same cash at Shopify" => |_| act(A::OneDrawer);
    "api lacks scope {SCOPE}", "no token has it any more" => |a| lacks(&a[0]);
    "daemon killed", "SIGKILL" => |_| act(A::DaemonKilled);
    "daemon stopped", "SIGTERM; it must end with 0 within 5 s" => |_| act(A::DaemonStopped);
    "daemon starts", "it is started and gets ready" => |_| act(A::DaemonStarts);
    "journal refuses", "another program holds the journal's write lock: the daemon can write nothing" => |_| act(A::JournalRefuses(true));
    "journal takes again", "the lock is given back" => |_| act(A::JournalRefuses(false));
    "kick drawer", "POST …/drawer/kick" => |_| act(A::Kick);
    "pos starts an opening for {STAFF}", "POST …/openings" => |a| act(A::PosStarts { staff: a[0].clone() });
    "pos counts {AMOUNT}", "PUT …/count with a total" => |a| act(A::PosCounts { total: decimal(&a[0])? });
    "pos counts pieces {LIST rest}", "PUT …/count by denomination: 5 x 20.00, 40 x 0.25" => |a| pieces(&a[0]);
    "pos cancels the opening", "DELETE …/openings/{id}" => |_| act(A::PosCancels);
    "openings resolve {HOW}", "Kim decides: give-up, or about the session that is open at the shop: link or record-count" =>
        |a| act(A::Resolve(decision(&a[0])?));
    "pos reprints the slip", "POST …/slip" => |_| act(A::Reprint);
    "wait {TIME}", "nothing happens for that long" => |a| act(A::Wait(duration(&a[0])?));

    "display shows {UPPER} / {LOWER}",
        "both rows, drawn since the last key, badge, drawer, kick, POS, display plugged in or daemon start; blanks are not compared" =>
        |a| see(E::Display { upper: a[0].clone(), lower: Some(a[1].clone()) });
    "display shows {TEXT}", "either row, drawn since then" => |a| see(E::Display { upper: a[0].clone(), lower: None });
    "display now shows {UPPER} / {LOWER}", "what stands there now, whenever it was drawn" =>
        |a| see(E::DisplayNow { upper: a[0].clone(), lower: Some(a[1].clone()) });
    "display now shows {TEXT}", "either row of it" => |a| see(E::DisplayNow { upper: a[0].clone(), lower: None });
    "display now does not show {TEXT}", "not in what stands there now" => |a| see(E::DisplayNowNot(a[0].clone()));
    "display never shows {TEXT}", "in no frame since the last key that stood for 60 ms or more" =>
        |a| see(E::DisplayNever(a[0].clone()));
    "slip says {TEXT}", "on any slip that was cut" => |a| see(E::SlipSays { slip: None, text: a[0].clone() });
    "slip {N} says {TEXT}", "on that slip, counted from 1" =>
        |a| see(E::SlipSays { slip: Some(number(&a[0])?), text: a[1].clone() });
    "slip does not say {TEXT}", "on no slip so far" => |a| see(E::SlipNever(a[0].clone()));
    "slips {N}", "that many were cut" => |a| see(E::Slips(number(&a[0])?));
    "drawer is {STATE}", "open, closed, unknown, jammed or left_open, as the daemon says" =>
        |a| told(T::Drawer(one_of(&a[0], &["open", "closed", "unknown", "jammed", "left_open"])?));
    "drawer stands open", "the simulated drawer really is open" => |_| see(E::DrawerStands { open: true });
    "drawer stands closed", "it really is closed" => |_| see(E::DrawerStands { open: false });
    "shift is {STATE}", "open or closed" => |a| told(T::Shift { open: one_of(&a[0], &["open", "closed"])? == "open" });
    "phase is {PHASE}", "idle, staff, count, confirm, saved, open, …" => |a| told(T::Phase(a[0].clone()));
    "opening is {STATE}", "started, counted, sending, waiting, unknown, confirmed, refused, needs_attention, recorded, stale, given_up or cancelled" =>
        |a| told(T::Opening(one_of(&a[0], OPENING)?));
    "session open with {AMOUNT}", "exactly one session by the API, open, with this amount" => |a| shop(S::SessionWith(decimal(&a[0])?));
    "no session", "nobody opened one" => |_| shop(S::NoSession);
    "sessions {N}", "that many, whoever opened them" => |a| shop(S::Sessions(number(&a[0])?));
    "api saw {N} mutations", "opening mutations, executed or not" => |a| shop(S::Mutations(number(&a[0])?));
    "api saw {N} counts", "counts for a session that is open already, executed or not" => |a| shop(S::Counts(number(&a[0])?));
    "mutation brings {NAME}", "the last opening mutation has this variable" =>
        |a| shop(S::Variable { name: a[0].clone(), there: true });
    "mutation does not bring {NAME}", "it was left out" => |a| shop(S::Variable { name: a[0].clone(), there: false });
    "event {NAME}", "of this till, told since something was last done at it, at the shop or with the daemon (waiting is not doing)" =>
        |a| see(E::Event(a[0].clone()));
    "event {NAME} {FIELD} {VALUE}", "the same, and a field of it has this value: event drawer.opened by key" =>
        |a| see(E::EventWith { name: a[0].clone(), field: a[1].clone(), value: a[2].clone() });
    "no event {NAME}", "of this till, since the scenario began" => |a| see(E::NoEvent(a[0].clone()));
    "no new event {NAME}", "of this till, since something was last done" => |a| see(E::NoNewEvent(a[0].clone()));
    "journal verifies", "`drawerbridge journal verify` accepts it" => |_| see(E::JournalVerifies);
    "kicks {N}", "that many reached the printer" => |a| see(E::Kicks(number(&a[0])?));
    "printer warnings none", "nothing malformed was sent to it" => |_| see(E::NoWarnings(Device::Printer));
    "display warnings none", "nothing malformed was sent to it" => |_| see(E::NoWarnings(Device::Display));
    "kick answers {OUTCOME}", "opened, not_proven, already_open, jammed or refused" =>
        |a| see(E::KickAnswers(one_of(&a[0], &["opened", "not_proven", "already_open", "jammed", "refused"])?));
    "pos is answered {STATUS}", "HTTP status of the last request" => |a| see(E::PosAnswers(number(&a[0])?));
    "printer is up", "its link, as the daemon says" => |_| told(T::Link { device: Device::Printer, up: true });
    "printer is down", "its link, as the daemon says" => |_| told(T::Link { device: Device::Printer, up: false });
    "display is up", "its link, as the daemon says" => |_| told(T::Link { device: Device::Display, up: true });
    "display is down", "its link, as the daemon says" => |_| told(T::Link { device: Device::Display, up: false });
    "keypad is up", "its link, as the daemon says" => |_| told(T::Link { device: Device::Keypad, up: true });
    "keypad is down", "its link, as the daemon says" => |_| told(T::Link { device: Device::Keypad, up: false });
    "paper is {STATE}", "ok, near_end or out, as the daemon says" => |a| told(T::PaperIs(one_of(&a[0], &["ok", "near_end", "out"])?));
    "till is ready", "all links are up, the drawer is known" => |_| told(T::TillReady);
    "log says {TEXT}", "the daemon logged it" => |a| see(E::LogSays(a[0].clone()));
    "log never says {TEXT}", "it did not so far" => |a| see(E::LogNever(a[0].clone()));
}

/// The daemon's words for where an opening stands.
const OPENING: &[&str] = &[
    "started",
    "counted",
    "sending",
    "waiting",
    "unknown",
    "confirmed",
    "refused",
    "needs_attention",
    "recorded",
    "stale",
    "given_up",
    "cancelled",
];

/// Every sentence with what it means, for people.
#[must_use]
pub fn list() -> Vec<(&'static str, &'static str)> {
    SENTENCES.iter().map(|s| (s.form, s.says)).collect()
}

/// The verb of a line without its `at` and `within`; else what is wrong, in words.
pub(super) fn understand(words: &[Word]) -> Result<Verb, String> {
    let mut reason = None;
    for sentence in SENTENCES {
        let Some(captured) = capture(sentence.form, words) else { continue };
        match (sentence.build)(&captured) {
            Ok(verb) => return Ok(verb),
            Err(why) => reason = Some(format!("{why} (`{}`: {})", sentence.form, sentence.says)),
        }
    }
    Err(reason.unwrap_or_else(|| {
        let said: Vec<&str> = words.iter().map(|w| w.text.as_str()).collect();
        format!("`{}` is not understood; did you mean `{}`?", said.join(" "), nearest(words))
    }))
}

fn form_words(form: &str) -> Vec<String> {
    // `{KEYS rest}` is one word of the form.
    form.replace(" rest}", "…}").split_whitespace().map(str::to_owned).collect()
}

fn capture(form: &str, words: &[Word]) -> Option<Vec<String>> {
    let mut captured = Vec::new();
    let mut rest = words.iter();
    for want in form_words(form) {
        if want.ends_with("…}") {
            let all: Vec<&str> = rest.by_ref().map(|w| w.text.as_str()).collect();
            if all.is_empty() {
                return None;
            }
            captured.push(all.join(" "));
        } else if want.starts_with('{') {
            captured.push(rest.next()?.text.clone());
        } else {
            rest.next().filter(|w| !w.quoted && w.text == want)?;
        }
    }
    rest.next().is_none().then_some(captured)
}

/// The sentence that differs in the fewest words, letters deciding between equals.
fn nearest(words: &[Word]) -> &'static str {
    let said: Vec<&str> = words.iter().map(|w| w.text.as_str()).collect();
    let letters: Vec<char> = said.join(" ").chars().collect();
    let best = SENTENCES.iter().min_by_key(|s| {
        let form = form_words(s.form);
        let by_word = distance(&form, &said, |want, have| {
            if want.starts_with('{') || want == have {
                return 0;
            }
            let want: Vec<char> = want.chars().collect();
            let have: Vec<char> = have.chars().collect();
            // A typing mistake costs less than another word.
            if distance(&want, &have, |a, b| if a == b { 0 } else { 10 }) <= 20 { 4 } else { 10 }
        });
        let plain: Vec<char> = s.form.chars().collect();
        (by_word, distance(&plain, &letters, |a, b| if a == b { 0 } else { 10 }))
    });
    best.map_or("", |s| s.form)
}

/// Edit distance; leaving out or adding one costs 10.
fn distance<A, B>(from: &[A], to: &[B], swap: impl Fn(&A, &B) -> usize) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).map(|n| n * 10).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = (i + 1) * 10;
        for (j, b) in to.iter().enumerate() {
            let best = (diagonal + swap(a, b)).min(row[j] + 10).min(row[j + 1] + 10);
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    row[to.len()]
}

fn decision(text: &str) -> Result<Decision, String> {
    match text {
        "link" => Ok(Decision::Link),
        "record-count" => Ok(Decision::RecordCount),
        "give-up" => Ok(Decision::GiveUp),
        other => Err(format!("`{other}` is none of link, record-count, give-up")),
    }
}

/// `500ms`, `3s`, `0.5s`, `2` (seconds).
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit_ms) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => (digits, 1),
        (None, Some(digits)) => (digits, 1_000),
        (None, None) => (text, 1_000),
    };
    let wrong = || format!("`{text}` is not a time: write 500ms, 3s or 0.5s");
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || part.len() > 3 || !all_digits(whole) || !all_digits(part) || (unit_ms == 1 && !part.is_empty()) {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u64 = format!("{part:0<3}").parse().map_err(|_| wrong())?;
    Ok(Duration::from_millis(whole.saturating_mul(unit_ms) + if unit_ms == 1 { 0 } else { part }))
}

fn act(action: A) -> Result<Verb, String> {
    Ok(Verb::Do(action))
}

fn see(expect: E) -> Result<Verb, String> {
    Ok(Verb::See(expect))
}

fn told(told: T) -> Result<Verb, String> {
    see(E::Told(told))
}

fn shop(shop: S) -> Result<Verb, String> {
    see(E::Shop(shop))
}

fn fault(name: &str, times: u32, on: On) -> Result<Verb, String> {
    act(A::Fault { name: name.to_owned(), times, on })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number that fits here"))
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let byte = |word: &str| {
        let digits = word.len() == 2 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let byte = u8::from_str_radix(word, 16).ok().filter(|_| digits);
        byte.ok_or_else(|| format!("`{word}` is not a byte: write two hex digits, such as 1B"))
    };
    text.split_whitespace().map(byte).collect()
}

fn lacks(scope: &str) -> Result<Verb, String> {
    let all = crate::admin::AdminSpec::default().scopes;
    if all.iter().any(|known| known == scope) {
        act(A::ApiLacks(scope.to_owned()))
    } else {
        Err(format!("the shop gives no scope `{scope}`: {}", all.join(", ")))
    }
}

fn decimal(text: &str) -> Result<String, String> {
    text.parse::<rust_decimal::Decimal>()
        .map(|_| text.to_owned())
        .map_err(|_| format!("`{text}` is not an amount: write 150.00"))
}

fn one_of(text: &str, choices: &[&str]) -> Result<String, String> {
    if choices.contains(&text) { Ok(text.to_owned()) } else { Err(format!("`{text}` is none of {}", choices.join(", "))) }
}

fn keys(text: &str) -> Result<Verb, String> {
    for word in text.split_whitespace() {
        let digits = word.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',');
        if !digits && !["Enter", "Clear", "Backspace"].contains(&word) {
            return Err(format!("`{word}` is not on the keypad: digits, Enter, Clear and Backspace are"));
        }
    }
    act(A::Type(text.to_owned()))
}

fn named_fault(text: &str) -> Result<Verb, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (name, mut rest) = words.split_first().ok_or("a fault needs a name")?;
    if crate::admin::Fault::from_name(name).is_none() {
        let names: Vec<&str> = crate::admin::Fault::NAMES.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no fault `{name}`: {}", names.join(", ")));
    }
    let (mut times, mut on) = (1, On::Open);
    loop {
        rest = match rest {
            [] => return fault(name, times, on),
            ["times", n, more @ ..] => {
                times = number(n)?;
                more
            }
            ["for", "ever", more @ ..] => {
                times = u32::MAX;
                more
            }
            ["on", which, more @ ..] => {
                on = match *which {
                    "open" => On::Open,
                    "count" => On::Count,
                    "read" => On::Read,
                    "token" => On::Token,
                    "any" => On::Any,
                    other => return Err(format!("a fault is on open, count, read, token or any, not on `{other}`")),
                };
                more
            }
            [other, ..] => return Err(format!("`{other}` does not belong to a fault")),
        };
    }
}

fn pieces(text: &str) -> Result<Verb, String> {
    let one = |part: &str| {
        let (count, face) = part.split_once(" x ").ok_or_else(|| format!("`{part}`: write 5 x 20.00"))?;
        Ok((decimal(face.trim())?, number(count.trim())?))
    };
    let pieces = text.split(',').map(one).collect::<Result<Vec<_>, String>>()?;
    act(A::PosCountsPieces { pieces })
}
