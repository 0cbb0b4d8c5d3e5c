//! Every mistake: where it is pointed at, what is said of it, and what to do.
use std::{fs, os::unix::fs::symlink};

use drawerbridge::config;

use crate::{FINE, folder, read, secret, with};

/// What is changed in the sample, and the one problem: its place, a part of what is said, a part of the remedy.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

fn each(cases: &[Case]) {
    for (from, to, place, what, remedy) in cases {
        let problems = read(&with(from, to)).expect_err(to);
        let all: Vec<_> = problems.iter().collect();
        assert_eq!(all.len(), 1, "{to}:\n{problems}");
        assert_eq!(format!("{}:{}", all[0].line, all[0].column), *place, "{to}:\n{problems}");
        assert!(all[0].what.contains(what), "{to}:\n{problems}\nwanted: {what}");
        assert!(all[0].remedy.contains(remedy), "{to}:\n{problems}\nwanted: {remedy}");
    }
}

#[test]
fn a_mistake_is_one_line_with_its_place_and_its_remedy() {
    let problems = read(&with("baud = 38400", "baudrate = 38400")).unwrap_err();
    assert_eq!(problems.to_string(), "drawerbridge.toml:31:35: unknown key \"baudrate\". Did you mean \"baud\"?");
}

#[test]
fn all_mistakes_are_named_at_once_in_the_order_of_the_file() {
    let text = with("\"USD\"", "\"usd\"").replace("1042", "10 42").replace("max_age", "maxage");
    let places: Vec<_> = read(&text).unwrap_err().iter().map(|problem| (problem.line, problem.column)).collect();
    assert_eq!(places, [(4, 12), (17, 10), (49, 1)]);
}

#[test]
fn mistakes_can_be_read_by_programs() {
    let problems = read(&with("connector_pin = 2", "connector_pin = 3")).unwrap_err();
    let json = serde_json::to_value(&problems).unwrap();
    assert_eq!(json[0]["file"], "drawerbridge.toml");
    assert_eq!((json[0]["line"].as_u64(), json[0]["column"].as_u64()), (Some(35), Some(17)));
    assert!(json[0]["what"].is_string() && json[0]["remedy"].is_string());
}

#[test]
fn keys_and_tables() {
    each(&[
        ("open_when", "polarity", "36:1", "unknown key \"polarity\"", "known here: kick"),
        ("[till.count]", "[till.counts]", "46:7", "unknown key \"counts\"", "did you mean \"count\"?"),
        ("[api]", "[apis]", "11:2", "unknown key \"apis\"", "did you mean \"api\"?"),
        ("serial = { path = \"/dev/ttyUSB1\", baud = 9600 }", "serial = 5", "40:10", "wants a table", "serial = { … }"),
        ("blind = true", "blind = \"yes\"", "48:9", "wants true or false", "blind = true"),
        ("baud = 38400", "baud = \"38400\"", "31:42", "wants a whole number", "without quotes"),
        ("echo = \"digits\"", "echo = true", "41:8", "wants a text, and this is true", "echo = \"masked\""),
        ("\"2077\"", "2077", "22:10", "wants a text, and this is the number 2077", "number = \"2077\""),
        ("\"Sam\"", "\"\"", "21:8", "is empty", "write name"),
        ("\"Sam\"", "\"S\\u0007am\"", "21:8", "control character 0007", "remove it"),
        ("name = \"front-1\"", "name = \"front 1\"", "26:8", "cannot name a till", "front-1"),
        ("name = \"Robin\"\n", "", "15:1", "[[staff]] has no `name`", "add name = \"Robin\""),
        ("profile = \"epson-tm-t88\"\n", "", "29:1", "[till.printer] has no `profile`", "generic-80mm"),
    ]);
    let long = format!("name = \"{}\"", "x".repeat(65));
    assert!(read(&with("name = \"Sam\"", &long)).unwrap_err().to_string().contains("65 characters"));
}

