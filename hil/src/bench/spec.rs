//! What a bench may be made of, and the `till …` lines of a scenario that say so.
use std::{net::SocketAddr, path::PathBuf};

use crate::printer::Quirks;

/// How the printer is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// A virtual serial pair.
    Pair,
    /// TCP, as on port 9100.
    Tcp,
}

/// What the drawer's switch says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenseKind {
    /// The line is low while the drawer is open.
    Low,
    /// The line is high while the drawer is open.
    High,
    /// There is no switch.
    None,
}

/// What hangs on the printer's kick connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connector {
    /// A drawer that is kicked by pin 2.
    Pin2,
    /// A drawer that is kicked by pin 5.
    Pin5,
    /// Nothing: the sense line reads high, and kicks move nothing.
    Empty,
}

/// Which display is on the pole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisplayKind {
    /// ESC/POS, on a port of its own.
    EscPos,
    /// CD5220, on a port of its own.
    Cd5220,
    /// ESC/POS, behind the printer.
    BehindPrinter,
    /// None.
    None,
}

/// A device on a real port instead of a virtual pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealPort {
    /// `printer`, `display` or `keypad`.
    pub device: String,
    /// The rig's end of the cable.
    pub path: PathBuf,
    /// The daemon's end, if known.
    pub other_end: Option<PathBuf>,
}

/// What to build. The default is a till in the United States with everything plugged in.
#[derive(Debug, Clone)]
pub struct BenchSpec {
    /// The folder; a temporary one when `None`.
    pub dir: Option<PathBuf>,
    /// ISO 4217 code.
    pub currency: String,
    /// IANA name.
    pub time_zone: String,
    /// `total` or `denominations`.
    pub entry: String,
    /// The drawer's switch.
    pub sense: SenseKind,
    /// Extra edges when the drawer opens.
    pub bounce: u8,
    /// Where the drawer hangs.
    pub connector: Connector,
    /// After this the daemon says that the drawer was left open; its own default when `None`.
    pub left_open_after: Option<String>,
    /// Where the printer differs from the book.
    pub quirks: Quirks,
    /// Font A columns of the printer: 32, 42 or 48.
    pub columns: u8,
    /// `digits` or `masked`.
    pub echo: String,
    /// How the printer is attached.
    pub wire: Wire,
    /// Speed of the printer's line.
    pub baud: u32,
    /// Whether bytes on virtual pairs take the time that they would take on a wire.
    pub paced: bool,
    /// The display.
    pub display: DisplayKind,
    /// A second slip when the answer arrives after the first.
    pub second_slip: bool,
    /// A second till with its own devices.
    pub second_till: bool,
    /// Tokens by client credentials instead of a fixed one.
    pub client_credentials: bool,
    /// Keys of `[timing]` with their values; a key given twice counts as the last one.
    pub timing: Vec<(String, String)>,
    /// Extra keys of `[shop]`, as texts.
    pub shop: Vec<(String, String)>,
    /// Extra keys of `[till.count]`, as they stand in the file.
    pub count: Vec<(String, String)>,
    /// Devices on real ports.
    pub ports: Vec<RealPort>,
    /// Where the Admin API listens; any free loopback port when `None`.
    pub api_listen: Option<SocketAddr>,
}

/// Waits that let a scenario end in seconds. Names as in `[timing]` of the daemon's configuration.
const SHORT: &[(&str, &str)] = &[
    ("quiet_period", "1s"),
    ("read_every", "200ms"),
    ("retry_first", "200ms"),
    ("retry_max", "1s"),
    ("request_timeout", "2s"),
    ("reopen_first", "50ms"),
    ("reopen_max", "250ms"),
    ("print_proof", "2s"),
    // A kick is answered as soon as it is proven; on a loaded machine that may take a while.
    ("kick_answer", "2s"),
    ("poll", "1s"),
    ("confirm_pause", "0ms"),
];

impl Default for BenchSpec {
    fn default() -> Self {
        Self {
            dir: None,
            currency: "USD".into(),
            time_zone: "America/New_York".into(),
            entry: "total".into(),
            sense: SenseKind::Low,
            bounce: 2,
            connector: Connector::Pin2,
            left_open_after: None,
            quirks: Quirks::default(),
            columns: 42,
            echo: "digits".into(),
            wire: Wire::Pair,
            baud: 115_200,
            paced: true,
            display: DisplayKind::EscPos,
            second_slip: true,
            second_till: false,
            client_credentials: false,
            timing: SHORT.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            shop: Vec::new(),
            count: Vec::new(),
            ports: Vec::new(),
            api_listen: None,
        }
    }
}

