//! Reads TOML tables key by key: types, limits, choices, and the keys that nobody asked for. `drawerbridge.toml` and the
//! device profiles are both read with it.
//!
//! ## Why not serde
//! serde stops at the first mistake and loses the place of values that are well-formed but wrong (a gid of the wrong kind,
//! a device used twice). Here every value keeps its place, and reading goes on after a mistake.
use std::{ops::Range, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::report::Notes;

/// A value with its place in the file.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) at: Range<usize>,
}

impl<T> At<T> {
    /// The same place, another value.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> At<U> {
        At { value: f(self.value), at: self.at }
    }
}

/// One table being read. `finish` names the keys that were not asked for.
pub(crate) struct Section<'a> {
    table: &'a DeTable<'a>,
    /// The place of the header, where a missing key is reported.
    pub(crate) at: Range<usize>,
    /// As a person writes it: `[till.printer]`.
    name: String,
    asked: Vec<&'static str>,
    pub(crate) notes: &'a Notes<'a>,
}

/// Reads a document's root table; syntax errors are noted, and `None` says that there were some.
pub(crate) fn parse<'a>(text: &'a str, notes: &Notes<'_>) -> Option<Spanned<DeTable<'a>>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    // After another mistake, a key often only seems to be there twice.
    let doubled = |error: &toml::de::Error| error.message().contains("duplicate key");
    let only_doubled = errors.iter().all(doubled);
    for error in errors.iter().filter(|error| only_doubled || !doubled(error)) {
        if notes.full() {
            break;
        }
        let at = error.span().unwrap_or(0..0);
        let what = error.message().lines().collect::<Vec<_>>().join(", ");
        let remedy = unquoted(text, at.start).unwrap_or_else(|| syntax_remedy(&what).to_owned());
        notes.add(&at, format!("this is not TOML: {what}"), remedy);
    }
    errors.is_empty().then_some(root)
}

/// `api_version = 2026-04`: a text without its quotes. What the line should be, if that is all there is to it.
fn unquoted(text: &str, offset: usize) -> Option<String> {
    // A line without end costs nothing: what is longer than this is no such line.
    const LINE_MAX: usize = 160;
    let (before, after) = text.as_bytes().split_at_checked(offset)?;
    let before = before.iter().rev().take(LINE_MAX).take_while(|b| **b != b'\n').count();
    let after = after.iter().take(LINE_MAX).take_while(|b| **b != b'\n').count();
    let (key, value) = text.get(offset - before..offset + after)?.split_once('=')?;
    let (key, value) = (key.trim(), value.split('#').next().unwrap_or_default().trim());
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '+' | ' ');
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = !key.is_empty() && key.len() <= 40 && key.chars().all(name) && !value.is_empty() && value.len() <= 80;
    (fits && value.chars().all(plain)).then(|| format!("put texts in double quotes: {key} = \"{value}\""))
}

fn syntax_remedy(what: &str) -> &'static str {
    if what.contains("duplicate") {
        "keep one of the two lines; several tills or keypads are written `[[till]]`, `[[till.keypad]]`"
    } else if what.contains("string") || what.contains("quote") {
        "put texts between double quotes, as in name = \"front-1\""
    } else {
        "write one `key = value` a line, texts in double quotes; `drawerbridge config example` shows a whole file"
    }
}