#[test]
fn text_that_is_not_toml() {
    each(&[
        ("[api]", "[api", "11:5", "not TOML", "key = value"),
        ("\"front-1\"", "front-1", "26:8", "not TOML", "texts in double quotes"),
        ("\"front-1\"", "\"front-1", "26:16", "not TOML", "between double quotes"),
        ("\"2026-04\"", "2026-04", "3:15", "not TOML", "texts in double quotes: api_version = \"2026-04\""),
        ("name = \"front-1\"", "name = \"a\"\nname = \"b\"", "27:1", "duplicate key", "keep one of the two lines"),
    ]);
}

#[test]
fn ids_of_shopify() {
    const ID: &str = "\"gid://shopify/PointOfSaleDevice/1\"";
    const WRITE: &str = "write point_of_sale_device_id = \"gid://shopify/PointOfSaleDevice/1\"";
    each(&[
        (ID, "1", "27:27", "the bare number 1", WRITE),
        (ID, "\"1\"", "27:27", "the bare number 1", WRITE),
        (
            ID,
            "\"gid://shopify/StaffMember/1\"",
            "27:27",
            "the id of a StaffMember, and a PointOfSaleDevice",
            "PointOfSaleDevice",
        ),
        (ID, "\"gid://shopify/PointOfSaleDevice/x\"", "27:27", "not a Shopify id", "write the whole id"),
        (ID, "\"gid://shopify/PointOfSaleDevice/1?a=b\"", "27:27", "not a Shopify id", "write the whole id"),
        (ID, "true", "27:27", "wants a text", "gid://shopify/PointOfSaleDevice/123"),
        ("StaffMember/2", "Location/2", "23:6", "the id of a Location, and a StaffMember", "StaffMember"),
        ("name = \"front-1\"", "name = \"front-1\"\nreason_code_id = 7", "27:18", "the bare number 7", "ReasonCode/7"),
    ]);
}

#[test]
fn nothing_is_used_twice() {
    each(&[
        ("ttyUSB1", "ttyUSB0", "40:19", "the device \"/dev/ttyUSB0\" is used twice: first in line 31", "a port of its own"),
        ("/dev/ttyUSB1", "/dev//./ttyUSB0", "40:19", "used twice: first in line 31", "a port of its own"),
        ("2077", "1042", "22:10", "the staff number \"1042\" is used twice: first in line 17", "a number of their own"),
        ("StaffMember/2", "StaffMember/1", "23:6", "used twice: first in line 18", "listed once"),
        ("\"api-token\"", "\"access-token\"", "13:14", "used twice: first in line 6", "a file of its own"),
        ("\"api-token\"", "\"journal.db\"", "13:14", "used twice: first in line 9", "a file of its own"),
    ]);
    let second = |name: &str, id: u8, tcp: &str| {
        format!(
            "{}\n[[till]]\nname = \"{name}\"\npoint_of_sale_device_id = \"gid://shopify/PointOfSaleDevice/{id}\"\n\
             [till.printer]\nprofile = \"generic-80mm\"\ntcp = \"{tcp}\"\n",
            with(
                "serial = { path = \"/dev/ttyUSB0\", baud = 38400, flow_control = \"hardware\" }",
                "tcp = \"localhost:9100\""
            )
        )
    };
    assert!(read(&second("front-2", 2, "localhost:9101")).is_ok());
    for (text, what) in [
        (second("front-1", 2, "a:9100"), "the till \"front-1\" is used twice: first in line 26"),
        (second("front-2", 1, "a:9100"), "the point of sale device \"gid://shopify/PointOfSaleDevice/1\" is used twice"),
        (second("front-2", 2, "127.0.0.1:9100"), "the device at \"127.0.0.1:9100\" is used twice: first in line 31"),
    ] {
        let problems = read(&text).unwrap_err().to_string();
        assert!(problems.contains(what) && problems.lines().count() == 1, "{problems}");
    }
}

