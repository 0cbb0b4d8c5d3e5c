//! The kinds of text a settings file holds, each read into something that cannot be wrong: gids, host names, origins,
//! currencies, time zones, staff numbers.
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use jiff::tz::TimeZone;

use super::reader::{At, Section, nearest, shown};
use crate::{
    driver::keypad::{BADGE_MAX, BURST},
    money::{Amount, Currency},
};

/// The Admin API's version that the documents were checked against; it is the first with register sessions.
const API_VERSION: &str = "2026-04";
/// Names of tills go into web addresses and log lines.
const TILL_NAME_MAX: usize = 32;
/// Two lines of the narrowest slip.
const LABEL_MAX: usize = 64;
/// More coins and notes than any currency has.
const DENOMINATIONS_MAX: usize = 40;

/// `gid://shopify/KIND/123`. A `kind` that ends in `*` stands for every type whose name contains the rest.
pub(crate) fn gid(section: &mut Section<'_>, key: &'static str, kind: &str, required: bool) -> Option<At<String>> {
    let sample_kind = if kind == "ReasonCode*" { "CashManagementSystemReasonCode" } else { kind };
    let sample = format!("gid://shopify/{sample_kind}/123");
    if let Some(number) = section.bare_number(key) {
        bare(section, key, &number, sample_kind);
        // Read, so that the key counts as known; its mistake is noted already.
        section.known(key);
        return None;
    }
    let text = if required { section.required(key, &sample)? } else { section.text(key, &sample)? };
    let number_of = |rest: &str| !rest.is_empty() && rest.len() <= 20 && rest.bytes().all(|b| b.is_ascii_digit());
    if number_of(&text.value) {
        bare(section, key, &text, sample_kind);
        return None;
    }
    let parts = text.value.strip_prefix("gid://shopify/").and_then(|rest| rest.split_once('/'));
    let fits = |name: &str| match kind.strip_suffix('*') {
        Some(part) => name.contains(part) && name.bytes().all(|b| b.is_ascii_alphanumeric()),
        None => name == kind,
    };
    match parts {
        Some((name, number)) if fits(name) && number_of(number) => Some(text),
        Some((name, number)) if number_of(number) => {
            let what = format!("`{key}` is the id of a {}, and a {sample_kind} is wanted", shown(name));
            section.notes.add(&text.at, what, format!("write the id of a {sample_kind}: {key} = \"{sample}\""));
            None
        }
        Some(_) | None => {
            let what = format!("`{key}` is {:?}, which is not a Shopify id", shown(&text.value));
            section.notes.add(&text.at, what, format!("write the whole id: {key} = \"{sample}\""));
            None
        }
    }
}

fn bare(section: &Section<'_>, key: &str, number: &At<String>, kind: &str) {
    let what = format!("`{key}` is the bare number {}, and Shopify wants the whole id", number.value);
    section.notes.add(&number.at, what, format!("write {key} = \"gid://shopify/{kind}/{}\"", number.value));
}

/// `USD`.
pub(crate) fn currency(section: &mut Section<'_>) -> Option<Currency> {
    let code = section.required("currency", "USD")?;
    if let Some(currency) = Currency::from_code(&code.value) {
        return Some(currency);
    }
    let what = format!("{:?} is not a currency that cash is counted in", shown(&code.value));
    let remedy = match nearest_currency(&code.value) {
        Some(name) => format!("did you mean \"{name}\"? Write the shop's ISO 4217 code"),
        None => "write the shop's ISO 4217 code, three capital letters such as \"USD\"".to_owned(),
    };
    section.notes.add(&code.at, what, remedy);
    None
}

