//! The Admin API's stand-in over real connections: what each fault does, what is refused and how, what headers say.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]
use std::time::Duration;

use drawerbridge_hil::admin::{AdminApi, AdminEvent, AdminSpec, Fault, FaultRule, Operation};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const TOKEN: &str = "shpat_rig";
const GRAPHQL: &str = "/admin/api/2026-04/graphql.json";

const OPEN: &str = "mutation Open($device: ID!, $staff: ID!, $balance: MoneyInput, $time: DateTime, $note: String) {
  opened: pointOfSaleDevicePaymentSessionOpen(
    pointOfSaleDeviceId: $device staffMemberId: $staff balance: $balance time: $time note: $note
  ) {
    pointOfSaleDevicePaymentSession { id status openingTime openingNote cashCountedAtOpen { amount currencyCode } }
    userErrors { code field message }
  }
}";

const READ: &str = "query Read { pointOfSaleDevicePaymentSessions(first: 5) { nodes { id openingNote } } }";

/// How a request ended for the client.
#[derive(Debug)]
enum End {
    /// A whole answer.
    Answer(Answer),
    /// The head of an answer and less of a body than it promised.
    Half,
    /// The connection ended in order, without a byte.
    Closed,
    /// The connection was reset.
    Reset,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

async fn send(api: &AdminApi, path: &str, token: Option<&str>, kind: &str, body: &str) -> End {
    let address = api.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let token = token.map(|token| format!("x-shopify-access-token: {token}\r\n")).unwrap_or_default();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: {kind}\r\n{token}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    if stream.read_to_end(&mut bytes).await.is_err() {
        return End::Reset;
    }
    let text = String::from_utf8(bytes).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return End::Closed };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    if answer.header("content-length").unwrap().parse::<usize>().unwrap() > body.len() {
        return End::Half;
    }
    End::Answer(answer)
}

async fn graphql_end(api: &AdminApi, token: &str, query: &str, variables: Value) -> End {
    let body = json!({"query": query, "variables": variables}).to_string();
    send(api, GRAPHQL, Some(token), "application/json", &body).await
}

async fn graphql(api: &AdminApi, query: &str, variables: Value) -> Answer {
    match graphql_end(api, TOKEN, query, variables).await {
        End::Answer(answer) => answer,
        other @ (End::Half | End::Closed | End::Reset) => panic!("no whole answer: {other:?}"),
    }
}

async fn token(api: &AdminApi) -> Answer {
    let form = "grant_type=client_credentials&client_id=rig-client&client_secret=rig-secret";
    match send(api, "/admin/oauth/access_token", None, "application/x-www-form-urlencoded", form).await {
        End::Answer(answer) => answer,
        other @ (End::Half | End::Closed | End::Reset) => panic!("no whole answer: {other:?}"),
    }
}

/// Waits, but not for ever.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("{what}: still waiting"))
}

async fn api() -> AdminApi {
    AdminApi::spawn(AdminSpec::default()).await.unwrap()
}

fn opening() -> Value {
    json!({
        "device": "gid://shopify/PointOfSaleDevice/1",
        "staff": "gid://shopify/StaffMember/1",
        "balance": {"amount": "200.00", "currencyCode": "USD"},
        "note": "float, ref ab12",
    })
}