#[test]
fn two_names_of_one_port_are_one_port() {
    let folder = folder();
    fs::write(folder.path().join("ttyUSB9"), "").unwrap();
    symlink(folder.path().join("ttyUSB9"), folder.path().join("by-id-display")).unwrap();
    let port = |name| folder.path().join(name).display().to_string();
    let text = with("/dev/ttyUSB0", &port("ttyUSB9")).replace("/dev/ttyUSB1", &port("by-id-display"));
    let problems = config::load_text("f", &text, folder.path()).unwrap_err().to_string();
    assert!(problems.contains("by-id-display\" is used twice: first in line 31"), "{problems}");
}

#[test]
fn the_shop() {
    const DOMAIN: &str = "domain = \"example.myshopify.com\"";
    each(&[
        ("USD", "usd", "4:12", "\"usd\" is not a currency", "did you mean \"USD\"?"),
        ("USD", "XAU", "4:12", "\"XAU\" is not a currency", "ISO 4217"),
        ("USD", "dollars", "4:12", "not a currency", "three capital letters"),
        ("America/New_York", "America/NewYork", "5:13", "not known on this computer", "did you mean \"America/New_York\"?"),
        ("America/New_York", "Mars/Olympus", "5:13", "not known on this computer", "America/New_York"),
        ("2026-04", "2026-07", "3:15", "checked against 2026-04 only", "api_version = \"2026-04\""),
        ("2026-04", "2026-4", "3:15", "not a version of the Admin API", "api_version = \"2026-04\""),
        ("2026-04", "unstable", "3:15", "not a version of the Admin API", "api_version = \"2026-04\""),
        (DOMAIN, "domain = \"https://example.myshopify.com/\"", "2:10", "not a host name", "only the name"),
        (DOMAIN, "shared_drawer = \"never\"\ndomain = \"example.myshopify.com\"", "2:17", "\"never\"", "warn, deny, allow"),
        (
            DOMAIN,
            "business_day_starts = \"4 am\"\ndomain = \"example.myshopify.com\"",
            "2:23",
            "no time of day",
            "\"04:00\"",
        ),
        (DOMAIN, "domain = \"shop.example.com\"", "2:10", "below myshopify.com", "example.myshopify.com"),
        (DOMAIN, "domain = \"example.myshopify.com.evil.example\"", "2:10", "below myshopify.com", "example.myshopify.com"),
    ]);
    for endpoint in [
        "http://example.com",
        "https://example.com",
        "http://localhost:8080",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://127.0.0.1:8080/admin",
        "ftp://127.0.0.1",
        "127.0.0.1:8080",
    ] {
        let problems = read(&with("domain", &format!("endpoint = {endpoint:?}\ndomain"))).unwrap_err();
        assert!(problems.to_string().starts_with("drawerbridge.toml:2:12: `endpoint`"), "{problems}");
        assert!(problems.to_string().contains("for a rig write http://127.0.0.1:PORT"), "{problems}");
    }
}

#[test]
fn the_local_api_is_local() {
    const LISTEN: &str = "\"127.0.0.1:8765\"";
    each(&[
        (LISTEN, "\"0.0.0.0:8765\"", "12:10", "other computers can reach", "listen = \"127.0.0.1:8765\""),
        (LISTEN, "\"192.168.1.2:80\"", "12:10", "other computers can reach", "listen = \"127.0.0.1:80\""),
        (LISTEN, "\"[::]:8765\"", "12:10", "other computers can reach", "listen = \"127.0.0.1:8765\""),
        (LISTEN, "\"localhost:8765\"", "12:10", "not an address with a port", "listen = \"127.0.0.1:8765\""),
        (LISTEN, "8765", "12:10", "wants a text", "put it between quotes"),
    ]);
    for origin in
        ["*", "https://a.example/", "https://A.example", "a.example", "null", "https://", "file://x", "https://a b"]
    {
        let text = with("listen", &format!("allowed_origins = [\"https://fine.example:8443\", {origin:?}]\nlisten"));
        let problems = read(&text).unwrap_err();
        assert!(problems.to_string().contains("is not an origin of web pages"), "{origin}: {problems}");
        assert_eq!(problems.iter().count(), 1);
    }
}

