//! What comes out of a right file.
use std::{fs, time::Duration};

use drawerbridge::{
    config::{self, Echo, EntryMode, Flow, Pin, Port, Sense, Timing, TokenSource},
    device::profile::{CodePage, DisplayDialect},
    opening::{OnForeign, SharedDrawer},
};

use crate::{FINE, folder, read, with};

#[test]
fn the_sample_says_what_it_says() {
    let folder = folder();
    let settings = config::load_text("f", FINE, folder.path()).unwrap();
    assert_eq!(settings.shop.domain, "example.myshopify.com");
    assert_eq!(settings.shop.name, "example.myshopify.com");
    assert_eq!(settings.shop.endpoint, "https://example.myshopify.com");
    assert_eq!(settings.shop.currency.code(), "USD");
    assert_eq!(settings.shop.time_zone.iana_name(), Some("America/New_York"));
    // Relative paths start from the file's folder.
    assert_eq!(settings.journal, folder.path().join("journal.db"));
    assert!(matches!(&settings.shop.token, TokenSource::File(path) if *path == folder.path().join("access-token")));
    assert_eq!(settings.api.listen.to_string(), "127.0.0.1:8765");
    assert_eq!(settings.staff.len(), 2);
    assert_eq!(settings.timing, Timing::default());

    let till = &settings.tills[0];
    let printer = till.printer.as_ref().unwrap();
    assert_eq!(printer.port, Port::Serial { path: "/dev/ttyUSB0".into(), baud: 38_400, flow: Flow::Hardware });
    assert_eq!((printer.profile.pulse_on, printer.profile.pulse_off), (0x32, 0xFA));
    assert!(!printer.profile.pass_through);
    let drawer = till.drawer.unwrap();
    assert_eq!((drawer.pin, drawer.sense), (Pin::Two, Sense::LowIsOpen));
    assert_eq!(drawer.left_open_after, Duration::from_secs(300));
    let display = till.display.as_ref().unwrap();
    assert_eq!((display.echo, display.profile.dialect), (Echo::Digits, DisplayDialect::EscPos));
    assert_eq!(till.keypads.len(), 1);
    assert_eq!(till.keypads[0].port, Port::Evdev("/dev/input/by-id/usb-pad-event-kbd".into()));
    assert_eq!((till.count.entry, till.count.entry_exponent), (EntryMode::Total, 2));
    assert!(till.count.blind && till.count.second_slip);
}

#[test]
fn what_is_not_written_has_a_default() {
    let start = FINE.find("[till.printer]").unwrap();
    let devices = "[till.printer]\nprofile = \"generic-58mm\"\ntcp = \"printer.lan:9100\"\n\
        [till.drawer]\n[till.display]\nprofile = \"partner-cd5220\"\nvia = \"printer\"\n\
        [[till.keypad]]\nserial = { path = \"/dev/ttyUSB2\" }\n[[till.keypad]]\nevdev = \"/dev/input/event3\"\n";
    let api = FINE.find("[api]").unwrap()..FINE.find("[[staff]]").unwrap();
    let text = format!("{}{devices}", &FINE[..start]).replace(&FINE[api], "");
    let settings = read(&text.replace("api_version = \"2026-04\"\n", "name = \"Corner Shop\"\n")).unwrap();
    assert_eq!(settings.shop.api_version, "2026-04");
    assert_eq!(settings.shop.name, "Corner Shop");
    assert_eq!(settings.api.listen.to_string(), "127.0.0.1:8765");
    assert_eq!(settings.api.token_file, settings.journal.with_file_name("api-token"));
    let till = &settings.tills[0];
    let printer = till.printer.as_ref().unwrap();
    assert_eq!(printer.port, Port::Tcp("printer.lan:9100".to_owned()));
    assert_eq!((printer.profile.columns, printer.profile.code_page), (32, CodePage::Pc437));
    // The display shares the line: the printer has to be selected before anything is meant for it.
    assert!(printer.profile.pass_through);
    assert_eq!(till.drawer.unwrap().pin, Pin::Two);
    let display = till.display.as_ref().unwrap();
    assert_eq!((display.echo, &display.port), (Echo::Masked, &Port::ViaPrinter));
    assert_eq!(display.idle, ["WELCOME".to_owned(), String::new()]);
    let ports: Vec<_> = till.keypads.iter().map(|keypad| keypad.port.clone()).collect();
    let serial = Port::Serial { path: "/dev/ttyUSB2".into(), baud: 9600, flow: Flow::None };
    assert_eq!(ports, [serial, Port::Evdev("/dev/input/event3".into())]);
    assert_eq!(till.count.max_age, Duration::from_secs(4 * 3600));
    assert_eq!((till.count.idle_timeout, till.count.count_timeout), (Duration::from_secs(120), Duration::from_secs(600)));
    assert_eq!((till.count.denominations.len(), till.count.expected_float), (10, None));
}

#[test]
fn a_till_may_have_no_device_at_all() {
    let start = FINE.find("[till.printer]").unwrap();
    let till = &read(&FINE[..start]).unwrap().tills[0];
    assert!(till.printer.is_none() && till.drawer.is_none() && till.display.is_none() && till.keypads.is_empty());
}