fn once(name: &str, on: Operation) -> FaultRule {
    FaultRule { on, fault: Fault::from_name(name).unwrap(), times: 1 }
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn each_fault_spoils_one_opening_in_its_own_way_and_the_next_one_is_answered() {
    // Name, whether the session is there afterwards, and what the client sees: a status with a piece of the body, or how
    // the connection ended.
    #[rustfmt::skip]
    let faults = [
        ("drop-before", false, "reset"),
        ("drop-after", true, "closed"),
        ("stall-before:1ms", false, "closed"),
        ("stall-after:1ms", true, "closed"),
        ("500-before", false, "500 Internal Server Error"),
        ("500-after", true, "500 Internal Server Error"),
        ("502-before", false, "502 <!DOCTYPE html>"),
        ("502-after", true, "502 <!DOCTYPE html>"),
        ("504-before", false, "504 <!DOCTYPE html>"),
        ("504-after", true, "504 <!DOCTYPE html>"),
        ("402", false, "402 \"errors\""),
        ("403", false, "403 \"errors\""),
        ("423", false, "423 \"errors\""),
        ("429", false, "429 \"errors\""),
        ("throttled", false, "200 \"THROTTLED\""),
        ("max-cost-exceeded", false, "200 \"MAX_COST_EXCEEDED\""),
        ("html", true, "200 <!DOCTYPE html>"),
        ("cut-json", true, "half"),
        ("data-null", true, "200 {\"data\":null}"),
        ("access-denied", false, "200 \"data\":{\"opened\":null}"),
        ("access-denied-after", true, "200 \"openingNote\":null"),
        ("session-null", true, "200 {\"pointOfSaleDevicePaymentSession\":null,\"userErrors\":[]}"),
        ("expired-token", false, "401 Invalid API key or access token"),
        ("internal-error", false, "200 \"INTERNAL_SERVER_ERROR\""),
        ("internal-error-after", true, "200 \"INTERNAL_SERVER_ERROR\""),
        ("wrong-amount", true, "200 \"201.0\""),
        ("not-json", true, "200 upstream connect error"),
        ("user-error-POINT_OF_SALE_DEVICE_NOT_FOUND", false, "200 \"POINT_OF_SALE_DEVICE_NOT_FOUND\""),
        ("user-error-NO_CASH_DRAWER_ASSOCIATED", false, "200 \"NO_CASH_DRAWER_ASSOCIATED\""),
        ("user-error-NOT_SAVED", false, "200 \"NOT_SAVED\""),
        ("user-error-ALREADY_OPEN", false, "200 \"ALREADY_OPEN\""),
        ("user-error-STAFF_MEMBER_NOT_FOUND", false, "200 \"STAFF_MEMBER_NOT_FOUND\""),
        ("user-error-CURRENCY_MISMATCH", false, "200 \"CURRENCY_MISMATCH\""),
        ("user-error-REASON_CODE_NOT_FOUND", false, "200 \"REASON_CODE_NOT_FOUND\""),
    ];
    for (name, _) in Fault::NAMES {
        // Reads that lag mean nothing for an opening, and what comes late or twice leaves more behind: tests of their own.
        let elsewhere = ["lag-reads", "late", "twice"].contains(name);
        assert!(elsewhere || faults.iter().any(|(listed, ..)| listed.split(':').next() == Some(name)), "{name}");
    }
    for (name, executed, seen) in faults {
        let api = api().await;
        api.fault(once(name, Operation::Open));
        let got = match graphql_end(&api, TOKEN, OPEN, opening()).await {
            End::Answer(answer) => format!("{} {}", answer.status, answer.body),
            End::Half => "half".to_owned(),
            End::Closed => "closed".to_owned(),
            End::Reset => "reset".to_owned(),
        };
        let (status, piece) = seen.split_once(' ').unwrap_or((seen, ""));
        assert!(got.starts_with(status) && got.contains(piece), "{name}: {got}");
        assert_eq!(api.sessions().len(), usize::from(executed), "{name}");
        let told = api.requests().pop().unwrap();
        assert_eq!((told.operation.as_str(), told.executed), ("Open", executed), "{name}");
        assert_eq!(told.status, status.parse().unwrap_or(if status == "half" { 200 } else { 0 }), "{name}");
        // Used up: the next one is carried out, or finds the first one's session.
        let next = graphql(&api, OPEN, opening()).await.json();
        let refused = next["data"]["opened"]["userErrors"][0]["code"] == "ALREADY_OPEN";
        assert_eq!(refused, executed, "{name}: {next}");
    }
}

#[tokio::test]
async fn a_denied_field_inside_an_answer_leaves_the_rest_and_names_its_place() {
    let api = api().await;
    api.fault(once("access-denied-after", Operation::Open));
    let answer = graphql(&api, OPEN, opening()).await.json();
    assert_eq!(code(&answer), "ACCESS_DENIED");
    assert_eq!(answer["errors"][0]["path"], json!(["opened", "pointOfSaleDevicePaymentSession", "openingNote"]));
    assert_eq!(answer["data"]["opened"]["pointOfSaleDevicePaymentSession"]["status"], "OPEN");
    assert_eq!(answer["data"]["opened"]["userErrors"], json!([]));
}

#[tokio::test]
async fn a_read_that_lags_does_not_show_the_newest_session() {
    let api = api().await;
    graphql(&api, OPEN, opening()).await;
    api.fault(once("lag-reads:60", Operation::Read));
    let nodes =
        |answer: Answer| answer.json()["data"]["pointOfSaleDevicePaymentSessions"]["nodes"].as_array().unwrap().len();
    assert_eq!(nodes(graphql(&api, READ, json!({})).await), 0);
    assert_eq!(nodes(graphql(&api, READ, json!({})).await), 1);
}

#[tokio::test]
async fn what_is_carried_out_late_is_not_there_when_its_sender_gives_up_and_is_remembered_once() {
    let api = api().await;
    let mut told = api.events();
    api.fault(once("late:80ms", Operation::Open));
    assert!(matches!(graphql_end(&api, TOKEN, OPEN, opening()).await, End::Closed));
    let opened = async {
        loop {
            if let Ok(AdminEvent::Session(row)) = told.recv().await {
                return row;
            }
        }
    };
    assert_eq!(soon("the late session", opened).await.note.as_deref(), opening()["note"].as_str());
    let executed = async {
        while !api.requests().iter().any(|row| row.executed) {
            tokio::task::yield_now().await;
        }
    };
    soon("the request is remembered as executed", executed).await;
    assert_eq!((api.requests().len(), api.sessions().len()), (1, 1));
}

#[tokio::test]
async fn what_is_carried_out_twice_meets_itself_as_an_opening_and_is_two_lines_as_a_count() {
    let api = api().await;
    api.fault(once("twice", Operation::Open));
    let answer = graphql(&api, OPEN, opening()).await.json();
    assert_eq!(answer["data"]["opened"]["userErrors"][0]["code"], "ALREADY_OPEN");
    assert!(api.requests().pop().unwrap().executed, "the first one was");
    let session = api.sessions().pop().unwrap().gid;

    api.fault(once("twice", Operation::Open));
    api.fault(once("twice", Operation::Count));
    let count = "mutation Count($id: ID!, $staff: ID!) { counted: pointOfSaleDevicePaymentSessionCount(
        pointOfSaleDevicePaymentSessionId: $id, staffMemberId: $staff, balance: {amount: \"5.00\", currencyCode: USD}
    ) { userErrors { code } } }";
    let staff = opening()["staff"].clone();
    let answer = graphql(&api, count, json!({"id": session, "staff": staff})).await.json();
    assert_eq!(answer["data"]["counted"]["userErrors"], json!([]));
    let lines =
        "query L($id: ID!) { pointOfSaleDevicePaymentSession(id: $id) { cashActivities(first: 9) { nodes { time } } } }";
    let nodes = |answer: Answer| {
        let nodes = &answer.json()["data"]["pointOfSaleDevicePaymentSession"]["cashActivities"]["nodes"];
        nodes.as_array().unwrap().len()
    };
    assert_eq!(nodes(graphql(&api, lines, json!({"id": session})).await), 3, "opened, and counted twice");
}