#[test]
fn secrets() {
    let folder = folder();
    let file = folder.path().join("f");
    fs::write(&file, FINE).unwrap();
    let shown = file.display();
    let token = folder.path().join("access-token");
    let load = || config::load_for_run(&file);
    assert!(load().is_ok());
    for mode in [0o640, 0o604, 0o644] {
        secret(&token, mode);
        let problems = load().unwrap_err().to_string();
        let start = format!(
            "{shown}:6:21: the secret file {} is open to other users (mode {mode:04o}). Run `chmod 600",
            token.display()
        );
        assert!(problems.starts_with(&start), "{problems}");
    }
    fs::remove_file(&token).unwrap();
    assert!(load().unwrap_err().to_string().contains("does not exist. Put the secret into it"));
    assert!(config::load_for_check(&file).unwrap_err().to_string().contains("does not exist"));
    fs::create_dir(&token).unwrap();
    assert!(load().unwrap_err().to_string().contains("is not a file"));
    fs::remove_dir(&token).unwrap();
    secret(&token, 0o600);

    // The API's own token may be missing: it is made at the first start. What is there must be a secret.
    let api_token = folder.path().join("api-token");
    secret(&api_token, 0o600);
    assert!(load().is_ok());
    secret(&api_token, 0o644);
    assert!(load().unwrap_err().to_string().starts_with(&format!("{shown}:13:14: the secret file")));
    fs::remove_file(&api_token).unwrap();
    fs::write(&api_token, "").unwrap();
    fs::set_permissions(&api_token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(load().unwrap_err().to_string().contains("is empty. Remove it"));
}

#[test]
fn who_only_asks_needs_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, with("\"access-token\"", "\"/run/credentials/none.service/access-token\"")).unwrap();
    assert!(config::load(&file).is_ok(), "status, kick and journal list work while the service is stopped");
    let problems = config::load_for_run(&file).unwrap_err().to_string();
    assert!(problems.contains(":6:21: the secret file") && problems.contains("Add LoadCredential="), "{problems}");
    let (_, remarks) = config::load_for_check(&file).unwrap();
    assert_eq!((remarks.len(), remarks[0].line, remarks[0].column), (1, 6, 21));
    assert!(remarks[0].what.contains("does not exist") && remarks[0].remedy.contains("when the service starts"));
}

#[test]
fn mistakes_of_the_text_and_of_the_disk_come_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, with("\"journal.db\"", "\"no/such/journal.db\"").replace("USD", "usd")).unwrap();
    let problems = config::load_for_run(&file).unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| (problem.line, problem.column)).collect();
    assert_eq!(places, [(4, 12), (6, 21), (9, 8)], "{problems}");
    let folder = folder.path().canonicalize().unwrap();
    let text = problems.to_string();
    assert!(text.contains(&format!("Make it with `mkdir -p {}/no/such`", folder.display())), "{text}");
}

#[test]
fn the_journal_is_a_file_in_a_folder() {
    let folder = folder();
    let file = folder.path().join("f");
    fs::create_dir(folder.path().join("data")).unwrap();
    for (path, what) in [("data", "data is a folder. Name the file in it"), ("access-token/journal.db", "is not a folder")] {
        fs::write(&file, with("\"journal.db\"", &format!("{path:?}"))).unwrap();
        let problems = config::load_for_run(&file).unwrap_err().to_string();
        assert!(problems.contains(what) && problems.lines().count() == 1, "{problems}");
    }
}

#[test]
fn a_list_that_is_cut_says_so() {
    let problems = read(&format!("{FINE}{}", (0..60).map(|n| format!("k{n} = 1\n")).collect::<String>())).unwrap_err();
    let last = problems.iter().last().unwrap();
    assert_eq!((problems.iter().count(), last.what.as_str(), last.line), (51, "… and 10 more", 100));
    let endless = read(&format!("{FINE}{}", (0..2000).map(|n| format!("k{n} = 1\n")).collect::<String>())).unwrap_err();
    assert_eq!(endless.iter().last().unwrap().what, "… and at least 950 more");
}