/// What `set` takes, for an error's text.
const OPTIONS: &str = "currency CODE, time zone NAME, entry total|denominations, sense low|high|none, bounce N, columns 32|42|48, pin 2|5, drawer none, left open after TIME, \
     echo digits|masked, printer pair|tcp, printer without asb|process id|answers, baud N, display escpos|cd5220|behind printer|none, second slip on|off, second till, \
     client credentials, timing KEY TIME, shop KEY VALUE, count KEY VALUE";

impl BenchSpec {
    /// Printers for 58 mm paper mostly have a tear bar only.
    #[must_use]
    pub const fn has_cutter(&self) -> bool {
        self.columns > 35
    }

    /// Takes one option as a scenario writes it after `till`.
    pub fn set(&mut self, option: &str) -> Result<(), String> {
        let words: Vec<&str> = option.split_whitespace().take_while(|w| !w.starts_with('#')).collect();
        match words.as_slice() {
            ["currency", code] => self.currency = (*code).to_owned(),
            ["time", "zone", zone] => self.time_zone = (*zone).to_owned(),
            ["entry", entry @ ("total" | "denominations")] => self.entry = (*entry).to_owned(),
            ["sense", "low"] => self.sense = SenseKind::Low,
            ["sense", "high"] => self.sense = SenseKind::High,
            ["sense", "none"] => self.sense = SenseKind::None,
            ["bounce", n] => self.bounce = number(n)?,
            ["pin", "2"] => self.connector = Connector::Pin2,
            ["pin", "5"] => self.connector = Connector::Pin5,
            ["drawer", "none"] => self.connector = Connector::Empty,
            ["left", "open", "after", time] => self.left_open_after = Some((*time).to_owned()),
            ["columns", n @ ("32" | "42" | "48")] => self.columns = number(n)?,
            ["echo", echo @ ("digits" | "masked")] => self.echo = (*echo).to_owned(),
            ["printer", "tcp"] => self.wire = Wire::Tcp,
            ["printer", "pair"] => self.wire = Wire::Pair,
            ["printer", "without", lacks @ ..] => quirk(&mut self.quirks, &lacks.join(" "))?,
            ["baud", n] => self.baud = number(n)?,
            ["display", "escpos"] => self.display = DisplayKind::EscPos,
            ["display", "cd5220"] => self.display = DisplayKind::Cd5220,
            ["display", "behind", "printer"] => self.display = DisplayKind::BehindPrinter,
            ["display", "none"] => self.display = DisplayKind::None,
            ["second", "slip", on @ ("on" | "off")] => self.second_slip = *on == "on",
            ["second", "till"] => self.second_till = true,
            ["client", "credentials"] => self.client_credentials = true,
            ["timing", key, value] => replace(&mut self.timing, key, value),
            ["shop", key, value] => replace(&mut self.shop, key, value),
            ["count", key, value] => replace(&mut self.count, key, value),
            _ => return Err(format!("`till {option}` is not an option; there are: {OPTIONS}")),
        }
        Ok(())
    }
}

/// Something that other printers can and this one cannot.
pub fn quirk(quirks: &mut Quirks, lacks: &str) -> Result<(), String> {
    match lacks {
        "asb" => quirks.no_asb = true,
        "process id" => quirks.no_process_id = true,
        "answers" => quirks.no_status = true,
        other => return Err(format!("a printer can be without asb, process id or answers, not without `{other}`")),
    }
    Ok(())
}

fn replace(list: &mut Vec<(String, String)>, key: &str, value: &str) {
    list.retain(|(k, _)| k != key);
    list.push((key.to_owned(), value.to_owned()));
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number that fits here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_one_by_one() {
        let mut spec = BenchSpec::default();
        for option in
            ["currency KWD", "sense none", "columns 32", "printer tcp", "timing quiet_period 3s # longer", "display cd5220"]
        {
            spec.set(option).unwrap();
        }
        assert_eq!((spec.currency.as_str(), spec.sense, spec.columns, spec.wire), ("KWD", SenseKind::None, 32, Wire::Tcp));
        assert_eq!(
            spec.timing.iter().filter(|(k, _)| k == "quiet_period").map(|(_, v)| v.as_str()).collect::<Vec<_>>(),
            ["3s"]
        );
        assert_eq!(spec.timing.len(), SHORT.len());
    }

    #[test]
    fn an_unknown_option_lists_the_known_ones() {
        let why = BenchSpec::default().set("colour red").unwrap_err();
        assert!(why.contains("`till colour red`") && why.contains("currency CODE"), "{why}");
        assert!(BenchSpec::default().set("columns 33").is_err());
        let why = BenchSpec::default().set("printer without paper").unwrap_err();
        assert!(why.contains("asb, process id or answers"), "{why}");
    }
}
