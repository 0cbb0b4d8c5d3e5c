//! The settings file from outside: what comes out of a right one, what is said of a wrong one, and that nothing panics.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly, like the tests")]

mod example;
mod mistakes;
mod noise;
mod settings;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use drawerbridge::config::{self, Problems, Settings};

/// A small till that is right; tests change one thing in it.
const FINE: &str = r#"[shop]
domain = "example.myshopify.com"
api_version = "2026-04"
currency = "USD"
time_zone = "America/New_York"
access_token_file = "access-token"

[journal]
path = "journal.db"

[api]
listen = "127.0.0.1:8765"
token_file = "api-token"

[[staff]]
name = "Robin"
number = "1042"
id = "gid://shopify/StaffMember/1"

[[staff]]
name = "Sam"
number = "2077"
id = "gid://shopify/StaffMember/2"

[[till]]
name = "front-1"
point_of_sale_device_id = "gid://shopify/PointOfSaleDevice/1"

[till.printer]
profile = "epson-tm-t88"
serial = { path = "/dev/ttyUSB0", baud = 38400, flow_control = "hardware" }

[till.drawer]
kick = "printer"
connector_pin = 2
open_when = "low"

[till.display]
profile = "epson-dm-d110"
serial = { path = "/dev/ttyUSB1", baud = 9600 }
echo = "digits"

[till.keypad]
evdev = "/dev/input/by-id/usb-pad-event-kbd"

[till.count]
entry = "total"
blind = true
max_age = "4h"
"#;

/// A folder with the secret that the sample names.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    secret(&folder.path().join("access-token"), 0o600);
    folder
}

fn secret(path: &Path, mode: u32) {
    fs::write(path, "shpat_0123\n").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn read(text: &str) -> Result<Settings, Problems> {
    let folder = folder();
    config::load_text("drawerbridge.toml", text, folder.path())
}

/// Changes one text in the sample.
fn with(from: &str, to: &str) -> String {
    assert!(FINE.contains(from), "the sample has no {from:?}");
    FINE.replacen(from, to, 1)
}