#[test]
fn a_secret_is_not_where_the_daemon_writes() {
    for name in ["journal.db.lock", "journal.db.addr", "journal.db-wal", "journal.db-shm"] {
        let problems = read(&with("\"access-token\"", &format!("{name:?}"))).unwrap_err();
        let all: Vec<_> = problems.iter().collect();
        assert_eq!((all.len(), all[0].line), (1, 9), "{problems}");
        assert!(all[0].what.contains("is used twice: first in line 6"), "{problems}");
    }
    let without_token = with("token_file = \"api-token\"\n", "").replacen("\"access-token\"", "\"api-token\"", 1);
    let api = FINE.find("[api]").unwrap()..FINE.find("[[staff]]").unwrap();
    let without_api = with(&FINE[api], "").replacen("\"access-token\"", "\"api-token\"", 1);
    for text in [without_token, without_api] {
        let problems = read(&text).unwrap_err().to_string();
        assert!(problems.contains("api-token\" is used twice: first in line 6"), "{problems}");
    }
}

#[test]
fn a_staff_number_can_be_typed_or_scanned() {
    for (number, what) in [("A7X", "neither typed nor scanned"), ("B", "neither typed nor scanned"), ("10-42", "cannot be")]
    {
        let problems = read(&with("2077", number)).unwrap_err().to_string();
        assert!(problems.starts_with("drawerbridge.toml:22:10: ") && problems.contains(what), "{problems}");
    }
    let problems = read(&with("2077", "A7X")).unwrap_err().to_string();
    assert!(problems.contains("A badge has 4 to 32 characters; a typed number only digits"), "{problems}");
    for number in ["7", "007", "A7XQ", "B7F3A", &"1".repeat(32)] {
        assert!(read(&with("2077", number)).is_ok(), "{number}");
    }
}

#[test]
fn coins_that_nobody_knows_are_not_asked_for() {
    let text = with("USD", "KWD").replace("\"total\"", "\"denominations\"");
    let problems = read(&text).unwrap_err().to_string();
    assert!(problems.starts_with("drawerbridge.toml:47:9: the coins and notes of KWD are not known here"), "{problems}");
    assert!(problems.contains("Write entry = \"total\", or list them: denominations = ["), "{problems}");
    let listed = text.replace("max_age", "denominations = [\"0.250\", \"20\", \"5.000\"]\nmax_age");
    let count = read(&listed).unwrap().tills[0].count.clone();
    let shown: Vec<_> = count.denominations.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["20.000", "5.000", "0.250"]);
}

#[test]
fn a_rig_waits_as_little_as_it_likes() {
    let text = with("domain", "endpoint = \"http://127.0.0.1:41234\"\ndomain")
        .replace("[api]", "[timing]\nrequest_timeout = \"10ms\"\n[api]")
        .replace("max_age", "idle_timeout = \"1s\"\ncount_timeout = \"2s\"\nmax_age");
    assert!(read(&text).is_ok());
}

#[test]
fn one_way_to_a_token() {
    const FILE: &str = "access_token_file = \"access-token\"\n";
    const APP: &str = "\n[shop.client_credentials]\nclient_id = \"abc\"\nclient_secret_file = \"access-token\"\n";
    let both = format!("{FILE}{}", APP.replace("access-token", "client-secret"));
    let problems = read(&with(FILE, &both)).unwrap_err().to_string();
    assert!(problems.contains("has both `access_token_file` and [shop.client_credentials]"), "{problems}");
    assert!(read(&with(FILE, APP)).is_ok());
    let problems = read(&with(FILE, "")).unwrap_err().to_string();
    assert!(problems.contains("Add access_token_file = "), "{problems}");
    let problems = read(&with(FILE, &APP.replace("\"abc\"", "\"a b\""))).unwrap_err().to_string();
    assert!(problems.contains("`client_id` is not an app's id"), "{problems}");
    let problems = read(&with(FILE, "\n[shop.client_credentials]\nclient_id = \"abc\"\n")).unwrap_err().to_string();
    assert!(problems.contains("[shop.client_credentials] has no `client_secret_file`"), "{problems}");
}