/// The nearest known code: the same letters in capitals, else one letter off, the common ones first.
fn nearest_currency(text: &str) -> Option<String> {
    const COMMON: [&str; 16] =
        ["USD", "EUR", "GBP", "CAD", "AUD", "NZD", "JPY", "CHF", "SEK", "NOK", "DKK", "INR", "SGD", "HKD", "MXN", "ZAR"];
    let upper = text.trim().to_uppercase();
    if Currency::from_code(&upper).is_some() {
        return Some(upper);
    }
    if upper.len() != 3 || !upper.bytes().all(|b| b.is_ascii_uppercase()) {
        return nearest(&upper, &COMMON).map(str::to_owned);
    }
    nearest(&upper, &COMMON).map(str::to_owned).or_else(|| {
        let letters = || (b'A'..=b'Z').map(char::from);
        let mut codes = (0..3).flat_map(|n| {
            let upper = &upper;
            letters()
                .map(move |c| upper.chars().enumerate().map(|(i, old)| if i == n { c } else { old }).collect::<String>())
        });
        codes.find(|code| !code.starts_with('X') && Currency::from_code(code).is_some())
    })
}

/// `America/New_York`.
pub(crate) fn time_zone(section: &mut Section<'_>) -> Option<TimeZone> {
    let name = section.required("time_zone", "America/New_York")?;
    if let Ok(zone) = TimeZone::get(&name.value) {
        return Some(zone);
    }
    let names: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let what = format!("the time zone {:?} is not known on this computer", shown(&name.value));
    let remedy = match nearest_zone(&name.value, &names) {
        Some(zone) => format!("did you mean \"{zone}\"?"),
        None if names.len() < 50 => "install the time zone data (package tzdata), then try again".to_owned(),
        None => "write a name such as \"America/New_York\"; `timedatectl list-timezones` lists them".to_owned(),
    };
    section.notes.add(&name.at, what, remedy);
    None
}

fn nearest_zone<'n>(text: &str, names: &[&'n str]) -> Option<&'n str> {
    // "New York" and "new-york" mean the city: compare with the last part too.
    let tidy: String = text.trim().chars().map(|c| if c == ' ' || c == '-' { '_' } else { c }).take(80).collect();
    nearest(&tidy, names).or_else(|| {
        let city = tidy.rsplit('/').next().unwrap_or(&tidy);
        let cities: Vec<(&str, &'n str)> =
            names.iter().filter_map(|name| name.rsplit_once('/').map(|(_, last)| (last, *name))).collect();
        let lasts: Vec<&str> = cities.iter().map(|(last, _)| *last).collect();
        let found = nearest(city, &lasts)?;
        cities.iter().find(|(last, _)| *last == found).map(|(_, name)| *name)
    })
}

/// A time of day in hours and minutes, `"04:00"`.
pub(crate) fn time_of_day(section: &mut Section<'_>, key: &'static str, sample: &str) -> Option<jiff::civil::Time> {
    let text = section.text(key, &format!("{sample:?}"))?;
    let found = jiff::civil::Time::strptime("%H:%M", &text.value).ok();
    if found.is_none() {
        let what = format!("`{key}` is {}, which is no time of day", shown(&text.value));
        section.notes.add(&text.at, what, format!("write hours and minutes, such as {sample:?}"));
    }
    found
}