#[tokio::test]
async fn a_shop_that_starts_over_has_forgotten_everything() {
    let api = api().await;
    graphql(&api, OPEN, opening()).await;
    api.fault(once("html", Operation::Any));
    api.start_over(AdminSpec { device_ids: vec![9], ..AdminSpec::default() }).unwrap();
    assert!(api.sessions().is_empty() && api.requests().is_empty());
    let answer = graphql(&api, OPEN, opening()).await.json();
    assert_eq!(answer["data"]["opened"]["userErrors"][0]["code"], "POINT_OF_SALE_DEVICE_NOT_FOUND");
    assert!(api.start_over(AdminSpec { expected: "much".into(), ..AdminSpec::default() }).is_err());
}

#[tokio::test]
async fn what_does_not_fit_the_schema_is_refused_by_code_and_not_carried_out() {
    let api = api().await;
    let bad_balance = |amount: Value| {
        let mut variables = opening();
        variables["balance"]["amount"] = amount;
        variables
    };
    let bad_time = |time: &str| {
        let mut variables = opening();
        variables["time"] = json!(time);
        variables
    };
    let mut bare_id = opening();
    bare_id["staff"] = json!("1");
    for (what, query, variables, expected) in [
        ("unknown field", "query { shop { nmae } }", json!({}), "undefinedField"),
        ("unknown root field", "mutation { sessionOpen { id } }", json!({}), "undefinedField"),
        ("unknown argument", "query { shop(id: 1) { id } }", json!({}), "argumentNotAccepted"),
        ("missing argument", "query { node { id } }", json!({}), "missingRequiredArguments"),
        ("argument of a wrong type", "query { node(id: 1) { id } }", json!({}), "argumentLiteralsIncompatible"),
        ("unused variable", "query A($x: ID) { shop { id } }", json!({}), "variableNotUsed"),
        ("unknown directive", "query { shop @idem { id } }", json!({}), "undefinedDirective"),
        ("no document at all", "query {", json!({}), "PARSE_ERROR"),
        ("an amount that is a number", OPEN, bad_balance(json!(200)), "INVALID_VARIABLE"),
        ("an amount that is not one", OPEN, bad_balance(json!("two hundred")), "INVALID_VARIABLE"),
        ("no amount", OPEN, bad_balance(Value::Null), "INVALID_VARIABLE"),
        ("a time without a zone", OPEN, bad_time("2026-07-14T12:22:11"), "INVALID_VARIABLE"),
        ("an id that is no gid", OPEN, bare_id, "INVALID_VARIABLE"),
    ] {
        let answer = graphql(&api, query, variables).await;
        let body = answer.json();
        assert_eq!((answer.status, code(&body)), (200, expected), "{what}: {body}");
        assert!(body.get("data").is_none() && body.get("extensions").is_none(), "{what}: {body}");
        assert!(!api.requests().pop().unwrap().executed, "{what}");
    }
    assert!(api.sessions().is_empty());
}