impl<'a> Section<'a> {
    /// The root of a document.
    pub(crate) fn root(table: &'a Spanned<DeTable<'a>>, notes: &'a Notes<'a>) -> Self {
        Self { table: table.get_ref(), at: 0..0, name: String::new(), asked: Vec::new(), notes }
    }
    fn take(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.push(key);
        self.table.iter().find(|(k, _)| k.get_ref().as_ref() == key).map(|(_, v)| v)
    }
    /// Counts a key as known without reading it.
    pub(crate) fn known(&mut self, key: &'static str) {
        self.asked.push(key);
    }
    /// Whether the key is there, without reading it.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.iter().any(|(k, _)| k.get_ref().as_ref() == key)
    }
    fn of(&self, key: &str) -> String {
        if self.name.is_empty() { format!("`{key}`") } else { format!("`{key}` in {}", self.name) }
    }
    /// Notes that a key is missing; `line` shows what to write.
    pub(crate) fn missing(&self, key: &str, line: &str) {
        let what = if self.name.is_empty() { format!("{key} is missing") } else { format!("{} has no `{key}`", self.name) };
        self.notes.add(&self.at, what, format!("add {line}"));
    }
    /// Notes that a device is connected nowhere; `samples` show where it may be.
    pub(crate) fn nowhere(&self, samples: &str) {
        let what = format!("{} does not say where the device is connected", self.name);
        self.notes.add(&self.at, what, format!("add {samples}"));
    }
    fn wrong_type(&self, key: &str, wanted: &str, value: &Spanned<DeValue<'_>>, remedy: String) {
        let found = kind(value.get_ref());
        self.notes.add(&value.span(), format!("{} wants {wanted}, and this is {found}", self.of(key)), remedy);
    }
    /// A text; empty texts and control characters are refused.
    pub(crate) fn text(&mut self, key: &'static str, sample: &str) -> Option<At<String>> {
        let text = self.text_or_empty(key, sample)?;
        if text.value.trim().is_empty() {
            let what = format!("{} is empty", self.of(key));
            self.notes.add(&text.at, what, format!("write {key} = {sample:?}, or remove the line"));
            return None;
        }
        Some(text)
    }
    fn text_or_empty(&mut self, key: &'static str, sample: &str) -> Option<At<String>> {
        let value = self.take(key)?;
        let Some(text) = value.get_ref().as_str() else {
            let remedy = match value.get_ref() {
                DeValue::Integer(n) => format!("put it between quotes: {key} = \"{n}\""),
                DeValue::Float(n) => format!("put it between quotes: {key} = \"{n}\""),
                DeValue::Datetime(n) => format!("put it between quotes: {key} = \"{n}\""),
                DeValue::String(_) | DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) => {
                    format!("write {key} = {sample:?}")
                }
            };
            self.wrong_type(key, "a text", value, remedy);
            return None;
        };
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            let what = format!("{} has the control character {:04X} in it", self.of(key), u32::from(c));
            self.notes.add(&value.span(), what, "remove it: these texts are printed and shown as they are");
            return None;
        }
        Some(At { value: text.to_owned(), at: value.span() })
    }
    /// The digits of a key's value if it is a bare whole number; the key still has to be read.
    pub(crate) fn bare_number(&self, key: &str) -> Option<At<String>> {
        let (_, value) = self.table.iter().find(|(k, _)| k.get_ref().as_ref() == key)?;
        value.get_ref().as_integer().map(|n| At { value: shown(n.as_str()), at: value.span() })
    }
    /// A text that must be there.
    pub(crate) fn required(&mut self, key: &'static str, sample: &str) -> Option<At<String>> {
        if !self.has(key) {
            self.known(key);
            self.missing(key, &format!("{key} = {sample:?}"));
            return None;
        }
        self.text(key, sample)
    }
    /// A list of texts.
    pub(crate) fn texts(&mut self, key: &'static str, sample: &str) -> Option<At<Vec<At<String>>>> {
        let value = self.take(key)?;
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(key, "a list of texts", value, format!("write {key} = {sample}"));
            return None;
        };
        let mut texts = Vec::new();
        for item in list.iter() {
            match item.get_ref().as_str() {
                Some(text) if text.chars().any(char::is_control) => {
                    let what = format!("{} has a control character in it", self.of(key));
                    self.notes.add(&item.span(), what, "remove it: these texts are shown as they are");
                    return None;
                }
                Some(text) => texts.push(At { value: text.to_owned(), at: item.span() }),
                None => {
                    self.wrong_type(key, "a list of texts", item, format!("write {key} = {sample}"));
                    return None;
                }
            }
        }
        Some(At { value: texts, at: value.span() })
    }
    /// A whole number within limits.
    pub(crate) fn number(&mut self, key: &'static str, low: u32, high: u32) -> Option<At<u32>> {
        let value = self.take(key)?;
        let remedy = format!("write a whole number from {low} to {high}, without quotes");
        let Some(n) = value.get_ref().as_integer() else {
            self.wrong_type(key, "a whole number", value, remedy);
            return None;
        };
        match u32::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) if (low..=high).contains(&n) => Some(At { value: n, at: value.span() }),
            Ok(_) | Err(_) => {
                let what = format!("{} is {n}, which is outside {low} to {high}", self.of(key));
                self.notes.add(&value.span(), what, remedy);
                None
            }
        }
    }
    /// `true` or `false`.
    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, "true or false", value, format!("write {key} = true or {key} = false, without quotes"));
        }
        flag
    }
    /// A duration such as "4h" or "300ms", within limits.
    pub(crate) fn duration(&mut self, key: &'static str, low: Duration, high: Duration) -> Option<At<Duration>> {
        let value = self.take(key)?;
        let remedy = format!("write {key} = \"300ms\", \"90s\", \"5m\" or \"4h\"");
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, "a duration as a text", value, remedy);
            return None;
        };
        let Some(duration) = duration(text) else {
            self.notes.add(&value.span(), format!("{} is {text:?}, which is not a duration", self.of(key)), remedy);
            return None;
        };
        if duration < low || duration > high {
            let what = format!("{} is {text:?}, which is outside {} to {}", self.of(key), plain(low), plain(high));
            self.notes.add(&value.span(), what, remedy);
            return None;
        }
        Some(At { value: duration, at: value.span() })
    }
    fn needs(&mut self, key: &'static str, sample: &str) -> bool {
        if !self.has(key) {
            self.known(key);
            self.missing(key, &format!("{key} = {sample}"));
        }
        self.has(key)
    }
    /// A whole number that must be there.
    pub(crate) fn needed_number(&mut self, key: &'static str, low: u32, high: u32) -> Option<u32> {
        let there = self.needs(key, &format!("a whole number from {low} to {high}"));
        there.then(|| self.number(key, low, high)).flatten().map(|n| n.value)
    }
    /// `true` or `false`, one of which must be there.
    pub(crate) fn needed_flag(&mut self, key: &'static str) -> Option<bool> {
        self.needs(key, "true or false").then(|| self.flag(key)).flatten()
    }
    /// A duration that must be there.
    pub(crate) fn needed_duration(&mut self, key: &'static str, low: Duration, high: Duration) -> Option<Duration> {
        self.needs(key, &format!("{:?}", plain(low))).then(|| self.duration(key, low, high)).flatten().map(|d| d.value)
    }
    /// One of a few words, which must be there.
    pub(crate) fn needed_choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let sample = choices.first().map(|(name, _)| format!("{name:?}")).unwrap_or_default();
        self.needs(key, &sample).then(|| self.choice(key, choices)).flatten().map(|c| c.value)
    }
    /// The place of a key's value; of the table if the key is not there.
    pub(crate) fn place(&self, key: &str) -> Range<usize> {
        let found = self.table.iter().find(|(k, _)| k.get_ref().as_ref() == key);
        found.map_or_else(|| self.at.clone(), |(_, value)| value.span())
    }
    /// Whether the key's value is a bare text, for `serial = "/dev/ttyUSB0"`.
    pub(crate) fn bare_text(&self, key: &str) -> Option<At<String>> {
        let (_, value) = self.table.iter().find(|(k, _)| k.get_ref().as_ref() == key)?;
        value.get_ref().as_str().map(|text| At { value: shown(text), at: value.span() })
    }
    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<At<T>> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let text = self.text(key, names.first().copied().unwrap_or_default())?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text.value) {
            return Some(text.map(|_| *value));
        }
        let what = format!("{} is {:?}, which is not known here", self.of(key), text.value);
        self.notes.add(&text.at, what, suggest(&text.value, &names));
        None
    }
    /// A table below this one.
    pub(crate) fn section(&mut self, key: &'static str, name: &str) -> Option<Section<'a>> {
        let value = self.take(key)?;
        self.below(key, name, value)
    }
    fn below(&self, key: &str, name: &str, value: &'a Spanned<DeValue<'a>>) -> Option<Section<'a>> {
        let Some(table) = value.get_ref().as_table() else {
            let remedy = match name.strip_prefix('`') {
                Some(_) => format!("write {key} = {{ … }}, with its keys between the brackets"),
                None => format!("write a line {name} and its keys below it"),
            };
            self.wrong_type(key, "a table", value, remedy);
            return None;
        };
        Some(Section { table, at: value.span(), name: name.to_owned(), asked: Vec::new(), notes: self.notes })
    }
    /// `[[name]]`, any number of times; a single `[name]` counts as one when `single` is true.
    pub(crate) fn sections(&mut self, key: &'static str, name: &str, single: bool) -> Vec<Section<'a>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(list) => list.iter().filter_map(|item| self.below(key, name, item)).collect(),
            DeValue::Table(_) if single => self.below(key, name, value).into_iter().collect(),
            DeValue::Table(_) => {
                let what = format!("{} is written once, with single brackets", self.of(key));
                self.notes.add(&value.span(), what, format!("write {name}, with two brackets on each side"));
                Vec::new()
            }
            DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
                self.wrong_type(key, "a table", value, format!("write a line {name} and its keys below it"));
                Vec::new()
            }
        }
    }
    /// A key that the design names and this version does not read yet.
    pub(crate) fn not_yet(&mut self, key: &'static str, what: &str, remedy: &str) {
        if let Some(value) = self.take(key) {
            self.notes.add(&value.span(), format!("{}: {what}", self.of(key)), remedy);
        }
    }
    /// Notes every key that nobody asked for, with the nearest known one.
    pub(crate) fn finish(self) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !self.asked.contains(&name) && !self.notes.full() {
                let remedy = match nearest(name, &self.asked) {
                    Some(known) => format!("did you mean \"{known}\"?"),
                    None => format!("known here: {}", self.asked.join(", ")),
                };
                self.notes.add(&key.span(), format!("unknown key {:?}", shown(name)), remedy);
            }
        }
    }
}