/// The shop's host name. Without an `endpoint` the token goes there, so it must be Shopify's.
pub(crate) fn domain(section: &mut Section<'_>, rig: bool) -> Option<String> {
    let domain = section.required("domain", "example.myshopify.com")?;
    let text = domain.value.as_str();
    let label = |l: &str| {
        let ends_well = !l.starts_with('-') && !l.ends_with('-');
        (1..=63).contains(&l.len()) && ends_well && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if text.len() > 253 || !text.split('.').all(label) {
        let what = format!("`domain` is {:?}, which is not a host name", shown(text));
        section.notes.add(&domain.at, what, "write only the name: domain = \"example.myshopify.com\"");
        return None;
    }
    let lower = text.to_ascii_lowercase();
    if !rig && !lower.ends_with(".myshopify.com") {
        let what = format!("`domain` is {:?}; the Admin API answers only below myshopify.com", shown(text));
        section.notes.add(&domain.at, what, "write the shop's own name there: domain = \"example.myshopify.com\"");
        return None;
    }
    Some(lower)
}

/// `2026-04`: the version that the documents were checked against, and no other.
///
/// ## Why not a later one
/// A version that nobody held the documents against may answer differently, and money hangs on what an answer means.
pub(crate) fn api_version(section: &mut Section<'_>) -> Option<String> {
    let Some(version) = section.text("api_version", API_VERSION) else {
        return (!section.has("api_version")).then(|| API_VERSION.to_owned());
    };
    let text = version.value.as_str();
    if text == API_VERSION {
        return Some(version.value);
    }
    let parts = text.split_once('-').filter(|(y, m)| y.len() == 4 && m.len() == 2);
    let digits = parts.is_some_and(|(y, m)| (y.to_owned() + m).bytes().all(|b| b.is_ascii_digit()));
    let what = if digits {
        format!("`api_version` is {text:?}, and this program was checked against {API_VERSION} only")
    } else {
        format!("`api_version` is {:?}, which is not a version of the Admin API", shown(text))
    };
    section.notes.add(&version.at, what, format!("write api_version = {API_VERSION:?}"));
    None
}

/// `endpoint`: loopback only, for rigs; without a trailing slash.
pub(crate) fn endpoint(section: &mut Section<'_>) -> Option<String> {
    let endpoint = section.text("endpoint", "http://127.0.0.1:8080")?;
    let text = endpoint.value.trim_end_matches('/');
    let authority = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let loopback = authority.and_then(authority_ip).is_some_and(|ip| ip.is_loopback());
    if loopback {
        return Some(text.to_owned());
    }
    let what = if authority.is_some_and(|a| !a.contains('/')) {
        format!("`endpoint` is {:?}, which is not on this computer: the access token would go there", shown(text))
    } else {
        format!("`endpoint` is {:?}, which is not an address such as http://127.0.0.1:8080", shown(text))
    };
    let remedy =
        "remove the line: requests then go to https:// and the shop's domain; for a rig write http://127.0.0.1:PORT";
    section.notes.add(&endpoint.at, what, remedy);
    None
}

/// The address of `127.0.0.1:8080`, `127.0.0.1`, `[::1]:8080` or `[::1]`; nothing else.
fn authority_ip(authority: &str) -> Option<IpAddr> {
    if let Ok(address) = authority.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    let bare = authority.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(authority);
    bare.parse().ok().filter(|ip: &IpAddr| ip.is_ipv4() || bare.len() != authority.len())
}

/// Where the local API listens: loopback only.
pub(crate) fn listen(section: &mut Section<'_>) -> Option<SocketAddr> {
    let listen = section.text("listen", "127.0.0.1:8765")?;
    match listen.value.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Some(address),
        Ok(address) => {
            let what = format!("`listen` is {address}, which other computers can reach");
            let remedy = format!("write listen = \"127.0.0.1:{}\"; only programs on this computer may ask", address.port());
            section.notes.add(&listen.at, what, remedy);
            None
        }
        Err(_) => {
            let what = format!("`listen` is {:?}, which is not an address with a port", shown(&listen.value));
            section.notes.add(&listen.at, what, "write listen = \"127.0.0.1:8765\"");
            None
        }
    }
}

/// Origins whose pages may call besides none: scheme, host, maybe a port, no path, no `*`.
pub(crate) fn origins(section: &mut Section<'_>) -> Vec<String> {
    let Some(list) = section.texts("allowed_origins", "[\"https://pos.example\"]") else { return Vec::new() };
    let mut origins = Vec::new();
    for origin in list.value {
        let host = origin.value.strip_prefix("https://").or_else(|| origin.value.strip_prefix("http://"));
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
        if host.is_some_and(|h| !h.is_empty() && h.len() <= 260 && h.bytes().all(fine)) {
            origins.push(origin.value);
        } else {
            let what = format!("{:?} is not an origin of web pages", shown(&origin.value));
            let remedy = "write scheme and host in small letters, nothing behind them: \"https://pos.example\"";
            section.notes.add(&origin.at, what, remedy);
        }
    }
    origins
}

/// A till's name: it is part of web addresses.
pub(crate) fn till_name(section: &mut Section<'_>) -> Option<At<String>> {
    let name = section.required("name", "front-1")?;
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.value.len() <= TILL_NAME_MAX && name.value.bytes().all(fine) {
        return Some(name);
    }
    let what = format!("{:?} cannot name a till", shown(&name.value));
    let remedy = format!("use up to {TILL_NAME_MAX} letters, digits, `-` and `_`, as in \"front-1\"");
    section.notes.add(&name.at, what, remedy);
    None
}

