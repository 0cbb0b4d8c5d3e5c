//! A person's way out of an opening that nothing else settles, and the evidence that is left of it.
use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
    process::Stdio,
    time::Duration,
};

use drawerbridge_hil::bench::BenchSpec;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};

use super::running::Shop;

/// Between two keys.
const KEY_GAP: Duration = Duration::from_millis(30);

/// A colleague opened the register by hand, so Robin's count is in a person's hands.
async fn foreign() -> (Shop, String, String) {
    let shop = Shop::open(BenchSpec::default()).await;
    let session = shop.bench.api.open_elsewhere(1, "100.00", "opened by hand");
    let id = shop.begin_count(0).await;
    shop.until(0, |view| view["opening"]["state"] == "needs_attention").await;
    (shop, id, session)
}

impl Shop {
    async fn decide(&self, id: &str, body: Value) -> (u16, Value) {
        self.call("POST", &format!("/v1/tills/front-1/openings/{id}/resolution"), Some(body)).await
    }

    async fn story(&self, id: &str) -> Value {
        self.call("GET", &format!("/v1/tills/front-1/openings/{id}"), None).await.1
    }

    /// How often this event stands in the opening's rows.
    async fn events(&self, id: &str, name: &str) -> usize {
        self.story(id).await["events"].as_array().unwrap().iter().filter(|event| event["name"] == name).count()
    }

    async fn shows(&self, state: &str) -> Value {
        self.until(0, |view| view["opening"]["state"] == state).await
    }
}