#[test]
fn devices() {
    const DISPLAY: &str = "serial = { path = \"/dev/ttyUSB1\", baud = 9600 }";
    const NOT_YET: &str = "not in this version";
    each(&[
        ("38400", "38401", "31:42", "`baud` is 38401", "write one of 1200, 2400"),
        ("38400", "0", "31:42", "outside 1200 to 230400", "whole number"),
        ("hardware", "hardwar", "31:64", "\"hardwar\", which is not known here", "did you mean \"hardware\"?"),
        (
            "epson-tm-t88",
            "epson-tm88",
            "30:11",
            "no profile is called",
            "did you mean \"epson-tm-t88\"? Known here: epson-tm-t88, generic",
        ),
        ("epson-tm-t88", "epson-dm-d110", "30:11", "that of a pole display, and a printer is wanted", "generic-80mm"),
        ("epson-dm-d110", "usb-number-pad", "39:11", "that of a keypad, and a pole display is wanted", "partner-cd5220"),
        (DISPLAY, "usb = { vid = 1 }", "40:7", NOT_YET, "use `serial` or `tcp`"),
        (DISPLAY, "hid = { vid = 1 }", "40:7", NOT_YET, "use `serial` or `tcp`"),
        (DISPLAY, "serial = \"/dev/ttyUSB1\"", "40:10", "a table is wanted", "serial = { path = \"/dev/ttyUSB1\" }"),
        (DISPLAY, "serial = {}", "40:10", "has no `path`", "add path"),
        (DISPLAY, "serial = { path = \"ttyUSB1\" }", "40:19", "by its whole path", "write path = \"/dev/ttyUSB1\""),
        (DISPLAY, "serial = { path = \"display\" }", "40:19", "by its whole path", "write path = \"/dev/ttyUSB0\""),
        ("/dev/input/by-id/usb-pad-event-kbd", "event3", "44:9", "by its whole path", "write evdev = \"/dev/input/by-id/"),
        (DISPLAY, "tcp = \"display\"", "40:7", "not a host with a port", "tcp = \"192.168.1.50:9100\""),
        (DISPLAY, "tcp = \"display:0\"", "40:7", "not a host with a port", "tcp = \"192.168.1.50:9100\""),
        (DISPLAY, "", "38:1", "does not say where the device is connected", "via = \"printer\""),
        (DISPLAY, "via = \"keypad\"", "40:7", "not known here", "known here: printer"),
        (DISPLAY, "via = \"printer\"\ntcp = \"a:1\"", "40:7", "in two places: `tcp` and `via`", "keep the one"),
        (
            "evdev = \"/dev/input/by-id/usb-pad-event-kbd\"",
            "tcp = \"a:1\"",
            "44:7",
            "not read over the network",
            "`evdev` or `serial`",
        ),
        ("kick = \"printer\"", "kick = \"serial\"", "34:8", "\"serial\", which is not known here", "printer"),
        ("kick = \"printer\"", "serial = { path = \"/dev/ttyS0\" }", "34:10", NOT_YET, "kick = \"printer\""),
        ("connector_pin = 2", "connector_pin = 3", "35:17", "no drawer is kicked by that pin", "write 2, or 5"),
        ("connector_pin = 2", "connector_pin = 7", "35:17", "outside 1 to 6", "whole number"),
        ("open_when = \"low\"", "open_when = \"closed\"", "36:13", "\"closed\", which is not known", "low, high, no_sensor"),
        ("connector_pin = 2", "pulse_off_ms = 500", "33:1", "without `pulse_on_ms`", "write both"),
    ]);
}