/// What a person types or scans: a keypad has digits alone, and what comes fast enough to be a badge has four characters or
/// more.
pub(crate) fn staff_number(section: &mut Section<'_>) -> Option<At<String>> {
    let number = section.required("number", "1042")?;
    let bytes = number.value.as_bytes();
    let fine = bytes.len() <= BADGE_MAX && bytes.iter().all(u8::is_ascii_alphanumeric);
    let usable = bytes.len() >= BURST || bytes.iter().all(u8::is_ascii_digit);
    if fine && usable {
        return Some(number);
    }
    let (what, remedy) = if fine {
        let what = format!("{:?} can be neither typed nor scanned", number.value);
        (what, format!("a badge has {BURST} to {BADGE_MAX} characters; a typed number only digits"))
    } else {
        let what = format!("{:?} cannot be a staff number", shown(&number.value));
        (what, format!("use 1 to {BADGE_MAX} letters and digits, no spaces"))
    };
    section.notes.add(&number.at, what, remedy);
    None
}

/// An amount such as `"150.00"`, above nothing.
pub(crate) fn amount(section: &mut Section<'_>, key: &'static str, currency: Currency) -> Option<At<Amount>> {
    let text = section.text(key, &sample_amount(currency))?;
    amount_of(section, key, &text, currency).map(|amount| At { value: amount, at: text.at })
}

fn amount_of(section: &Section<'_>, key: &str, text: &At<String>, currency: Currency) -> Option<Amount> {
    let code = currency.code();
    let what = match Amount::parse(&text.value, currency) {
        Ok(amount) if amount.minor() > 0 => return Some(amount),
        Ok(_) => format!("`{key}` has {:?} in it, which is nothing", shown(&text.value)),
        Err(error) => format!("`{key}`: {error}"),
    };
    section.notes.add(&text.at, what, format!("write amounts of {code} as texts, such as {:?}", sample_amount(currency)));
    None
}

/// `150.00`, `150` or `150.000`.
fn sample_amount(currency: Currency) -> String {
    Amount::from_minor(150 * 10_i64.pow(currency.exponent()), currency).to_string()
}

/// Coins and notes, largest first, each once.
pub(crate) fn denominations(section: &mut Section<'_>, currency: Currency) -> Option<Vec<Amount>> {
    const KEY: &str = "denominations";
    let sample = "[\"20.00\", \"10.00\", \"5.00\"]";
    let list = section.texts(KEY, sample)?;
    if list.value.is_empty() || list.value.len() > DENOMINATIONS_MAX {
        let what = format!("`{KEY}` lists {} coins and notes", list.value.len());
        section.notes.add(&list.at, what, format!("list 1 to {DENOMINATIONS_MAX}, or remove the line"));
        return None;
    }
    let mut faces: Vec<Amount> = Vec::new();
    for text in &list.value {
        let face = amount_of(section, KEY, text, currency)?;
        if faces.contains(&face) {
            section.notes.add(&text.at, format!("{face} is listed twice"), "list each coin and note once");
            return None;
        }
        faces.push(face);
    }
    faces.sort_by_key(|face| std::cmp::Reverse(face.minor()));
    Some(faces)
}

/// `host:9100`.
pub(crate) fn host_port(section: &mut Section<'_>, key: &'static str) -> Option<At<String>> {
    let text = section.text(key, "192.168.1.50:9100")?;
    let parts = text.value.rsplit_once(':');
    let port = parts.and_then(|(_, port)| port.parse::<u16>().ok()).is_some_and(|port| port > 0);
    let host = parts.is_some_and(|(host, _)| {
        let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let six = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        (!host.is_empty() && host.len() <= 253 && host.bytes().all(name))
            || six.is_some_and(|h| h.parse::<std::net::Ipv6Addr>().is_ok())
    });
    if host && port {
        return Some(text);
    }
    let what = format!("`{key}` is {:?}, which is not a host with a port", shown(&text.value));
    section.notes.add(&text.at, what, format!("write {key} = \"192.168.1.50:9100\""));
    None
}