fn number(session: &str) -> &str {
    session.rsplit('/').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_is_recorded_in_the_session_that_a_colleague_opened() {
    let (shop, id, session) = foreign().await;
    let number = number(&session);
    let next = format!("drawerbridge openings resolve {id} --record-count {number} --why TEXT");
    shop.run(&["status"]).ended(0, &["needs attention", &next], &[]);
    shop.run(&["openings", "list"]).ended(0, &[&next], &[]);
    shop.run(&["openings", "show", &id]).ended(0, &["kind: foreign_session"], &[]);

    let decided = ["openings", "resolve", &id, "--record-count", number, "--why", "Lee opened it by hand", "--by", "Kim"];
    // Nobody can be asked, so it is only said.
    let will = format!("{id} at front-1, 150.00 USD counted by Robin, goes to Shopify as a mid-session count");
    shop.run(&decided).ended(2, &[], &[&will, "Kim, because \"Lee opened it by hand\"", "add --yes"]);
    assert_eq!(shop.events(&id, "opening.resolved").await, 0);

    shop.run(&[&decided[..], &["--yes"]].concat()).ended(0, &[&format!("decided: {id} is ")], &[&will]);
    let view = shop.shows("recorded").await;
    assert_eq!((&view["shift"], view["opening"]["session_id"].as_str()), (&json!("open"), Some(session.as_str())));
    let counts: Vec<Value> = shop
        .bench
        .api
        .requests()
        .iter()
        .filter(|request| request.executed && request.operation == "CountSession")
        .map(|request| request.variables.clone())
        .collect();
    assert_eq!(counts.len(), 1, "{counts:#?}");
    assert!(counts[0].to_string().contains(&session) && counts[0].to_string().contains("150.00"), "{counts:#?}");
    assert_eq!(shop.bench.api.sessions().len(), 1);

    let story = ["Kim decided", "why: Lee opened it by hand", &format!("at Shopify: {session}"), "nothing is missing"];
    shop.run(&["openings", "show", &id]).ended(0, &story, &[]);
    shop.run(&["status"]).ended(0, &["recorded", &format!("mid-session count in session {number}")], &[]);
    // Once more: nothing happens twice.
    shop.run(&[&decided[..], &["--yes"]].concat()).ended(1, &[], &["settled already"]);
    assert_eq!(shop.events(&id, "opening.resolved").await, 1);
    shop.run(&["journal", "verify"]).ended(0, &["none edited, removed or moved"], &[]);
    shop.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_the_counts_after_all_is_linked() {
    let (shop, id, session) = foreign().await;
    let link = |session: &str| json!({ "decision": "link", "session_id": session, "by": "Kim", "why": "Robin did it" });

    // What cannot be: a session that is not there, a till without this opening, a body that says too little.
    let (status, problem) = shop.decide(&id, link("gid://shopify/PointOfSaleDevicePaymentSession/4711")).await;
    assert_eq!((status, &problem["code"]), (422, &json!("no_such_session")), "{problem}");
    let (status, problem) = shop.decide("0000000000", link(&session)).await;
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{problem}");
    let (status, problem) = shop.decide(&id, json!({ "decision": "link", "by": "Kim", "why": "x" })).await;
    assert_eq!((status, &problem["code"]), (422, &json!("session_id")), "{problem}");
    let (status, problem) = shop.decide(&id, json!({ "decision": "give_up", "by": "Kim" })).await;
    assert_eq!((status, &problem["code"]), (400, &json!("body")), "{problem}");

    // Shopify cannot be asked: later.
    shop.bench.api.set_down(true);
    let (status, problem) = shop.decide(&id, link(&session)).await;
    assert_eq!((status, &problem["code"]), (503, &json!("shopify_unreachable")), "{problem}");
    let args = ["openings", "resolve", &id, "--link", number(&session), "--why", "Robin did it", "--by", "Kim", "--yes"];
    shop.run(&args).ended(75, &[], &["Shopify could not be asked", "try again"]);
    shop.bench.api.set_down(false);
    assert_eq!(shop.events(&id, "opening.resolved").await, 0);

    let (status, view) = shop.decide(&id, link(&session)).await;
    assert_eq!((status, &view["state"], &view["session_id"]), (200, &json!("confirmed"), &json!(session)), "{view}");
    assert_eq!(shop.shows("confirmed").await["shift"], "open");
    assert!(shop.bench.api.requests().iter().all(|request| !request.operation.contains("OpenSession")));
    let (status, problem) = shop.decide(&id, link(&session)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("settled_already")), "{problem}");
    shop.run(&args).ended(1, &[], &["settled already: confirmed"]);
    assert_eq!(shop.events(&id, "opening.resolved").await, 1);

    let story = shop.story(&id).await;
    let link = story["evidence"].as_array().unwrap().iter().find(|step| step["step"] == "decided").unwrap();
    assert_eq!((&link["proof"], link["hash"].as_str().map(str::len)), (&json!("a person's word"), Some(64)), "{link}");
    assert!(link["details"].to_string().contains("not the amount that was counted: 150.00 USD"), "{link}");
    assert!(story["missing"].to_string().contains("is a person's word"), "{}", story["missing"]);
    shop.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_is_given_up_leaves_the_shift_as_shopify_has_it() {
    let (shop, id, _) = foreign().await;
    let args = ["openings", "resolve", &id, "--give-up", "--why", "counted for nothing", "--yes", "--json"];
    let mut run = super::program(&args);
    run.env("DRAWERBRIDGE_CONFIG", shop.bench.config()).env_remove("SUDO_USER").env("USER", "kim");
    let view =
        super::Ran::of(run.output().unwrap()).ended(0, &[], &["As long as session 1001 is open, so is the shift"]).json();
    assert_eq!((&view["state"], &view["why"]), (&json!("given_up"), &json!("given up by kim: counted for nothing")));
    // The colleague's register is open: a sale opens the drawer and nothing is asked.
    shop.until(0, |view| view["shift"] == "open").await;
    shop.bench.tills[0].printer.key();
    shop.until(0, |view| view["drawer"]["state"] == "open").await;
    shop.bench.tills[0].printer.push_drawer_shut();
    let view = shop.until(0, |view| view["drawer"]["state"] == "closed").await;
    assert_eq!((&view["phase"], &view["opening"]["id"]), (&json!("open"), &json!(id)));
    shop.run(&["status"]).ended(0, &["shift open", "given up", "given up by kim: counted for nothing"], &[]);
    let twice = json!({ "decision": "give_up", "by": "Kim", "why": "again" });
    let (status, problem) = shop.decide(&id, twice).await;
    assert_eq!((status, &problem["code"]), (409, &json!("settled_already")), "{problem}");
    assert_eq!(shop.events(&id, "opening.resolved").await, 1);
    shop.daemon.stop().await.unwrap();
}

/// Answers the question on a terminal; what is on it in the end, and the exit code.
fn on_a_terminal(config: &Path, args: &[&str], answer: &[u8]) -> (String, Option<i32>) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let terminal = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(terminal).unwrap();
    let mut command = super::program(args);
    command.env("DRAWERBRIDGE_CONFIG", config).stdin(terminal.try_clone().unwrap()).stdout(Stdio::null()).stderr(terminal);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut master = File::from(master);
    master.write_all(answer).unwrap();
    let mut said = Vec::new();
    // A terminal that nobody has open any more ends with an error instead of an end of file.
    master.read_to_end(&mut said).unwrap_err();
    (String::from_utf8(said).unwrap(), child.wait().unwrap().code())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_it_is_asked_for() {
    let (shop, id, _) = foreign().await;
    let args = ["openings", "resolve", &id, "--give-up", "--why", "counted for nothing"];
    for no in ["n\n", "\n", "\u{4}"] {
        let (said, code) = on_a_terminal(&shop.bench.config(), &args, no.as_bytes());
        assert!(
            said.contains("is given up") && said.contains("Do it? [y/N]") && said.contains("nothing was done"),
            "{said}"
        );
        assert_eq!(code, Some(1), "{no:?}");
    }
    assert_eq!(shop.events(&id, "opening.resolved").await, 0);
    let (said, code) = on_a_terminal(&shop.bench.config(), &args, b"y\n");
    assert_eq!(code, Some(0), "{said}");
    shop.shows("given_up").await;
    // A command line that makes no sense does not get that far.
    for bad in
        [&["--why", "x"][..], &["--give-up"], &["--give-up", "--why", ""], &["--give-up", "--link", "1", "--why", "x"]]
    {
        shop.run(&[&["openings", "resolve", &id], bad].concat()).ended(2, &[], &["error: "]);
    }
    shop.run(&["openings", "resolve", &id, "--link", "x", "--why", "y"]).ended(2, &[], &["give its number"]);
    shop.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_decision_twice_at_once_is_taken_once() {
    let (shop, id, session) = foreign().await;
    let record = json!({ "decision": "record_count", "session_id": session, "by": "Kim", "why": "Lee opened it" });
    let (one, two) = tokio::join!(shop.decide(&id, record.clone()), shop.decide(&id, record));
    let mut answers = [one.0, two.0];
    answers.sort_unstable();
    assert_eq!(answers, [200, 409], "{one:?} {two:?}");
    shop.shows("recorded").await;
    assert_eq!(shop.events(&id, "opening.resolved").await, 1);
    let counts = shop.bench.api.requests().iter().filter(|request| request.operation == "CountSession").count();
    assert_eq!(counts, 1);
    shop.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_of_a_quiet_morning_is_complete() {
    let shop = Shop::open(BenchSpec::default()).await;
    let till = &shop.bench.tills[0];
    till.printer.key();
    shop.until(0, |view| view["phase"] == "staff").await;
    till.keypad.type_keys("1 0 4 2 Enter", KEY_GAP).await;
    shop.until(0, |view| view["phase"] == "count").await;
    till.keypad.type_keys("1 5 0 0 0 Enter", KEY_GAP).await;
    shop.until(0, |view| view["phase"] == "confirm").await;
    till.keypad.type_keys("Enter", KEY_GAP).await;
    let view = shop.until(0, |view| view["opening"]["slip"] == "printed" && view["opening"]["state"] == "confirmed").await;
    let id = view["opening"]["id"].as_str().unwrap();
    let shown = shop.run(&["openings", "show", id]).ended(0, &["nothing is missing in this chain"], &[]);
    assert!(shown.stdout.lines().all(|line| line.chars().count() <= 80), "{}", shown.stdout);
    let story = shop.run(&["openings", "show", id, "--json"]).ended(0, &[], &[]).json();
    let steps: Vec<&str> = story["evidence"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    for step in ["drawer", "started", "counted", "intent", "confirmed", "slip"] {
        assert!(steps.contains(&step), "{steps:?}");
    }
    let head = story["evidence"][0]["hash"].as_str().unwrap();
    shop.run(&["journal", "verify", "--head", head]).ended(0, &["the head that was given is event"], &[]);
    // The POS did not get its answer and sends the same count once more.
    let path = format!("/v1/tills/front-1/openings/{id}/count");
    let (status, again) = shop.call("PUT", &path, Some(json!({ "total": "150.00" }))).await;
    assert_eq!((status, &again["state"]), (200, &json!("confirmed")), "{again}");
    for other in [json!({ "total": "151.00" }), json!({ "denominations": { "50.00": 3 } })] {
        assert_eq!(shop.call("PUT", &path, Some(other.clone())).await.0, 409, "{other}");
    }
    assert_eq!(shop.events(id, "opening.counted").await, 1);
    shop.daemon.stop().await.unwrap();
}
