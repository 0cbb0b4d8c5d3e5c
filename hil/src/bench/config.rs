//! The daemon's configuration for a bench, as text.
use std::{fmt::Write as _, net::SocketAddr, path::Path, path::PathBuf};

use super::spec::{BenchSpec, Connector, DisplayKind, SenseKind};

/// Stands where only a person knows the path: the daemon's end of a real cable.
pub const OTHER_END: &str = "/dev/ttyUSB-the-other-end-of-the-cable";

/// Where the daemon finds the printer.
pub(super) enum Place {
    Serial(PathBuf),
    Tcp(SocketAddr),
}

pub(super) struct TillFacts<'a> {
    pub(super) name: &'a str,
    pub(super) device: u64,
    pub(super) printer: Place,
    pub(super) display: PathBuf,
    pub(super) keypad: PathBuf,
}

pub(super) struct Facts<'a> {
    pub(super) spec: &'a BenchSpec,
    pub(super) dir: &'a Path,
    pub(super) endpoint: String,
    pub(super) tills: Vec<TillFacts<'a>>,
}

/// What the displays show when nothing happens.
pub const IDLE: [&str; 2] = ["RIG STORE", "WELCOME"];

/// Name, number and Shopify id of the rig's staff. Kim has a badge.
pub const STAFF: &[(&str, &str, u64)] = &[("Robin", "1042", 1), ("Sam", "2001", 2), ("Kim", "B7F3A", 3)];

/// The whole file.
pub(super) fn toml(facts: &Facts<'_>) -> String {
    let mut out =
        String::from("# Written by drawerbridge-hil for its simulated till. Nothing in it belongs to a real shop.\n");
    write_shop(&mut out, facts)
        .and_then(|()| facts.tills.iter().try_for_each(|till| write_till(&mut out, facts.spec, till)))
        .expect("writing to a String cannot fail");
    out
}

fn write_shop(out: &mut String, facts: &Facts<'_>) -> std::fmt::Result {
    let (spec, dir) = (facts.spec, facts.dir);
    writeln!(out, "[shop]\ndomain = \"rig.myshopify.com\"\nname = \"Rig Store\"\nendpoint = {}", text(&facts.endpoint))?;
    writeln!(out, "api_version = \"2026-04\"\ncurrency = {}\ntime_zone = {}", text(&spec.currency), text(&spec.time_zone))?;
    for (key, value) in &spec.shop {
        writeln!(out, "{key} = {}", text(value))?;
    }
    if spec.client_credentials {
        writeln!(out, "\n[shop.client_credentials]\nclient_id = {}", text(super::CLIENT.0))?;
        writeln!(out, "client_secret_file = {}", path(&dir.join("client-secret")))?;
    } else {
        writeln!(out, "access_token_file = {}", path(&dir.join("access-token")))?;
    }
    writeln!(out, "\n[journal]\npath = {}", path(&dir.join("journal.db")))?;
    writeln!(out, "\n[api]\nlisten = \"127.0.0.1:0\"\ntoken_file = {}", path(&dir.join("api-token")))?;
    writeln!(out, "\n# A rig does not wait as a shop does.\n[timing]")?;
    for (key, value) in &spec.timing {
        writeln!(out, "{key} = {}", text(value))?;
    }
    for (name, number, id) in STAFF {
        writeln!(out, "\n[[staff]]\nname = {}\nnumber = {}", text(name), text(number))?;
        writeln!(out, "id = \"gid://shopify/StaffMember/{id}\"")?;
    }
    Ok(())
}