#[test]
fn what_the_shop_wants_of_shared_drawers_open_registers_and_the_business_day() {
    let shop = read(FINE).unwrap().shop;
    assert_eq!((shop.shared_drawer, shop.on_foreign_session), (SharedDrawer::Warn, OnForeign::Ask));
    assert_eq!(shop.business_day_starts, jiff::civil::time(4, 0, 0, 0));
    let more = "shared_drawer = \"deny\"\non_foreign_session = \"record_count\"\nbusiness_day_starts = \"06:30\"\ndomain";
    let shop = read(&with("domain", more)).unwrap().shop;
    assert_eq!((shop.shared_drawer, shop.on_foreign_session), (SharedDrawer::Deny, OnForeign::RecordCount));
    assert_eq!(shop.business_day_starts, jiff::civil::time(6, 30, 0, 0));
}

#[test]
fn a_missing_baud_is_the_profiles() {
    let settings = read(&with("baud = 38400, ", "")).unwrap();
    let printer = settings.tills[0].printer.as_ref().unwrap();
    assert_eq!(printer.port, Port::Serial { path: "/dev/ttyUSB0".into(), baud: 38_400, flow: Flow::Hardware });
}

#[test]
fn a_till_can_override_what_its_profile_says() {
    let text = with("profile = \"epson-tm-t88\"", "profile = \"epson-tm-t88\"\ncolumns = 48")
        .replace("connector_pin = 2", "connector_pin = 5\npulse_on_ms = 120\nleft_open_after = \"90s\"")
        .replace("\"low\"", "\"no_sensor\"");
    let till = &read(&text).unwrap().tills[0];
    let facts = &till.printer.as_ref().unwrap().profile;
    assert_eq!((facts.columns, facts.pulse_on, facts.pulse_off), (48, 60, 240));
    let drawer = till.drawer.unwrap();
    assert_eq!((drawer.pin, drawer.sense, drawer.left_open_after), (Pin::Five, Sense::NoSensor, Duration::from_secs(90)));
}

#[test]
fn a_rig_is_a_loopback_endpoint_with_short_waits() {
    let text = with("domain", "endpoint = \"http://127.0.0.1:41234/\"\ndomain").replace(
        "[api]",
        "[timing]\nquiet_period = \"300ms\"\nread_every = \"50ms\"\nretry_first = \"20ms\"\nretry_max = \"200ms\"\n\
         request_timeout = \"1s\"\nreopen_first = \"50ms\"\nreopen_max = \"200ms\"\nprint_proof = \"1s\"\n\
         kick_answer = \"500ms\"\necho_first = \"2s\"\necho_second = \"4s\"\npoll = \"1s\"\nconfirm_pause = \"0ms\"\n[api]",
    );
    let settings = read(&text.replace("example.myshopify.com", "rig.example")).unwrap();
    assert_eq!(settings.shop.endpoint, "http://127.0.0.1:41234");
    let ms = Duration::from_millis;
    assert_eq!(
        settings.timing,
        Timing {
            quiet_period: ms(300),
            read_every: ms(50),
            retry_first: ms(20),
            retry_max: ms(200),
            request_timeout: ms(1000),
            reopen_first: ms(50),
            reopen_max: ms(200),
            print_proof: ms(1000),
            kick_answer: ms(500),
            echo_first: ms(2000),
            echo_second: ms(4000),
            poll: ms(1000),
            confirm_pause: ms(0),
        }
    );
    for endpoint in ["http://[::1]:8080", "https://127.0.0.1:8443", "http://127.0.0.1"] {
        assert_eq!(read(&with("domain", &format!("endpoint = {endpoint:?}\ndomain"))).unwrap().shop.endpoint, endpoint);
    }
}

#[test]
fn typed_digits_imply_what_the_currency_is_counted_in() {
    for (code, exponent) in [("USD", 2), ("JPY", 0), ("KWD", 3), ("SEK", 0)] {
        assert_eq!(read(&with("USD", code)).unwrap().tills[0].count.entry_exponent, exponent, "{code}");
    }
    let text = with("USD", "SEK").replace("max_age", "entry_exponent = 2\nmax_age");
    assert_eq!(read(&text).unwrap().tills[0].count.entry_exponent, 2);
}

#[test]
fn profiles_come_from_a_folder_first() {
    let folder = folder();
    let own = folder.path().join("devices/counter-printer");
    fs::create_dir_all(&own).unwrap();
    let facts = include_str!("../../devices/generic-80mm/profile.toml").replace("columns = 42", "columns = 44");
    fs::write(own.join("profile.toml"), facts).unwrap();
    let text = with("[api]", "[devices]\nprofiles = \"devices\"\n[api]").replace("epson-tm-t88", "counter-printer");
    let settings = config::load_text("f", &text, folder.path()).unwrap();
    assert_eq!(settings.tills[0].printer.as_ref().unwrap().profile.columns, 44);
}

#[test]
fn settings_hold_no_secret() {
    assert!(!format!("{:?}", read(FINE).unwrap()).contains("shpat"));
}
