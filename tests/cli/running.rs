//! A daemon that runs, on a simulated till.
use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use drawerbridge_hil::{
    admin::{Fault, FaultRule, Operation},
    bench::{
        Bench, BenchSpec,
        client::DaemonApi,
        daemon::{Daemon, Log},
    },
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Ran, bench, program, run_in};

pub(super) const SOON: Duration = Duration::from_secs(15);

pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

pub(super) struct Shop {
    pub(super) bench: Bench,
    pub(super) daemon: Daemon,
}

impl Shop {
    pub(super) async fn open(spec: BenchSpec) -> Self {
        let bench = bench(spec).await;
        let daemon = Daemon::start(Path::new(env!("CARGO_BIN_EXE_drawerbridge")), bench.dir(), &Log::default()).await;
        let shop = Self { bench, daemon: daemon.unwrap() };
        for till in 0..shop.bench.tills.len() {
            shop.until(till, |view| view["drawer"]["state"] == "closed" && view["keypads"][0]["link"] == "up").await;
        }
        shop
    }

    pub(super) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        DaemonApi::from_dir(self.bench.dir()).unwrap().call(method, path, body.as_ref()).await.unwrap()
    }

    pub(super) async fn until(&self, till: usize, wanted: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/tills/{}", self.bench.tills[till].name);
        let limit = now() + SOON;
        loop {
            let (_, view) = self.call("GET", &path, None).await;
            if wanted(&view) {
                return view;
            }
            assert!(now() < limit, "{view:#}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// A POS counts 150.00 for Robin; the opening's id comes back when Shopify has it.
    async fn count(&self, till: usize) -> String {
        let id = self.begin_count(till).await;
        self.until(till, |view| view["opening"]["state"] == "confirmed").await;
        id
    }

    /// A POS counts 150.00 for Robin; the opening's id comes back when the count is on disk.
    pub(super) async fn begin_count(&self, till: usize) -> String {
        let name = &self.bench.tills[till].name;
        let start = json!({ "staff_member_id": "gid://shopify/StaffMember/1" });
        let (status, started) = self.call("POST", &format!("/v1/tills/{name}/openings"), Some(start)).await;
        assert_eq!(status, 201, "{started}");
        let id = started["id"].as_str().unwrap().to_owned();
        let count = format!("/v1/tills/{name}/openings/{id}/count");
        assert_eq!(self.call("PUT", &count, Some(json!({ "total": "150.00" }))).await.0, 200);
        id
    }

    pub(super) fn run(&self, args: &[&str]) -> Ran {
        run_in(self.bench.dir(), args)
    }

    /// Kicks until no other kick is being answered or cooled down from.
    async fn kick(&self, args: &[&str]) -> Ran {
        let limit = now() + SOON;
        loop {
            let ran = self.run(&[&["kick"], args].concat());
            if !(ran.code == 75 && ran.stderr.contains("another kick")) || now() > limit {
                return ran;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_at_one_till_on_the_command_line() {
    let shop = Shop::open(BenchSpec::default()).await;
    shop.run(&["openings"]).ended(0, &["no openings yet"], &[]);
    shop.run(&["status"]).ended(
        0,
        &[
            "front-1: shift closed",
            "drawer   closed",
            "printer  up",
            "online, paper ok",
            "display  up",
            "keypad   up",
            "none yet",
        ],
        &[],
    );
    let id = shop.count(0).await;
    shop.run(&["status"]).ended(
        0,
        &["front-1: shift open", &format!("{id}, confirmed, 150.00 USD counted by Robin"), "session 1001"],
        &[],
    );
    let status = shop.run(&["status", "--json"]).ended(0, &[], &[]).json();
    assert_eq!(status["tills"][0]["opening"]["total"], "150.00");

    // Kicks: every outcome there is.
    shop.kick(&["--reason", "change"]).await.ended(0, &["opened\n"], &[]);
    shop.kick(&["front-1", "--json"]).await.ended(0, &["{\"outcome\":\"already_open\""], &[]);
    let till = &shop.bench.tills[0];
    till.printer.push_drawer_shut();
    shop.until(0, |view| view["drawer"]["state"] == "closed").await;
    till.printer.jam(true);
    shop.kick(&[]).await.ended(1, &["jammed: ", "locked"], &[]);
    till.printer.jam(false);

    // The opening, its story and its slip.
    shop.run(&["openings"]).ended(0, &[&id, "confirmed", "150.00 USD", "Robin", "session 1001"], &[]);
    let story =
        shop.run(&["openings", "show", &id.to_lowercase()]).ended(0, &["Robin counted 150.00 USD", "session 1001"], &[]);
    assert!(!story.stdout.contains('{'), "{}", story.stdout);
    assert_eq!(shop.run(&["openings", "show", &id, "--json"]).json()["id"], id.as_str());
    shop.run(&["openings", "show", "0000000000"]).ended(1, &[], &["no till has an opening \"0000000000\""]);
    shop.run(&["openings", "show", "no/such opening"]).ended(1, &[], &["no till has an opening"]);
    shop.run(&["reprint", &id]).ended(0, &["is queued"], &[]);
    shop.run(&["reprint", "0000000000"]).ended(1, &[], &["0000000000 does not exist"]);
    let limit = now() + SOON;
    while !till.printer.slip_texts().iter().any(|slip| slip.contains("COPY")) {
        assert!(now() < limit, "{:?}", till.printer.slip_texts());
        sleep(Duration::from_millis(20)).await;
    }

    // Its record, beside the running daemon.
    let listed = shop.run(&["journal", "list", "--opening", &id]).ended(0, &["opening.confirmed", "150.00 USD"], &[]);
    assert!(listed.stdout.lines().all(|l| l.contains(&id) && l.contains("Z  front-1")), "{}", listed.stdout);
    let last = shop.run(&["journal", "list", "--till", "front-1", "--last", "2", "--json"]).ended(0, &[], &[]);
    assert_eq!(last.stdout.lines().count(), 2, "{}", last.stdout);
    shop.run(&["journal", "verify"]).ended(0, &["none edited, removed or moved up to event", "head "], &[]);

    // What passes by itself: another daemon's journal, a cable that is out.
    shop.run(&["run"]).ended(75, &[], &["in use by another drawerbridge"]);
    let mut misspelled = program(&["run"]);
    misspelled.env("DRAWERBRIDGE_CONFIG", shop.bench.config()).env("DRAWERBRIDGE_LOG", "inof");
    let ran = Ran::of(misspelled.output().unwrap()).ended(75, &[], &["DRAWERBRIDGE_LOG=\"inof\"", "so info is logged"]);
    assert_eq!(ran.stderr.matches("DRAWERBRIDGE_LOG").count(), 1, "{}", ran.stderr);
    till.printer.unplug();
    shop.until(0, |view| view["printer"]["link"] == "down").await;
    shop.kick(&[]).await.ended(75, &[], &["printer"]);
    shop.run(&["status"]).ended(0, &["printer  down", "because"], &[]);
    shop.daemon.stop().await.unwrap();
    shop_is_shut(shop.bench.dir());
}

fn shop_is_shut(dir: &Path) {
    run_in(dir, &["status"]).ended(75, &[], &["no daemon runs"]);
    run_in(dir, &["journal", "verify"]).ended(0, &["none edited, removed or moved"], &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn openings_of_two_tills_are_listed_newest_first_and_found_at_either() {
    let shop = Shop::open(BenchSpec { second_till: true, ..BenchSpec::default() }).await;
    let (second, first) = (shop.count(1).await, shop.count(0).await);
    let listed = shop.run(&["openings"]).ended(0, &[], &[]);
    let ids: Vec<&str> = listed.stdout.lines().map(|l| l.split_whitespace().next().unwrap()).collect();
    assert_eq!(ids, [first.as_str(), second.as_str()]);
    let newest = shop.run(&["openings", "--limit", "1", "--json"]).ended(0, &[], &[]).json();
    assert_eq!((newest.as_array().unwrap().len(), newest[0]["id"].as_str()), (1, Some(first.as_str())));
    shop.run(&["openings", "--till", "front-2"]).ended(0, &[&second, "front-2"], &[]);
    shop.run(&["openings", "show", &second]).ended(0, &["at front-2: confirmed"], &[]);
    shop.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_daemon_at_once_and_loses_nothing() {
    let bench = bench(BenchSpec::default()).await;
    // An answer that does not come keeps the first signal waiting for a second or two.
    let fault = Fault::Stall { after: false, for_: Duration::from_secs(30) };
    bench.api.fault(FaultRule { on: Operation::Any, fault, times: u32::MAX });
    let mut child = program(&["run"])
        .env("DRAWERBRIDGE_CONFIG", bench.config())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    let limit = now() + SOON;
    let api = loop {
        if let Ok(api) = DaemonApi::from_dir(bench.dir()) {
            break api;
        }
        assert!(now() < limit);
        sleep(Duration::from_millis(10)).await;
    };
    let start = json!({ "staff_member_id": "gid://shopify/StaffMember/1" });
    let (_, started) = api.call("POST", "/v1/tills/front-1/openings", Some(&start)).await.unwrap();
    let count = format!("/v1/tills/front-1/openings/{}/count", started["id"].as_str().unwrap());
    assert_eq!(api.call("PUT", &count, Some(&json!({ "total": "150.00" }))).await.unwrap().0, 200);

    kill_process(pid, Signal::TERM).unwrap();
    let ended = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(now() < limit, "it does not end");
        sleep(Duration::from_millis(50)).await;
        kill_process(pid, Signal::INT).unwrap();
    };
    assert_eq!(ended.code(), Some(1), "{ended}");
    run_in(bench.dir(), &["journal", "list"]).ended(0, &["opening.counted"], &[]);
    run_in(bench.dir(), &["journal", "verify"]).ended(0, &["none edited, removed or moved"], &[]);
}