#[tokio::test]
async fn a_request_without_a_good_token_is_refused_and_uses_no_fault_up() {
    let api = api().await;
    api.fault(once("html", Operation::Any));
    let End::Answer(answer) = graphql_end(&api, "shpat_wrong", READ, json!({})).await else { panic!("no answer") };
    assert_eq!(answer.status, 401);
    assert!(answer.json()["errors"].as_str().unwrap().starts_with("[API] Invalid API key"));
    assert!(graphql(&api, READ, json!({})).await.body.starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn a_token_from_the_endpoint_is_good_until_its_life_is_over() {
    let api = api().await;
    let given = token(&api).await.json();
    assert_eq!(given["expires_in"], 86_399);
    let good = given["access_token"].as_str().unwrap().to_owned();
    let status = async |token: &str| match graphql_end(&api, token, READ, json!({})).await {
        End::Answer(answer) => answer.status,
        End::Half | End::Closed | End::Reset => 0,
    };
    assert_eq!(status(&good).await, 200);
    api.expire_tokens();
    assert_eq!((status(&good).await, status(TOKEN).await), (401, 200));
    api.set_token_life(0);
    let given = token(&api).await.json();
    assert_eq!(given["expires_in"], 0);
    assert_eq!(status(given["access_token"].as_str().unwrap()).await, 401);
}

#[tokio::test]
async fn scopes_taken_away_deny_the_field_that_needs_them() {
    let api = api().await;
    api.set_scopes(vec!["read_cash_tracking".into()]);
    let answer = graphql(&api, OPEN, opening()).await.json();
    assert_eq!(code(&answer), "ACCESS_DENIED");
    assert_eq!(answer["data"], json!({"opened": null}));
    assert!(api.sessions().is_empty());
    // Writing does not let one read: the session is there and cannot be seen.
    api.set_scopes(vec!["write_cash_tracking".into()]);
    let answer = graphql(&api, OPEN, opening()).await.json();
    assert_eq!(code(&answer), "ACCESS_DENIED");
    assert_eq!(answer["data"]["opened"]["pointOfSaleDevicePaymentSession"], Value::Null);
    assert_eq!(api.sessions().len(), 1);
    let installed = graphql(&api, "query { currentAppInstallation { accessScopes { handle } } }", json!({})).await.json();
    assert_eq!(installed["data"]["currentAppInstallation"]["accessScopes"], json!([{"handle": "write_cash_tracking"}]));
}

#[tokio::test]
async fn an_empty_bucket_throttles_and_says_what_is_missing() {
    let api = api().await;
    // 13 points each, of 2000.
    let dear = "query { pointOfSaleDevicePaymentSessions(first: 250) { nodes { id } } }";
    let mut last = Value::Null;
    for _ in 0..2_000 {
        last = graphql(&api, dear, json!({})).await.json();
        if last.get("errors").is_some() {
            break;
        }
        assert_eq!(last["extensions"]["cost"]["requestedQueryCost"], 13);
    }
    assert_eq!(code(&last), "THROTTLED");
    assert!(last.get("data").is_none());
    let cost = &last["extensions"]["cost"];
    assert_eq!(cost["actualQueryCost"], Value::Null);
    assert_eq!(cost["throttleStatus"]["maximumAvailable"], 2_000);
    assert!(cost["throttleStatus"]["currentlyAvailable"].as_u64().unwrap() < 13);
    assert!(!api.requests().pop().unwrap().executed);
}

#[tokio::test]
async fn a_query_that_costs_too_much_is_refused_by_its_sizes() {
    let api = api().await;
    let query = "query Dear($n: Int) { cashDrawers(first: $n) { nodes { pointOfSaleDevices(first: $n) { nodes {
        activePaymentSession { cashActivities(first: $n) { nodes { cash { amount } } } } } } } } }";
    let answer = graphql(&api, query, json!({"n": 250})).await.json();
    assert_eq!(code(&answer), "MAX_COST_EXCEEDED");
    assert_eq!(answer["errors"][0]["extensions"]["maxCost"], 1_000);
    assert!(answer["errors"][0]["extensions"]["cost"].as_u64().unwrap() > 1_000);
    assert!(answer.get("data").is_none());
    assert!(graphql(&api, query, json!({"n": 1})).await.json().get("errors").is_none());
}