#[test]
fn what_hangs_on_the_printer_needs_one() {
    let printer = "[till.printer]\nprofile = \"epson-tm-t88\"\n\
        serial = { path = \"/dev/ttyUSB0\", baud = 38400, flow_control = \"hardware\" }\n";
    let problems = read(&with(printer, "")).unwrap_err().to_string();
    assert!(problems.contains("kicked by the printer, and this till has none. Add [till.printer]"), "{problems}");
    let drawer = "[till.drawer]\nkick = \"printer\"\nconnector_pin = 2\nopen_when = \"low\"\n";
    let text = with(printer, "").replace(drawer, "");
    assert!(read(&text).is_ok());
    let text = text.replace("serial = { path = \"/dev/ttyUSB1\", baud = 9600 }", "via = \"printer\"");
    let problems = read(&text).unwrap_err().to_string();
    assert!(problems.contains("hangs on the printer's line, and this till has no printer"), "{problems}");
}

#[test]
fn display_count_and_waits() {
    const ECHO: &str = "echo = \"digits\"";
    const AGE: &str = "max_age = \"4h\"";
    each(&[
        (ECHO, "idle = [\"123456789012345678901\"]", "41:9", "21 characters, and a row of the display has 20", "shorten"),
        (ECHO, "idle = \"WELCOME\"", "41:8", "wants a list of texts", "idle = [\"WELCOME\", \"\"]"),
        (ECHO, "idle = [\"a\", \"b\", \"c\"]", "41:8", "has 3 rows", "upper row"),
        (ECHO, "idle = [\"a\", 2]", "41:14", "wants a list of texts", "idle = "),
        (ECHO, "idle = [\"\\u001b@\"]", "41:9", "control character", "remove it"),
        (AGE, "max_age = \"4 hours\"", "49:11", "is not a duration", "\"4h\""),
        (AGE, "max_age = 4", "49:11", "wants a duration as a text", "\"4h\""),
        (AGE, "max_age = \"0s\"", "49:11", "outside 1s to 7d", "\"4h\""),
        (AGE, "entry_exponent = 3", "49:18", "outside 0 to 2", "from 0 to 2"),
        ("entry = \"total\"", "entry = \"totals\"", "47:9", "\"totals\"", "did you mean \"total\"?"),
        ("[api]", "[timing]\nquiet_period = \"1s\"\n[api]", "12:16", "too short for a real shop", "at least \"60s\""),
        ("[api]", "[timing]\npoll = \"0s\"\n[api]", "12:8", "outside 100ms to 10m", "poll = "),
        ("[api]", "[timing]\nrequest_timeout = \"1d\"\n[api]", "12:19", "outside 1s to 2m", "request_timeout = "),
        ("[api]", "[timing]\nrequest_timeout = \"1ms\"\n[api]", "12:19", "outside 1s to 2m", "request_timeout = "),
        ("[api]", "[timing]\nconfirm_pause = \"1m\"\n[api]", "12:17", "outside 100ms to 2s", "confirm_pause = "),
        (AGE, "idle_timeout = \"9s\"", "49:16", "outside 10s to 1h", "idle_timeout = "),
        (AGE, "count_timeout = \"1s\"", "49:17", "outside 10s to 4h", "count_timeout = "),
        (AGE, "expected_float = 150", "49:18", "wants a text", "expected_float = \"150\""),
        (AGE, "expected_float = \"150.005\"", "49:18", "more decimals than USD", "such as \"150.00\""),
        (AGE, "expected_float = \"-150\"", "49:18", "negative", "such as \"150.00\""),
        (AGE, "expected_float = \"0.00\"", "49:18", "is nothing", "such as \"150.00\""),
        (AGE, "denominations = [\"20.00\", \"20\"]", "49:27", "listed twice", "each coin and note once"),
        (AGE, "denominations = [\"20.00\", \"ten\"]", "49:27", "not an amount", "such as \"150.00\""),
        (AGE, "denominations = []", "49:17", "lists 0 coins", "remove the line"),
        (AGE, "denominations = \"20.00\"", "49:17", "wants a list of texts", "denominations = ["),
        ("[api]", "[timing]\nreopen_first = \"10s\"\n[api]", "12:16", "longer than `reopen_max`", "at least as long"),
        ("[api]", "[timing]\nretry = \"10s\"\n[api]", "12:1", "unknown key \"retry\"", "did you mean \"retry_max\"?"),
        ("[api]", "[devices]\nprofiles = \"nowhere\"\n[api]", "12:12", "there is no folder", "make it, or remove the line"),
    ]);
}

