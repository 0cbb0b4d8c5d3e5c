//! The receipt printer over a real virtual pair: what it answers, prints, warns of and keeps to itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]
mod common;

use common::{Host, soon};
use drawerbridge_hil::line::Attach;
use drawerbridge_hil::printer::{DrawerSpec, Level, Paper, Printer, PrinterEvent, PrinterSpec, Quirks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// `GS r 2`: answered when all before it is worked off. `00` and `01` are the level of the sense line.
const SYNC: &[u8] = b"\x1Dr\x02";
/// `DLE EOT 1`.
const STATUS: &[u8] = b"\x10\x04\x01";
/// `GS ( H` with the id "0001", and its answer.
const JOB_END: &[u8] = b"\x1D(H\x06\x00000001";
const JOB_DONE: &[u8] = b"\x37\x220001\x00";
const KICK: &[u8] = b"\x1Bp\x00\x19\xFA";
/// Answers of `DLE EOT 1` and `GS r 2` with the drawer shut: nothing pulls the sense line down.
const SHUT: u8 = 0x16;
const SHUT_OFFLINE: u8 = 0x1E;
const HIGH: u8 = 0x01;

struct Till {
    printer: Printer,
    host: Host,
    _dir: tempfile::TempDir,
}

impl Till {
    async fn with(spec: PrinterSpec) -> Till {
        let dir = tempfile::tempdir().unwrap();
        let attach = Attach::Pair { dir: dir.path().to_owned(), name: "printer".to_owned(), baud: None };
        let printer = Printer::spawn(spec, attach).await.unwrap();
        let host = Host::open(&printer.line().path().unwrap());
        Till { printer, host, _dir: dir }
    }

    async fn new() -> Till {
        Till::with(PrinterSpec::default()).await
    }

    /// Sends, and reads exactly so much; anything that came unasked before shows in it.
    async fn ask(&self, bytes: &[u8], count: usize) -> Vec<u8> {
        self.host.write(bytes);
        self.host.read(count).await
    }

    /// Sends, and waits until all of it is worked off; nothing but the answer to the last question may come.
    async fn send(&self, bytes: &[u8]) {
        let answer = self.ask(&[bytes, SYNC].concat(), 1).await;
        assert!(matches!(answer[0], 0 | 1), "an answer nobody asked for: {answer:02X?}");
    }

    /// The offsets of the warnings with the text in them, each of which must hold what is expected.
    fn warned(&self, expected: &[(u64, &str)]) {
        let warnings = self.printer.warnings();
        let fits = |(warning, (offset, text)): (&drawerbridge_hil::printer::Warning, &(u64, &str))| {
            warning.offset == *offset && warning.text.contains(text)
        };
        assert!(warnings.len() == expected.len() && warnings.iter().zip(expected).all(fits), "{warnings:?}");
    }

    fn paper(&self) -> String {
        self.printer.slip_texts().concat() + &self.printer.uncut_text()
    }
}

#[tokio::test]
async fn what_is_wrong_is_warned_of_with_the_place_of_its_first_byte() {
    for (what, bytes, offset, text) in [
        ("a kick of three bytes and a command", &b"ab\n\x1Bp\x00\x1B@"[..], 3, "taken as a time"),
        ("a kick of a pin there is not", b"\x1Bp\x0222\n", 0, "kick of pin selector 02"),
        ("a kick of no length", b"x\n\x1Bp\x00\x00\x00", 2, "ON time of 0"),
        ("a real-time kick of a pin there is not", b"\x10\x14\x01\x02\x01", 0, "real-time kick with pin 02"),
        ("an unknown command", b"abc\x1BZ", 3, "unknown command 1B 5A"),
        ("a cut in the middle of a line", b"ab\x1DV\x00", 2, "in the middle of a line"),
        ("a picture in the middle of a line", b"a\x1Dv0\x00\x01\x00\x01\x00\xFF", 1, "in the middle of a line"),
        ("justification in the middle of a line", b"a\x1Ba\x01", 1, "in the middle of a line"),
        ("a code page there is not", b"\x1Bt\x63", 0, "code page 99"),
        ("a QR symbol without data", b"\x1D(k\x03\x001Q0", 0, "empty"),
        ("a graphic that was not stored", b"\x1D(L\x02\x0002", 0, "none is stored"),
        ("a real-time command inside a command", b"\x1D(k\x06\x001P0\x10\x04\x02", 8, "inside another command"),
        ("a process id with a control byte", b"\x1D(H\x06\x0000a\x01cd", 0, "process id"),
        ("a bad DLE", b"\x10\x09", 0, "unknown command 10 09"),
    ] {
        let till = Till::new().await;
        // The real-time command in the list is answered on the way.
        let answers = usize::from(what.starts_with("a real-time command inside"));
        till.ask(&[bytes, SYNC].concat(), 1 + answers).await;
        let warnings = till.printer.warnings();
        assert!(
            warnings.len() == 1 && warnings[0].offset == offset && warnings[0].text.contains(text),
            "{what}: {warnings:?}"
        );
    }
}

#[tokio::test]
async fn a_kick_that_stays_short_is_warned_of_once_its_host_is_gone() {
    let till = Till::new().await;
    let mut events = till.printer.events();
    till.send(b"ab\n").await;
    let mut arrived = till.printer.line().tap();
    till.host.write(b"\x1Bp\x00");
    let (_, _, bytes) = soon("the half kick", arrived.recv()).await.unwrap();
    assert_eq!(bytes, b"\x1Bp\x00");
    // Nothing proves yet that the rest is not on its way.
    till.warned(&[]);
    drop(till.host);
    let warning = loop {
        if let PrinterEvent::Warning(warning) = soon("the warning", events.recv()).await.unwrap() {
            break warning;
        }
    };
    assert_eq!(warning.offset, 6, "after three bytes and a question of three");
    assert!(warning.text.contains("kick of 3 bytes") && till.printer.kicks().is_empty(), "{warning:?}");
}

#[tokio::test]
async fn a_kick_in_two_pieces_is_a_kick() {
    let till = Till::new().await;
    let mut events = till.printer.events();
    till.host.write(&KICK[..3]);
    till.host.write(&KICK[3..]);
    loop {
        if let PrinterEvent::Drawer { open } = soon("the drawer", events.recv()).await.unwrap() {
            break assert!(open);
        }
    }
    let kick = &till.printer.kicks()[0];
    assert_eq!((kick.pin, kick.on_ms, kick.off_ms, kick.offset, kick.realtime), (2, 50, 500, 0, false));
    assert_eq!(till.ask(STATUS, 1).await, [0x12], "open pulls the line down");
    till.warned(&[]);
}

#[tokio::test]
async fn a_real_time_command_is_executed_and_printed_inside_a_picture() {
    let till = Till::new().await;
    // Eight rows of one byte, three of which are DLE EOT 1.
    let answer = till.ask(b"\x1Dv0\x00\x01\x00\x08\x00\xAA\xAA\x10\x04\x01\xAA\xAA\xAA\n\x1Dr\x01", 2).await;
    assert_eq!(answer, [SHUT, 0x00]);
    till.warned(&[(10, "inside another command")]);
    assert!(till.paper().starts_with("[image 8x8]\n"), "{}", till.paper());
}

#[tokio::test]
async fn automatic_status_comes_at_once_on_change_and_only_for_what_was_asked() {
    let till = Till::new().await;
    assert_eq!(till.ask(b"\x1Da\x02", 4).await, [0x14, 0, 0, 0], "at once");
    till.printer.key();
    assert_eq!(till.ask(SYNC, 1).await, [0x00], "the drawer was not asked for");
    till.printer.set_cover(true);
    assert_eq!(till.host.read(4).await, [0x38, 0, 0, 0], "with the whole state in it");
    till.printer.set_cover(false);
    assert_eq!(till.host.read(4).await, [0x10, 0, 0, 0]);
    till.printer.set_paper(Paper::NearEnd);
    till.printer.push_drawer_shut();
    assert_eq!(till.ask(SYNC, 1).await, [HIGH], "neither paper nor drawer were asked for");
    assert_eq!(till.ask(b"\x1Da\x09", 4).await, [0x14, 0, 0x03, 0]);
    till.printer.set_paper(Paper::Ok);
    assert_eq!(till.host.read(4).await, [0x14, 0, 0x00, 0]);
    till.printer.key();
    assert_eq!(till.host.read(4).await, [0x10, 0, 0x00, 0]);
}

#[tokio::test]
async fn initialising_the_printer_ends_automatic_status() {
    for ending in [&b"\x1B@"[..], b"\x1Da\x00"] {
        let till = Till::new().await;
        till.ask(b"\x1Da\x0F", 4).await;
        till.send(ending).await;
        till.printer.key();
        till.printer.set_cover(true);
        till.printer.set_cover(false);
        assert_eq!(till.ask(SYNC, 1).await, [0x00], "no block before the answer");
    }
}

#[tokio::test]
async fn buffered_questions_are_silent_while_offline_and_answered_after() {
    let till = Till::new().await;
    till.printer.set_paper(Paper::Out);
    assert_eq!(till.ask(&[b"\x1Dr\x01", STATUS].concat(), 1).await, [SHUT_OFFLINE]);
    assert_eq!(till.ask(b"\x10\x04\x02\x10\x04\x04", 2).await, [0x32, 0x7E]);
    till.printer.set_paper(Paper::NearEnd);
    assert_eq!(till.host.read(1).await, [0x03]);
    assert_eq!(till.ask(b"\x10\x04\x04", 1).await, [0x1E]);
}

#[tokio::test]
async fn a_job_that_ran_out_of_paper_is_done_when_there_is_paper_again() {
    let till = Till::new().await;
    till.printer.out_of_paper_after(2);
    let job = [&b"one\ntwo\nthree\n\x1DVB\x00"[..], JOB_END].concat();
    assert_eq!(till.ask(&[&job, STATUS].concat(), 1).await, [SHUT_OFFLINE]);
    assert_eq!((till.paper().as_str(), till.printer.slip_count()), ("one\ntwo\n", 0));
    till.printer.set_paper(Paper::Ok);
    assert_eq!(till.host.read(JOB_DONE.len()).await, JOB_DONE);
    assert_eq!(till.printer.slip_texts(), ["one\ntwo\nthree\n"]);
}

#[tokio::test]
async fn a_real_time_kick_goes_past_a_buffer_that_stands_still() {
    let till = Till::new().await;
    till.printer.set_cover(true);
    let status = till.ask(&[KICK, b"\x10\x14\x01\x00\x02", STATUS].concat(), 1).await;
    assert_eq!(status[0] & 0x08, 0x08, "offline");
    let kicks = till.printer.kicks();
    assert_eq!(kicks.len(), 1);
    assert_eq!((kicks[0].pin, kicks[0].on_ms, kicks[0].offset, kicks[0].realtime), (2, 200, 5, true));
}

#[tokio::test]
async fn a_cleared_buffer_prints_nothing_and_answers_no_process_id() {
    let till = Till::new().await;
    till.printer.set_paper(Paper::Out);
    till.host.write(&[b"never\n", JOB_END].concat());
    assert_eq!(till.ask(b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", 3).await, [0x37, 0x25, 0x00]);
    till.printer.set_paper(Paper::Ok);
    assert_eq!(till.ask(SYNC, 1).await, [HIGH]);
    assert_eq!(till.paper(), "");
}

#[tokio::test]
async fn real_time_kicks_can_be_switched_off_and_on() {
    let till = Till::new().await;
    till.send(b"\x1D(D\x03\x00\x14\x01\x00\x10\x14\x01\x01\x01").await;
    assert!(till.printer.kicks().is_empty());
    till.warned(&[(8, "switched off by GS ( D")]);
    till.send(b"\x1D(D\x03\x00\x14\x01\x01").await;
    till.send(b"\x10\x14\x01\x01\x01").await;
    assert_eq!(till.printer.kicks().len(), 1);
}

#[tokio::test]
async fn kicks_without_rest_are_warned_of() {
    let till = Till::new().await;
    // While one pulse is on, a real-time one is dropped.
    till.send(&[KICK, KICK, b"\x10\x14\x01\x01\x01"].concat()).await;
    assert_eq!(till.printer.kicks().len(), 2);
    till.warned(&[(5, "duty"), (10, "another pulse is on")]);
}

#[tokio::test]
async fn each_drawer_answers_to_its_pin_and_its_key() {
    let drawer = DrawerSpec { open_level: Level::High, ..DrawerSpec::default() };
    let till = Till::with(PrinterSpec { drawers: [None, Some(drawer)], ..PrinterSpec::default() }).await;
    assert_eq!(till.ask(STATUS, 1).await, [0x12], "shut pulls the line down");
    assert!(!till.printer.key_of(2) && !till.printer.drawer_is_open(), "no drawer behind pin 2");
    assert!(till.printer.key_of(5) && till.printer.drawer_of_is_open(5) && !till.printer.drawer_of_is_open(2));
    assert_eq!(till.ask(STATUS, 1).await, [0x16]);
    till.printer.push_drawer_shut();
    let mut events = till.printer.events();
    till.send(b"\x1Bp\x00\x19\xFA\x1Bp\x31\x19\xFA").await;
    loop {
        if let PrinterEvent::Drawer { open } = soon("the drawer", events.recv()).await.unwrap() {
            break assert!(open);
        }
    }
    assert_eq!(till.printer.kicks().iter().map(|kick| kick.pin).collect::<Vec<_>>(), [2, 5]);
}

/// The darkness of one dot of the print area.
fn dot(png: &[u8], x: usize, y: usize) -> bool {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut dots = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut dots).unwrap();
    // Table and margin around the print area.
    dots[(y + 16 + 40) * info.line_size + x + 16 + 32] < 0x80
}

#[tokio::test]
async fn a_raster_picture_is_on_the_paper_dot_by_dot() {
    let till = Till::new().await;
    // Two rows of nine bytes' width; the second in double width would be m = 1.
    till.send(b"\x1Dv0\x00\x02\x00\x02\x00\x81\x01\x40\x00\x1DV\x00").await;
    till.send(b"\x1Dv0\x03\x01\x00\x01\x00\xA0\x1DV\x00").await;
    let plain = till.printer.slip_png(0).unwrap();
    let row = |y| (0..16).filter(|x| dot(&plain, *x, y)).collect::<Vec<_>>();
    assert_eq!((row(0), row(1), row(2)), (vec![0, 7, 15], vec![1], vec![]));
    let doubled = till.printer.slip_png(1).unwrap();
    let row = |y| (0..16).filter(|x| dot(&doubled, *x, y)).collect::<Vec<_>>();
    assert_eq!((row(0), row(1), row(2)), (vec![0, 1, 4, 5], vec![0, 1, 4, 5], vec![]));
    assert_eq!(till.printer.slip_png(2), None);
    assert_eq!(till.printer.slips()[1].png, doubled);
}

#[tokio::test]
async fn a_qr_symbol_is_on_the_paper_module_by_module() {
    let till = Till::new().await;
    let text = b"https://example.com/float/1001";
    let store = [&[0x1D, b'(', b'k', u8::try_from(text.len() + 3).unwrap(), 0, b'1', b'P', b'0'][..], text].concat();
    till.send(&[b"\x1D(k\x03\x001C\x04\x1D(k\x03\x001E1", &store[..], b"\x1D(k\x03\x001Q0\x1DV\x00"].concat()).await;
    assert_eq!(till.printer.slip_texts(), ["[QR: https://example.com/float/1001]\n"]);
    let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M).unwrap();
    let png = till.printer.slip_png(0).unwrap();
    for (at, colour) in code.to_colors().into_iter().enumerate() {
        let (x, y) = (at % code.width(), at / code.width());
        // The middle of each module of four dots.
        assert_eq!(dot(&png, x * 4 + 2, y * 4 + 2), colour == qrcode::Color::Dark, "module {x},{y}");
    }
}

#[tokio::test]
async fn a_cut_in_the_middle_of_a_line_cuts_nothing() {
    let till = Till::new().await;
    till.send(b"ab\x1DV\x00").await;
    assert_eq!(till.printer.slip_count(), 0);
    till.send(b"c\n\x1DVB\x00").await;
    assert_eq!(till.printer.slip_texts(), ["abc\n"]);
}

#[tokio::test]
async fn a_byte_prints_what_the_selected_page_says() {
    for (what, bytes, printed) in [
        ("PC437 after power-on", &b"\x84\x9C\n"[..], "ä£\n"),
        ("PC858", b"\x1Bt\x13\xD5\n", "€\n"),
        ("windows-1252", b"\x1Bt\x10\x80\n", "€\n"),
        ("PC850", b"\x1Bt\x02\xD5\n", "ı\n"),
        ("PC852", b"\x1Bt\x12\x9F\n", "č\n"),
        ("katakana", b"\x1Bt\x01\xB1\n", "ｱ\n"),
        ("an unknown page leaves the one before", b"\x1Bt\x13\x1Bt\x63\xD5\n", "€\n"),
        ("ESC @ goes back to PC437", b"\x1Bt\x13\x1B@\xD5\n", "╒\n"),
        ("national set 2", b"\x1BR\x02[\\]\n", "ÄÖÜ\n"),
    ] {
        let till = Till::new().await;
        till.send(bytes).await;
        assert_eq!(till.paper(), printed, "{what}");
    }
}

#[tokio::test]
async fn a_full_buffer_on_a_serial_line_loses_bytes_but_no_real_time_command() {
    let till = Till::new().await;
    till.printer.set_paper(Paper::Out);
    // 4096 bytes fit: 512 lines of eight.
    till.host.write(&b"fits...\n".repeat(512));
    assert_eq!(till.ask(&[b"lost\n", STATUS, b"lost too\n", STATUS].concat(), 2).await, [SHUT_OFFLINE; 2]);
    till.warned(&[(4096, "buffer is full")]);
    till.printer.set_paper(Paper::Ok);
    till.send(b"again\n").await;
    assert_eq!(till.paper(), "fits...\n".repeat(512) + "again\n");
    // Offsets count what was lost too.
    till.send(b"\x1BZ").await;
    till.warned(&[(4096, "buffer is full"), (4096 + 20 + 6 + 3, "unknown command")]);
}

#[tokio::test]
async fn a_full_buffer_on_a_network_printer_holds_the_rest_back() {
    let attach = Attach::Tcp { listen: ([127, 0, 0, 1], 0).into() };
    let printer = Printer::spawn(PrinterSpec::default(), attach).await.unwrap();
    let mut client = tokio::net::TcpStream::connect(printer.line().addr().unwrap()).await.unwrap();
    printer.set_paper(Paper::Out);
    let job = [b"0123456\n".repeat(2_000), STATUS.to_vec(), JOB_END.to_vec()].concat();
    client.write_all(&job).await.unwrap();
    printer.set_paper(Paper::Ok);
    let mut answer = vec![0; 1 + JOB_DONE.len()];
    soon("the job's end", client.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, [&[SHUT], JOB_DONE].concat());
    assert_eq!(printer.uncut_text(), "0123456\n".repeat(2_000));
    assert_eq!(printer.warnings(), []);
}

#[tokio::test]
async fn quirks_keep_answers_back() {
    let question = [b"\x1Da\x0F", JOB_END, STATUS, b"\x1Dr\x01"].concat();
    for (name, answer) in [
        ("", [&[0x14, 0, 0, 0][..], JOB_DONE, &[SHUT, 0]].concat()),
        ("no-asb", [JOB_DONE, &[SHUT, 0]].concat()),
        ("no-process-id", vec![0x14, 0, 0, 0, SHUT, 0]),
    ] {
        let mut quirks = Quirks::default();
        assert_eq!(quirks.add(name), !name.is_empty());
        let till = Till::with(PrinterSpec { quirks, ..PrinterSpec::default() }).await;
        assert_eq!(till.ask(&question, answer.len()).await, answer, "{name}");
        till.send(b"").await;
    }
    for (name, _) in Quirks::NAMES {
        assert!(Quirks::default().add(name), "{name}");
    }
}

#[tokio::test]
async fn a_printer_without_a_way_back_prints_and_says_nothing() {
    let quirks = Quirks { no_status: true, ..Quirks::default() };
    let till = Till::with(PrinterSpec { quirks, ..PrinterSpec::default() }).await;
    let mut events = till.printer.events();
    let mut sent = till.printer.line().tap();
    till.host.write(&[b"\x1Da\x0F", JOB_END, STATUS, SYNC, b"x\n\x1DV\x00"].concat());
    loop {
        if let PrinterEvent::Cut(index) = soon("the cut", events.recv()).await.unwrap() {
            break assert_eq!(index, 0);
        }
    }
    while let Ok((direction, _, bytes)) = sent.try_recv() {
        assert_eq!(direction, drawerbridge_hil::line::Direction::ToDevice, "{bytes:02X?}");
    }
}

#[tokio::test]
async fn behind_a_pass_through_display_nothing_prints_until_the_printer_is_selected() {
    let quirks = Quirks { pass_through_display: true, ..Quirks::default() };
    let till = Till::with(PrinterSpec { quirks, ..PrinterSpec::default() }).await;
    till.host.write(b"for the display\n");
    till.send(b"\x1B=\x01printed\n").await;
    assert_eq!(till.paper(), "printed\n");
}