#[tokio::test]
async fn the_headers_say_which_version_answered_and_what_time_it_is() {
    let api = api().await;
    let answer = graphql(&api, READ, json!({})).await;
    assert_eq!(answer.header("x-shopify-api-version"), Some("2026-04"));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert!(answer.header("x-request-id").is_some_and(|id| id.len() == 36));
    let time = |answer: &Answer| {
        let date = answer.header("date").unwrap();
        jiff::fmt::rfc2822::parse(date).unwrap().timestamp().as_second()
    };
    let before = time(&answer);
    api.set_clock_skew(3_600);
    let after = time(&graphql(&api, READ, json!({})).await);
    assert!((3_600..3_660).contains(&(after - before)), "{before} {after}");
    api.fault(once("429:7", Operation::Any));
    assert_eq!(graphql(&api, READ, json!({})).await.header("retry-after"), Some("7"));
    // A version that is no longer served falls forward; one that does not exist yet is not found.
    for (version, status) in [("2025-10", 200), ("2026-07", 404), ("unstable", 404)] {
        let path = format!("/admin/api/{version}/graphql.json");
        let body = json!({"query": READ}).to_string();
        let End::Answer(answer) = send(&api, &path, Some(TOKEN), "application/json", &body).await else { panic!() };
        assert_eq!(answer.status, status, "{version}");
    }
}

#[tokio::test]
async fn a_time_comes_back_in_whole_seconds_and_an_amount_without_its_zeros() {
    let api = api().await;
    let now = graphql(&api, READ, json!({})).await;
    let now = jiff::fmt::rfc2822::parse(now.header("date").unwrap()).unwrap().timestamp().as_second();
    let second = jiff::Timestamp::from_second(now).unwrap().to_string();
    let mut variables = opening();
    variables["time"] = json!(second.replace('Z', ".990Z"));
    let answer = graphql(&api, OPEN, variables).await.json();
    let session = &answer["data"]["opened"]["pointOfSaleDevicePaymentSession"];
    assert_eq!(session["openingTime"], json!(second));
    assert_eq!(session["cashCountedAtOpen"]["amount"], "200.0");
    assert_eq!(api.sessions()[0].amount, "200.00");
}

