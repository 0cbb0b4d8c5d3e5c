//! Asking a daemon that is not there, hangs, or is another program.
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    thread,
};

use drawerbridge_hil::bench::BenchSpec;

use super::{bench, run, run_in};

/// The files a daemon leaves behind, pointing somewhere else.
fn pretend(dir: &Path, addr: SocketAddr) {
    fs::write(dir.join("journal.db.addr"), format!("{addr}\n")).unwrap();
    let token = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(dir.join("api-token"));
    token.unwrap().write_all(b"0123456789abcdef").unwrap();
}

/// Answers every request with a status and a body, chosen by the request's first line.
fn serve(listener: TcpListener, answer: impl Fn(&str) -> (&'static str, &'static str) + Send + 'static) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let n = stream.read(&mut head).unwrap();
            let first = String::from_utf8_lossy(&head[..n]).lines().next().unwrap_or_default().to_owned();
            let (status, body) = answer(&first);
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_cannot_be_written_is_said_under_the_tills() {
    let bench = bench(BenchSpec::default()).await;
    let daemon = TcpListener::bind("127.0.0.1:0").unwrap();
    pretend(bench.dir(), daemon.local_addr().unwrap());
    serve(daemon, |request| {
        if request.contains("/readyz") {
            ("503 Service Unavailable", r#"{"detail":"the journal cannot be written: free space on its disk"}"#)
        } else {
            ("200 OK", r#"{"tills":[{"name":"front-1","shift":"open","drawer":{"state":"closed"},"keypads":[]}]}"#)
        }
    });
    run_in(bench.dir(), &["status"]).ended(
        0,
        &["front-1: shift open", "not ready: the journal cannot be written: free space"],
        &[],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_daemon_every_command_says_how_to_start_one_and_ends_with_75() {
    let bench = bench(BenchSpec::default()).await;
    let dir = bench.dir();
    let asking: [&[&str]; 6] = [
        &["status"],
        &["kick"],
        &["openings"],
        &["openings", "show", "0000000001"],
        &["openings", "resolve", "0000000001", "--give-up", "--why", "x", "--yes"],
        &["reprint", "0000000001"],
    ];
    for args in asking {
        run_in(dir, args).ended(75, &[], &["api-token is not there yet", "drawerbridge run"]);
    }
    assert!(!dir.join("api-token").exists(), "only the daemon makes the token");

    // A daemon that was killed leaves its address behind; that port is free again.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    pretend(dir, gone);
    for args in asking {
        run_in(dir, args).ended(75, &[], &["nothing answers at http://127.0.0.1:", "drawerbridge run"]);
    }
    // The bench lets the system pick the port, so without the file nobody knows it.
    fs::remove_file(dir.join("journal.db.addr")).unwrap();
    run_in(dir, &["status"]).ended(75, &[], &["no daemon runs with this configuration"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_takes_the_connection_and_never_answers_is_given_up() {
    let bench = bench(BenchSpec::default()).await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    pretend(bench.dir(), silent.local_addr().unwrap());
    run_in(bench.dir(), &["status"]).ended(75, &[], &["does not answer within 10 s"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_on_the_port_is_shown_by_what_it_says() {
    let bench = bench(BenchSpec::default()).await;
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    pretend(bench.dir(), stranger.local_addr().unwrap());
    serve(stranger, |_| ("200 OK", "<h1>It works!</h1>"));
    for args in [&["status"][..], &["kick"], &["openings"]] {
        run_in(bench.dir(), args).ended(1, &[], &["is not drawerbridge", "<h1>It works!</h1>", "[api] listen"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_daemon_that_cannot_be_looked_at_are_named_with_a_way_out() {
    let bench = bench(BenchSpec::default()).await;
    let config = bench.config();
    // A path through a file stands for a folder that is closed to this user: tests may run as root.
    let text = fs::read_to_string(&config).unwrap();
    let through_a_file = bench.dir().join("access-token").join("api-token");
    let own = format!("token_file = \"{}\"", bench.dir().join("api-token").display());
    assert!(text.contains(&own), "{text}");
    fs::write(&config, text.replace(&own, &format!("token_file = \"{}\"", through_a_file.display()))).unwrap();
    let ran = run_in(bench.dir(), &["status"]);
    assert!(matches!(ran.code, 1 | 78) && ran.stderr.contains("access-token/api-token"), "{} {}", ran.code, ran.stderr);
}

#[test]
fn a_configuration_that_is_not_there_ends_with_78_and_says_how_to_make_one() {
    for args in [&["status"][..], &["kick"], &["run"], &["journal", "verify"], &["openings"]] {
        let args = [args, &["--config", "/nowhere/drawerbridge.toml"]].concat();
        run(&args).ended(78, &[], &["no such file", "config example"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_several_tills_one_must_be_named() {
    let bench = bench(BenchSpec { second_till: true, ..BenchSpec::default() }).await;
    pretend(bench.dir(), "127.0.0.1:1".parse().unwrap());
    run_in(bench.dir(), &["kick"]).ended(2, &[], &["several tills", "front-1, front-2"]);
    run_in(bench.dir(), &["kick", "front-3"]).ended(2, &[], &["no till \"front-3\"", "front-1, front-2"]);
    run_in(bench.dir(), &["kick", "front-2"]).ended(75, &[], &["nothing answers"]);
}