/// A text from the file as it may be shown: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {:?}", shown(text)),
        DeValue::Integer(n) => format!("the number {}", shown(n.as_str())),
        DeValue::Float(n) => format!("the number {}", shown(n.as_str())),
        DeValue::Boolean(b) => format!("{b}"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The nearest of some words: at most a third of its letters differ, or one; or one word is a part of the other, as in
/// `baudrate` and `baud`.
pub(crate) fn nearest<'n>(word: &str, names: &[&'n str]) -> Option<&'n str> {
    let lower: String = word.chars().take(80).collect::<String>().to_lowercase();
    let scored = names.iter().filter_map(|name| {
        let other = name.to_lowercase();
        let letters = other.chars().count();
        let distance = strsim::damerau_levenshtein(&lower, &other);
        let part = |long: &str, short: &str| short.len() >= 3 && long.contains(short);
        let near = distance <= (letters / 3).max(1) && distance < letters;
        (near || part(&lower, &other) || part(&other, &lower)).then_some((distance, *name))
    });
    scored.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// `write "serial"; known: …`, or all that is known.
pub(crate) fn suggest(word: &str, names: &[&str]) -> String {
    match nearest(word, names) {
        Some(name) => format!("did you mean \"{name}\"? Known here: {}", names.join(", ")),
        None => format!("known here: {}", names.join(", ")),
    }
}