fn write_till(out: &mut String, spec: &BenchSpec, till: &TillFacts<'_>) -> std::fmt::Result {
    writeln!(out, "\n[[till]]\nname = {}", text(till.name))?;
    writeln!(out, "point_of_sale_device_id = \"gid://shopify/PointOfSaleDevice/{}\"", till.device)?;
    let profile = match spec.columns {
        0..=35 => "generic-58mm",
        36..=45 => "epson-tm-t88",
        46..=u8::MAX => "generic-80mm",
    };
    writeln!(out, "\n[till.printer]\nprofile = \"{profile}\"")?;
    match &till.printer {
        Place::Tcp(addr) => writeln!(out, "tcp = \"{addr}\"")?,
        Place::Serial(port) => {
            writeln!(out, "serial = {{ path = {}, baud = {}, flow_control = \"none\" }}", path(port), spec.baud)?;
        }
    }
    let open_when = match spec.sense {
        SenseKind::Low => "low",
        SenseKind::High => "high",
        SenseKind::None => "no_sensor",
    };
    let pin = match spec.connector {
        Connector::Pin2 | Connector::Empty => 2,
        Connector::Pin5 => 5,
    };
    writeln!(out, "\n[till.drawer]\nkick = \"printer\"\nconnector_pin = {pin}\nopen_when = \"{open_when}\"")?;
    if let Some(time) = &spec.left_open_after {
        writeln!(out, "left_open_after = {}", text(time))?;
    }
    let serial = |port: &Path| format!("serial = {{ path = {}, baud = 9600 }}", path(port));
    let display = match spec.display {
        DisplayKind::EscPos => Some(("epson-dm-d110", serial(&till.display))),
        DisplayKind::Cd5220 => Some(("partner-cd5220", serial(&till.display))),
        DisplayKind::BehindPrinter => Some(("epson-dm-d110", "via = \"printer\"".to_owned())),
        DisplayKind::None => None,
    };
    if let Some((profile, port)) = display {
        writeln!(out, "\n[till.display]\nprofile = \"{profile}\"\n{port}\necho = {}", text(&spec.echo))?;
        writeln!(out, "idle = [{}, {}]", text(IDLE[0]), text(IDLE[1]))?;
    }
    writeln!(out, "\n[till.keypad]\nprofile = \"serial-keypad\"\n{}", serial(&till.keypad))?;
    writeln!(out, "\n[till.count]\nentry = {}\nsecond_slip = {}", text(&spec.entry), spec.second_slip)?;
    for (key, value) in &spec.count {
        writeln!(out, "{key} = {value}")?;
    }
    Ok(())
}

/// A TOML basic string.
fn text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn path(path: &Path) -> String {
    text(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(spec: &BenchSpec, printer: Place) -> String {
        let till =
            TillFacts { name: "front-1", device: 1, printer, display: "/r/display".into(), keypad: "/r/keypad".into() };
        toml(&Facts { spec, dir: Path::new("/r"), endpoint: "http://127.0.0.1:4000".into(), tills: vec![till] })
    }

    #[test]
    fn the_file_says_where_everything_is() {
        let file = file(&BenchSpec::default(), Place::Serial("/r/printer".into()));
        for line in [
            "endpoint = \"http://127.0.0.1:4000\"",
            "access_token_file = \"/r/access-token\"",
            "path = \"/r/journal.db\"",
            "serial = { path = \"/r/printer\", baud = 115200, flow_control = \"none\" }",
            "open_when = \"low\"",
            "number = \"B7F3A\"",
            "quiet_period = \"1s\"",
        ] {
            assert!(file.lines().any(|l| l == line), "{line}\n{file}");
        }
    }

    #[test]
    fn options_of_a_scenario_reach_the_file() {
        let mut spec = BenchSpec::default();
        for option in [
            "sense none",
            "columns 32",
            "printer tcp",
            "client credentials",
            "display behind printer",
            "count blind false",
            "shop on_foreign_session record_count",
            "pin 5",
            "left open after 2s",
        ] {
            spec.set(option).unwrap();
        }
        let file = file(&spec, Place::Tcp(([127, 0, 0, 1], 9100).into()));
        for line in [
            "open_when = \"no_sensor\"",
            "profile = \"generic-58mm\"",
            "tcp = \"127.0.0.1:9100\"",
            "client_secret_file = \"/r/client-secret\"",
            "via = \"printer\"",
            "blind = false",
            "on_foreign_session = \"record_count\"",
            "connector_pin = 5",
            "left_open_after = \"2s\"",
        ] {
            assert!(file.lines().any(|l| l == line), "{line}\n{file}");
        }
        assert!(!file.contains("access_token_file"));
    }

    #[test]
    fn odd_paths_stay_one_text() {
        assert_eq!(text("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000A\"");
    }
}