#[tokio::test]
async fn a_drawer_is_made_once_for_a_name_and_a_device_can_be_moved_to_it() {
    let api = api().await;
    let make = "mutation M($name: String!) { cashDrawerFindOrCreate(
        name: $name locationId: \"gid://shopify/Location/1\" pointOfSaleDeviceId: \"gid://shopify/PointOfSaleDevice/1\"
    ) { cashDrawer { id name } userErrors { code } } }";
    let first = graphql(&api, make, json!({"name": "Front"})).await.json();
    assert_eq!(first["data"]["cashDrawerFindOrCreate"]["cashDrawer"]["name"], "Front");
    assert_eq!(graphql(&api, make, json!({"name": "Front"})).await.json()["data"], first["data"]);
    let blank = graphql(&api, make, json!({"name": " "})).await.json();
    assert_eq!(blank["data"]["cashDrawerFindOrCreate"]["userErrors"][0]["code"], "NOT_SAVED");
    let assign = "mutation M($drawer: ID!) { pointOfSaleDeviceAssignToCashDrawer(
        cashDrawerId: $drawer pointOfSaleDeviceId: \"gid://shopify/PointOfSaleDevice/1\"
    ) { pointOfSaleDevice { cashDrawer { id } } userErrors { code } } }";
    let moved = graphql(&api, assign, json!({"drawer": "gid://shopify/CashDrawer/1"})).await.json();
    let payload = &moved["data"]["pointOfSaleDeviceAssignToCashDrawer"];
    assert_eq!(payload["pointOfSaleDevice"]["cashDrawer"]["id"], "gid://shopify/CashDrawer/1");
    let unknown = graphql(&api, assign, json!({"drawer": "gid://shopify/CashDrawer/9"})).await.json();
    let payload = &unknown["data"]["pointOfSaleDeviceAssignToCashDrawer"];
    assert_eq!(payload["userErrors"][0]["code"], "CASH_DRAWER_NOT_FOUND");
}

#[tokio::test]
async fn the_standard_introspection_is_answered() {
    let api = api().await;
    let query = "query I { __schema { queryType { name } types { ...T } } }
        fragment T on __Type { kind name inputFields { ...V } fields(includeDeprecated: true) { args { ...V } } }
        fragment V on __InputValue { name type { ...R } } fragment R on __Type { kind name ofType { kind name } }";
    let answer = graphql(&api, query, json!({})).await.json();
    assert!(answer.get("errors").is_none(), "{answer}");
    let types = answer["data"]["__schema"]["types"].as_array().unwrap();
    assert!(types.iter().any(|ty| ty["name"] == "MoneyInput"));
    let named = "query T($name: String!) { __type(name: $name) { name } }";
    assert_eq!(graphql(&api, named, json!({"name": "Shop"})).await.json()["data"]["__type"]["name"], "Shop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_is_there_again_however_fast_it_goes_down_and_up() {
    let api = api().await;
    let address = api.url().trim_start_matches("http://").to_owned();
    for round in 0..300 {
        api.set_down(true);
        assert!(TcpStream::connect(&address).await.is_err(), "round {round}: refused while the shop is down");
        for _ in 0..round % 4 {
            api.set_down(false);
            api.set_down(true);
        }
        api.set_down(false);
        let answer =
            tokio::time::timeout(std::time::Duration::from_secs(20), graphql_end(&api, TOKEN, READ, json!({}))).await;
        assert!(matches!(answer, Ok(End::Answer(_))), "round {round}: {answer:?}");
    }
}

#[tokio::test]
async fn going_down_resets_the_connections_there_are_and_keeps_the_port() {
    let api = api().await;
    let address: std::net::SocketAddr = api.url().trim_start_matches("http://").parse().unwrap();
    let mut open = TcpStream::connect(address).await.unwrap();
    // A first request, so that the connection has been accepted.
    let body = json!({"query": READ}).to_string();
    let request = format!(
        "POST {GRAPHQL} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-shopify-access-token: {TOKEN}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    open.write_all(request.as_bytes()).await.unwrap();
    assert!(open.read(&mut [0; 4096]).await.unwrap() > 0);
    api.set_down(true);
    let ended = open.read(&mut [0; 4096]).await;
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(TcpSocket::new_v4().unwrap().bind(address).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    api.set_down(false);
    assert_eq!(graphql(&api, READ, json!({})).await.status, 200);
}