/// Reads "4h", "1h 30m", "300ms": whole numbers with ms, s, m, h or d.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit_ms = match &rest[..end] {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(unit_ms)?))?;
        rest = rest[end..].trim_start();
    }
    Some(total)
}

/// A duration as it would be written in the file.
pub(crate) fn plain(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match units.iter().find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, ms) in [("300ms", 300), ("4h", 14_400_000), ("1h30m", 5_400_000), ("2 min", 120_000), ("0s", 0)] {
            assert_eq!(duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", " ", "4", "h", "-4h", "1.5h", "4 hours", "99999999999999999999s", "18446744073709551615d", "4h x"] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(plain(Duration::from_millis(5_400_000)), "90m");
        assert_eq!(plain(Duration::from_millis(1)), "1ms");
    }

    #[test]
    fn the_nearest_word_is_named_and_a_far_one_is_not() {
        assert_eq!(nearest("buad", &["path", "baud"]), Some("baud"));
        assert_eq!(nearest("Profil", &["profile", "serial"]), Some("profile"));
        assert_eq!(nearest("baudrate", &["path", "baud"]), Some("baud"));
        assert_eq!(nearest("device_id", &["name", "point_of_sale_device_id"]), Some("point_of_sale_device_id"));
        assert_eq!(nearest("", &["a"]), None);
        assert_eq!(nearest("zzzz", &["profile", "serial"]), None);
    }
}