#[test]
fn nobody_and_nothing_is_no_shop() {
    let staff = FINE.find("[[staff]]").unwrap();
    let till = FINE.find("[[till]]").unwrap();
    let without_staff = format!("{}{}", &FINE[..staff], &FINE[till..]);
    for text in [without_staff.clone(), format!("staff = []\n{without_staff}")] {
        let problems = read(&text).unwrap_err().to_string();
        assert!(problems.contains("[[staff]] is missing. Add [[staff]] with name, number and id"), "{problems}");
    }
    for text in [FINE[..till].to_owned(), format!("till = []\n{}", &FINE[..till])] {
        let problems = read(&text).unwrap_err().to_string();
        assert!(problems.contains("[[till]] is missing. Add [[till]] with name"), "{problems}");
    }
    let problems = read("").unwrap_err();
    let missing = ["[shop]", "[journal]", "[[staff]]", "[[till]]"];
    assert!(missing.iter().all(|name| problems.to_string().contains(&format!("{name} is missing"))), "{problems}");
    assert!(problems.iter().all(|problem| (problem.line, problem.column) == (1, 1)));
}

#[test]
fn a_broken_profile_is_named_by_its_own_file() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("devices/epson-tm-t88")).unwrap();
    let file = folder.path().join("devices/epson-tm-t88/profile.toml");
    fs::write(&file, "title = \"Ours\"\n[printer]\ncolumns = 420\n").unwrap();
    let text = with("[api]", "[devices]\nprofiles = \"devices\"\n[api]");
    let problems = config::load_text("f", &text, folder.path()).unwrap_err().to_string();
    assert!(problems.contains(&format!("{}:3:11: `columns` in [printer] is 420", file.display())), "{problems}");
}

#[test]
fn the_file_itself() {
    let folder = folder();
    let file = folder.path().join("drawerbridge.toml");
    let load = || config::load(&file).map(|_| ()).unwrap_err().to_string();
    let shown = file.display();
    assert!(load().starts_with(&format!("{shown}:1:1: there is no such file. Make one with `drawerbridge config example")));
    fs::create_dir(&file).unwrap();
    assert!(load().starts_with(&format!("{shown}:1:1: this is a folder")), "{}", load());
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"[shop]\nname = \"Caf\xE9\"\n").unwrap();
    assert!(
        load().starts_with(&format!("{shown}:2:12: the byte E9 is not UTF-8 text. Save the file as UTF-8")),
        "{}",
        load()
    );
    fs::write(&file, vec![b'#'; 2 * 1024 * 1024]).unwrap();
    assert!(load().starts_with(&format!("{shown}:1:1: the file is longer than")), "{}", load());
    fs::write(&file, FINE).unwrap();
    assert!(config::load(&file).is_ok());
    // Editors of another system put a mark before the first letter and end lines with two bytes.
    fs::write(&file, format!("\u{FEFF}{}", FINE.replace('\n', "\r\n"))).unwrap();
    assert!(config::load(&file).is_ok());
}

#[test]
fn a_keypads_port_and_its_profile_fit_each_other() {
    each(&[(
        "[till.keypad]\n",
        "[till.keypad]\nprofile = \"serial-keypad\"\n",
        "43:1",
        "of a serial keypad, and the port is an input device",
        "usb-number-pad",
    )]);
    let usb_on_serial = read(&with(
        "evdev = \"/dev/input/by-id/usb-pad-event-kbd\"",
        "profile = \"usb-number-pad\"\nserial = { path = \"/dev/ttyS3\" }",
    ));
    let problems = usb_on_serial.unwrap_err();
    assert!(problems.to_string().contains("pad on USB") && problems.to_string().contains("evdev ="), "{problems}");
}
