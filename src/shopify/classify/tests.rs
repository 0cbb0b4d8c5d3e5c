use super::*;

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, retry_after: None, api_version: None, date: None, skew_s: None, body: body.as_bytes().to_vec() }
}

fn verdict(body: &str) -> Outcome {
    match mutation(&answer(200, body), "opened") {
        Verdict::Is(outcome) => outcome,
        Verdict::TokenRefused => panic!("a 200 is no 401"),
    }
}

const SESSION: &str = r#"{"id":"gid://shopify/PointOfSaleDevicePaymentSession/7","status":"OPEN","openingTime":"2026-11-23T07:00:00Z",
  "openingNote":"[db:0000000007]","currency":"USD","cashCountedAtOpen":{"amount":"150.0","currencyCode":"USD"},
  "expectedCashAtOpen":{"amount":"120.0","currencyCode":"USD"}}"#;

fn opened(session: &str, user_errors: &str, rest: &str) -> String {
    format!(r#"{{"data":{{"opened":{{"pointOfSaleDevicePaymentSession":{session},"userErrors":{user_errors}}}}}{rest}}}"#)
}

#[test]
fn an_object_under_the_root_means_executed_whatever_errors_says() {
    let with_errors = r#","errors":[{"message":"Access denied","path":["opened","pointOfSaleDevicePaymentSession","x"],"extensions":{"code":"ACCESS_DENIED"}}]"#;
    for rest in ["", with_errors] {
        let Outcome::Executed(session) = verdict(&opened(SESSION, "[]", rest)) else { panic!("executed") };
        assert_eq!(session.counted.amount, "150.0");
        assert_eq!(session.expected.map(|m| m.amount).as_deref(), Some("120.0"));
    }
}

#[test]
fn a_user_error_is_a_refusal_with_its_code() {
    let body = opened("null", r#"[{"code":"ALREADY_OPEN","field":null,"message":"is open"}]"#, "");
    assert_eq!(verdict(&body), Outcome::Refused { code: "ALREADY_OPEN".into(), message: "is open".into() });
    let without_code = opened("null", r#"[{"code":null,"field":null,"message":"no"}]"#, "");
    assert!(matches!(verdict(&without_code), Outcome::Refused { code, .. } if code == "UNKNOWN_CODE"));
}

#[test]
fn a_null_root_is_rejected_only_with_a_known_code_on_its_path() {
    let denied = |path: &str, code: &str| {
        format!(
            r#"{{"data":{{"opened":null}},"errors":[{{"message":"m","path":{path},"extensions":{{"code":"{code}"}}}}]}}"#
        )
    };
    assert!(matches!(verdict(&denied(r#"["opened"]"#, "ACCESS_DENIED")), Outcome::Rejected { .. }));
    assert!(matches!(verdict(&denied(r#"["opened"]"#, "SOMETHING_NEW")), Outcome::Unknown { .. }));
    assert!(matches!(verdict(&denied(r#"["opened","x"]"#, "ACCESS_DENIED")), Outcome::Unknown { .. }));
    assert!(matches!(verdict(r#"{"data":{"opened":null}}"#), Outcome::Unknown { .. }));
}

#[test]
fn errors_without_data_are_told_apart() {
    let failed = |code: &str| format!(r#"{{"errors":[{{"message":"m","extensions":{{"code":"{code}"}}}}]}}"#);
    for row in outcomes::TABLE {
        let outcomes::Case::NoData(code) = row.case else { continue };
        let rejected = matches!(verdict(&failed(code)), Outcome::Rejected { .. });
        assert_eq!(rejected, row.class == Class::Rejected, "{code}");
    }
    let mixed = r#"{"errors":[{"extensions":{"code":"undefinedField"}},{"extensions":{"code":"TIMEOUT"}}]}"#;
    assert!(matches!(verdict(mixed), Outcome::Unknown { .. }), "only if all of them say so");
    for code in ["INTERNAL_SERVER_ERROR", "TIMEOUT", "ANOTHER"] {
        assert!(matches!(verdict(&failed(code)), Outcome::Unknown { .. }), "{code}");
    }
    let throttled = r#"{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],
      "extensions":{"cost":{"requestedQueryCost":10.0,"actualQueryCost":null,"throttleStatus":{"maximumAvailable":2000.0,"currentlyAvailable":2,"restoreRate":4}}}}"#;
    assert_eq!(
        verdict(throttled),
        Outcome::NotExecuted { why: "Shopify asks to slow down".into(), wait: Wait::Asked(Duration::from_secs(2)) }
    );
}

#[test]
fn what_is_no_answer_is_unknown() {
    for body in [
        "",
        "<html>",
        r#"{"data":null}"#,
        r#"{"data":{}}"#,
        r#"{"data":{"opened":3}}"#,
        "[]",
        "null",
        r#"{"data":{"opened""#,
    ] {
        assert!(matches!(verdict(body), Outcome::Unknown { .. }), "{body}");
    }
    assert!(matches!(verdict(&opened("null", "[]", "")), Outcome::Unknown { .. }));
    assert!(matches!(verdict(&opened(r#"{"id":"gid://shopify/Order/1"}"#, "[]", "")), Outcome::Unknown { .. }));
}

#[test]
fn every_status_of_the_fact_sheet_has_its_row() {
    for status in [402, 403, 423] {
        let Verdict::Is(Outcome::NotExecuted { why, wait: Wait::Longest }) = mutation(&answer(status, ""), "opened") else {
            panic!("{status}: a saved count is kept until somebody mended it");
        };
        assert!(why.contains(&status.to_string()) && why.contains(':'), "it says what to do: {why}");
    }
    for status in [400, 404, 430, 501] {
        assert!(matches!(mutation(&answer(status, ""), "opened"), Verdict::Is(Outcome::Rejected { .. })), "{status}");
    }
    for status in [500, 502, 503, 504, 530, 540, 301, 204, 418] {
        assert!(matches!(mutation(&answer(status, ""), "opened"), Verdict::Is(Outcome::Unknown { .. })), "{status}");
    }
    assert_eq!(mutation(&answer(401, ""), "opened"), Verdict::TokenRefused);
    let slow = Answer { retry_after: Some(7), ..answer(429, "") };
    assert!(
        matches!(mutation(&slow, "opened"), Verdict::Is(Outcome::NotExecuted { wait: Wait::Asked(d), .. }) if d == Duration::from_secs(7))
    );
}

fn list(nodes: &str, more: &str) -> Read {
    sessions(&answer(
        200,
        &format!(
            r#"{{"data":{{"sessions":{{"nodes":[{nodes}],"pageInfo":{{"hasNextPage":{more}}}}},"device":{{"id":"x","cashDrawer":null,"activePaymentSession":null}}}}}}"#
        ),
    ))
}

#[test]
fn a_read_is_healthy_only_without_errors_and_warnings() {
    assert!(matches!(list(SESSION, "false"), Read::Healthy(l) if l.sessions.len() == 1 && l.complete));
    assert!(matches!(list(SESSION, "true"), Read::Healthy(l) if !l.complete));
    assert!(matches!(list(SESSION, "null"), Read::Failed { .. }), "whether there are more must be said");
    let warned = r#"{"data":{"sessions":{"nodes":[],"pageInfo":{"hasNextPage":false}}},"extensions":{"search":[{"warnings":[{"field":"x","code":"invalid_field"}]}]}}"#;
    assert!(matches!(sessions(&answer(200, warned)), Read::Failed { why, .. } if why.contains("filter")));
    for body in [
        r#"{"data":{"sessions":{"nodes":[{}],"pageInfo":{"hasNextPage":false}}}}"#,
        r#"{"data":{"sessions":{"nodes":[]}}}"#,
        r#"{"data":null}"#,
        "x",
        r#"{"errors":"[API] Invalid API key"}"#,
    ] {
        assert!(matches!(sessions(&answer(200, body)), Read::Failed { .. }), "{body}");
    }
    assert!(matches!(sessions(&answer(502, "")), Read::Failed { retry_after: None, .. }));
}

#[test]
fn a_page_in_another_order_than_by_creation_proves_nothing() {
    let numbered = |n: u32| SESSION.replace("Session/7", &format!("Session/{n}"));
    let two = |a, b| format!("{},{}", numbered(a), numbered(b));
    assert!(matches!(list(&two(12, 9), "true"), Read::Healthy(_)), "by number, not by text");
    assert!(matches!(list(&two(9, 12), "true"), Read::Failed { .. }));
    assert!(matches!(list(&two(9, 12), "false"), Read::Healthy(_)), "the whole list has no order to get wrong");
}

#[test]
fn a_session_whose_time_cannot_be_read_lacks_what_was_asked() {
    let odd = SESSION.replace("2026-11-23T07:00:00Z", "this morning");
    assert!(matches!(list(&odd, "false"), Read::Failed { .. }));
    assert!(matches!(verdict(&opened(&odd, "[]", "")), Outcome::Unknown { .. }));
}

#[test]
fn a_read_that_is_told_to_slow_down_says_for_how_long() {
    let slow = Answer { retry_after: Some(9), ..answer(429, "") };
    assert!(matches!(sessions(&slow), Read::Failed { retry_after: Some(d), .. } if d == Duration::from_secs(9)));
    let throttled = r#"{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],
      "extensions":{"cost":{"requestedQueryCost":100,"throttleStatus":{"maximumAvailable":2000,"currentlyAvailable":20,"restoreRate":10}}}}"#;
    assert!(
        matches!(sessions(&answer(200, throttled)), Read::Failed { retry_after: Some(d), .. } if d == Duration::from_secs(8))
    );
    let denied = r#"{"errors":[{"message":"no","extensions":{"code":"ACCESS_DENIED"}}],"data":{"sessions":null}}"#;
    assert!(matches!(sessions(&answer(200, denied)), Read::Failed { retry_after: None, .. }));
}

fn device_of(device: &str, errors: &str) -> Read {
    sessions(&answer(
        200,
        &format!(
            r#"{{"data":{{"sessions":{{"nodes":[],"pageInfo":{{"hasNextPage":false}}}},"device":{device}}},"errors":{errors}}}"#
        ),
    ))
}

fn device_in(read: Read) -> Device {
    let Read::Healthy(list) = read else { panic!("healthy: {read:?}") };
    list.device
}

#[test]
fn a_device_that_may_not_be_seen_is_told_from_one_that_is_not_there() {
    let denied = |path: &str| format!(r#"[{{"path":{path},"extensions":{{"code":"ACCESS_DENIED"}}}}]"#);
    assert_eq!(device_in(device_of("null", &denied(r#"["device"]"#))), Device::NotGranted);
    let half = r#"{"id":"x","cashDrawer":null,"activePaymentSession":null}"#;
    assert_eq!(device_in(device_of(half, &denied(r#"["device","cashDrawer"]"#))), Device::NotGranted);
    assert_eq!(device_in(device_of("null", "[]")), Device::Missing);
    assert!(matches!(device_of("null", &denied(r#"["sessions"]"#)), Read::Failed { .. }), "the sessions are needed");
    let other = r#"[{"path":["device"],"extensions":{"code":"INTERNAL_SERVER_ERROR"}}]"#;
    assert!(matches!(device_of("null", other), Read::Failed { .. }));
}

#[test]
fn the_drawer_its_devices_and_the_active_session_are_read() {
    let node = format!(
        r#"{{"id":"d","cashDrawer":{{"id":"c","pointOfSaleDevices":{{"nodes":[{{"id":"d"}},{{"id":"e"}}]}}}},"activePaymentSession":{SESSION}}}"#
    );
    let Device::Known { drawer: Some(drawer), active: Some(active) } = device_in(device_of(&node, "[]")) else {
        panic!("both are there")
    };
    assert_eq!((drawer.id.as_str(), drawer.devices.as_slice()), ("c", ["d".to_owned(), "e".to_owned()].as_slice()));
    assert!(active.id.ends_with("/7"));
}

fn ledger_of(nodes: &str) -> ActivityRead {
    activities(&answer(
        200,
        &format!(
            r#"{{"data":{{"session":{{"id":"x","status":"OPEN","cashActivities":{{"nodes":[{nodes}],"pageInfo":{{"hasNextPage":false}}}}}}}}}}"#
        ),
    ))
}

#[test]
fn of_a_ledger_only_mid_session_counts_are_counts_and_every_line_has_a_time() {
    let line = |kind: &str, time: &str| {
        format!(
            r#"{{"__typename":"CashCountActivity","time":"{time}","countType":"{kind}","cashCounted":{{"amount":"150.0","currencyCode":"USD"}}}}"#
        )
    };
    let sale = r#"{"__typename":"CashTransactionActivity","time":"2026-11-23T07:10:00Z"}"#;
    let nodes = [line("MID_SESSION", "2026-11-23T07:20:00Z"), sale.to_owned(), line("OPENING", "2026-11-23T07:00:00Z")];
    let ActivityRead::Healthy(ledger) = ledger_of(&nodes.join(",")) else { panic!("healthy") };
    assert_eq!(ledger.counts.len(), 1);
    assert_eq!(ledger.oldest, "2026-11-23T07:00:00Z".parse().ok());
    assert!(ledger.open && ledger.complete);
    assert!(matches!(ledger_of(r#"{"__typename":"CashTransactionActivity"}"#), ActivityRead::Failed { .. }));
    assert!(matches!(activities(&answer(200, r#"{"data":{"session":null}}"#)), ActivityRead::Failed { .. }));
}

#[test]
fn who_opened_is_said_only_where_shopify_says_it() {
    let body = r#"{"data":{"session":{"openingStaffMember":{"id":"gid://shopify/StaffMember/7","name":"Kim"}}}}"#;
    assert_eq!(opener(&answer(200, body)).as_deref(), Ok("Kim (StaffMember/7)"));
    let denied = r#"{"errors":[{"message":"Access denied for openingStaffMember field.","path":["session","openingStaffMember"],"extensions":{"code":"ACCESS_DENIED"}}],"data":{"session":null}}"#;
    assert!(opener(&answer(200, denied)).unwrap_err().contains("Access denied"));
}