/// The speeds that a serial port can be set to and that devices are sold with.
const BAUDS: [u32; 9] = [1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400];

/// A serial line's speed; `None` also when it is not there and need not be.
pub(crate) fn baud(section: &mut Section<'_>, required: bool) -> Option<u32> {
    if !required && !section.has("baud") {
        section.known("baud");
        return None;
    }
    let at = section.place("baud");
    let baud = section.needed_number("baud", 1_200, 230_400)?;
    if BAUDS.contains(&baud) {
        return Some(baud);
    }
    let what = format!("`baud` is {baud}, which serial ports cannot be relied on to have");
    section.notes.add(&at, what, format!("write one of {}", BAUDS.map(|baud| baud.to_string()).join(", ")));
    None
}

/// A name that people read on slips and displays.
pub(crate) fn label(section: &mut Section<'_>, key: &'static str, sample: &str, required: bool) -> Option<String> {
    let text = if required { section.required(key, sample)? } else { section.text(key, sample)? };
    let letters = text.value.trim().chars().count();
    if letters > LABEL_MAX {
        let what = format!("`{key}` has {letters} characters, and a slip has no room for more than {LABEL_MAX}");
        section.notes.add(&text.at, what, "shorten it");
        return None;
    }
    Some(text.value.trim().to_owned())
}

/// A path that must be there.
pub(crate) fn needed_path(section: &mut Section<'_>, key: &'static str, sample: &str) -> Option<At<PathBuf>> {
    if section.has(key) {
        path(section, key, sample)
    } else {
        section.required(key, sample).map(|text| text.map(PathBuf::from))
    }
}

/// A device's path, which is the same wherever the settings file lies.
pub(crate) fn device_path(section: &mut Section<'_>, key: &'static str, sample: &str) -> Option<At<PathBuf>> {
    let text = section.required(key, sample)?;
    if text.value.starts_with('/') {
        return Some(text.map(PathBuf::from));
    }
    let what = format!("`{key}` is {:?}, and a device is named by its whole path", shown(&text.value));
    let remedy = match text.value.strip_prefix("dev/").unwrap_or(&text.value) {
        name if name.starts_with("tty") && !name.contains('/') => format!("write {key} = \"/dev/{}\"", shown(name)),
        _ => format!("write {key} = {sample:?}"),
    };
    section.notes.add(&text.at, what, remedy);
    None
}

/// A path; a relative one starts from the folder of the settings file.
pub(crate) fn path(section: &mut Section<'_>, key: &'static str, sample: &str) -> Option<At<PathBuf>> {
    let text = section.text(key, sample)?;
    let folder = section.notes.base().to_owned();
    Some(text.map(|text| folder.join(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_currency_or_zone_leads_to_the_right_one() {
        assert_eq!(nearest_currency("usd").as_deref(), Some("USD"));
        assert_eq!(nearest_currency("USB").as_deref(), Some("USD"));
        assert_eq!(nearest_currency("KWX").as_deref(), Some("KWD"));
        assert_eq!(nearest_currency("dollars"), None);
        let names = ["America/New_York", "Europe/Berlin", "UTC"];
        assert_eq!(nearest_zone("America/NewYork", &names), Some("America/New_York"));
        assert_eq!(nearest_zone("New York", &names), Some("America/New_York"));
        assert_eq!(nearest_zone("europe/berln", &names), Some("Europe/Berlin"));
        assert_eq!(nearest_zone("Atlantis", &names), None);
    }

    #[test]
    fn only_written_loopback_addresses_are_loopback() {
        assert!(authority_ip("127.0.0.1:80").is_some_and(|ip| ip.is_loopback()));
        assert!(authority_ip("[::1]:80").is_some_and(|ip| ip.is_loopback()));
        assert!(authority_ip("[::1]").is_some_and(|ip| ip.is_loopback()));
        for other in ["localhost:80", "127.0.0.1.example:80", "127.0.0.1@example:80", "127.0.0.1:80/x", "::1", ""] {
            assert!(authority_ip(other).is_none(), "{other}");
        }
    }
}
